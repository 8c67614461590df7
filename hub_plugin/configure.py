"""`install(c)`: what the settings of `c.SyncedFolders` mean for the rest of a hub's configuration.

Everything is added to what is there: services, roles and routes are appended, hooks are chained, and a second call
changes nothing.  The service gets the rights to read its courses' groups, and no other.
"""

import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from hub_plugin import words
from hub_plugin.allowed import check_patterns
from hub_plugin.configurable import SyncedFolders
from hub_plugin.courses import Course, read_courses
from hub_plugin.hooks import Hook, after_stop, before_start, is_ours
from hub_plugin.parent_agents import agents_as
from hub_plugin.redirects import git_pull_hook
from hub_plugin.settings import VARIABLE, Settings
from syncd.core.errors import NeedsUser

_SERVER_SCOPES = ["users:activity!user", "access:servers!server"]


def install(c: Config, **settings: Any) -> None:
    """See `hub_plugin.install`."""
    for name, value in settings.items():
        if name not in SyncedFolders.class_trait_names(config=True):
            raise NeedsUser(words.unknown_setting(name))
        c.SyncedFolders[name] = value
    try:
        found = SyncedFolders(config=c)
    except TraitError as error:
        raise NeedsUser(words.bad_setting(str(error))) from error
    courses = read_courses(found.courses, found.group, found.staff_group)
    _check(found, courses)
    _add_service(c, found, courses)
    _add_roles(c, found, courses)
    _add_token_scopes(c, found)
    if found.agents:
        _add_hooks(c, found, courses)
    _add_links(c, found, courses)


def _check(found: SyncedFolders, courses: tuple[Course, ...]) -> None:
    if not found.managed and not (found.service_url and found.api_token):
        raise NeedsUser(words.EXTERNAL_NEEDS)
    check_patterns(found.allowed_repositories)
    if found.agents_socket and any(course.folder != course.name for course in courses):
        raise NeedsUser(words.PARENT_FOLDERS)
    if found.view not in ("", "overlay", "plain"):
        raise NeedsUser(words.bad_setting(f"view is {found.view!r}"))


def _add_service(c: Config, found: SyncedFolders, courses: tuple[Course, ...]) -> None:
    services = _list_in(c.JupyterHub, "services")
    if any(service.get("name") == found.service_name for service in services):
        return
    access = f"access:services!service={found.service_name}"
    service: dict[str, Any] = {
        "name": found.service_name,
        "url": found.service_url or _free_url(),
        "oauth_no_confirm": True,
        "oauth_client_allowed_scopes": [access, "read:users:groups!user", "read:users!user"],
    }
    if found.managed:
        service["command"] = [sys.executable, "-m", "hub_plugin.serve"]
        service["environment"] = {VARIABLE: _settings(found, courses).to_json()}
    else:
        service["api_token"] = found.api_token
        service["oauth_client_id"] = f"service-{found.service_name}"
    services.append(service)
    c.JupyterHub.services = services


def _settings(found: SyncedFolders, courses: tuple[Course, ...]) -> Settings:
    return Settings(
        courses=courses,
        node=found.node,
        publisher=found.publisher,
        agents=found.agents,
        agents_socket=found.agents_socket,
        agent_state=found.agent_state,
        view=found.view,
        patience_s=found.patience,
        system_user=found.system_user,
        home=found.home,
        admin_groups=tuple(found.admin_groups),
        node_services=tuple(found.node_services),
        default_account=found.default_account,
        allowed_repositories=tuple(found.allowed_repositories),
        db_url=found.db_url,
        redis_url=found.redis_url,
        members_folder=found.members_folder,
        public_url=found.public_url,
        staff_group=found.staff_group,
    )


def _add_roles(c: Config, found: SyncedFolders, courses: tuple[Course, ...]) -> None:
    roles = _list_in(c.JupyterHub, "load_roles")
    names = {role.get("name") for role in roles}
    groups = sorted({group for course in courses for group in (*course.groups, *course.staff_groups)})
    access = f"access:services!service={found.service_name}"
    if (service_role := f"{found.service_name}-service") not in names:
        # With a filter: who is in our courses, and of nobody else anything.
        scopes = [f"{right}:groups!group={group}" for group in groups for right in ("list", "read")]
        roles.append({"name": service_role, "services": [found.service_name], "scopes": scopes})
    if (members := f"{found.service_name}-members") not in names:
        roles.append({"name": members, "groups": groups + sorted(found.admin_groups), "scopes": [access]})
    if found.node_services and (nodes := f"{found.service_name}-nodes") not in names:
        roles.append({"name": nodes, "services": sorted(found.node_services), "scopes": [access]})
    if any(course.open_to_all for course in courses):
        _let_everybody_in(roles, access)
    c.JupyterHub.load_roles = roles


def _let_everybody_in(roles: list[dict[str, Any]], access: str) -> None:
    for role in roles:
        if role.get("name") == "user":
            if access not in role.setdefault("scopes", ["self"]):
                role["scopes"] = [*role["scopes"], access]
            return
    roles.append({"name": "user", "scopes": ["self", access]})


def _add_token_scopes(c: Config, found: SyncedFolders) -> None:
    """A student's own processes may speak to the service with the token of their server."""
    ours = [f"access:services!service={found.service_name}", "read:users:groups!user"]
    for section in _spawner_sections(c, "server_token_scopes"):
        before = section.get("server_token_scopes")
        if callable(before):
            if not is_ours(before):
                section.server_token_scopes = _more_scopes(before, ours)
            continue
        scopes = _list_in(section, "server_token_scopes") or list(_SERVER_SCOPES)
        section.server_token_scopes = scopes + [scope for scope in ours if scope not in scopes]


def _more_scopes(before: Hook, ours: list[str]) -> Hook:
    def server_token_scopes(spawner: Any) -> list[str]:
        scopes = list(before(spawner))
        return scopes + [scope for scope in ours if scope not in scopes]

    server_token_scopes._synced_folders = True  # type: ignore[attr-defined]
    return server_token_scopes


def _add_hooks(c: Config, found: SyncedFolders, courses: tuple[Course, ...]) -> None:
    settings = _settings(found, courses).of_agents()
    agents = agents_as(settings)
    for section in _spawner_sections(c, "pre_spawn_hook"):
        if not is_ours(earlier := section.get("pre_spawn_hook")):
            section.pre_spawn_hook = before_start(
                agents, courses, _hook(earlier), found.patience, links_add=settings.links_add
            )
    for section in _spawner_sections(c, "post_stop_hook"):
        if not is_ours(earlier := section.get("post_stop_hook")):
            section.post_stop_hook = after_stop(agents, _hook(earlier), found.patience)


def _add_links(c: Config, found: SyncedFolders, courses: tuple[Course, ...]) -> None:
    # The path of bind_url counts before base_url, as it does for the hub.
    base = urlsplit(_text(c.JupyterHub.get("bind_url"), "")).path.strip("/")
    base = base or _text(c.JupyterHub.get("base_url"), "").strip("/")
    base = f"/{base}/" if base else "/"
    service = next(one for one in c.JupyterHub.services if one.get("name") == found.service_name)
    if found.interact_links:
        routes = dict(c.Proxy.get("extra_routes", {}))
        # With hosts of their own for users and services, a route names its host.
        domain = urlsplit(_text(c.JupyterHub.get("subdomain_host"), "")).hostname or ""
        routes.setdefault(f"{domain}{base}hub/interact/", service["url"])
        c.Proxy.extra_routes = routes
    if found.git_pull_links and not is_ours(earlier := c.JupyterHub.get("user_redirect_hook")):
        c.JupyterHub.user_redirect_hook = git_pull_hook(
            courses, found.allowed_repositories, found.default_account, found.service_name, _hook(earlier)
        )


def _spawner_sections(c: Config, trait: str) -> list[Any]:
    """`c.Spawner`, and each section of a more special spawner that sets this trait itself, and so would win."""
    special = [name for name in c if name.endswith("Spawner") and name != "Spawner" and trait in c[name]]
    return [c.Spawner, *(c[name] for name in special)]


def _list_in(section: Any, name: str) -> list[Any]:
    """What a section holds so far: set, or given as additions to a default that is empty."""
    held = section.get(name)
    if isinstance(held, LazyConfigValue):
        found: list[Any] = held.get_value([])
        return list(found)
    return list(held or ())


def _hook(held: object) -> Hook | None:
    return held if callable(held) else None


def _text(held: object, default: str) -> str:
    return held if isinstance(held, str) and held else default


def _free_url() -> str:
    # RACE: the port is free now, and the service takes it when the hub starts it a moment later.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
