"""Following links into synced folders: `open/COURSE/PATH`, Interact's and nbgitpuller's forms.

They need neither node nor agent: whatever is in the student's folder opens, also while sync is broken.
"""

from aiohttp import web

from hub_plugin import words
from hub_plugin.adding import add_and_open
from hub_plugin.context import context_key, open_to_anybody, visitor_key
from hub_plugin.courses import Course, Role, role_in
from hub_plugin.link_queries import FORMS, query_of
from hub_plugin.links import Opening, UnknownRepository, open_course
from hub_plugin.login import NotAllowed


def add_routes(app: web.Application, prefix: str, base_url: str) -> None:
    """Where they are; the hub's own address for Interact only leads here, where the cookie is."""
    app.router.add_get(f"{base_url}hub/interact", _to_interact)
    app.router.add_get(f"{base_url}hub/interact/", _to_interact)
    for form in FORMS:
        app.router.add_get(f"{prefix}{form}", _follow)
    app.router.add_get(f"{prefix}open/{{course}}", _open)
    app.router.add_get(f"{prefix}open/{{course}}/{{path:.*}}", _open)


@open_to_anybody
async def _to_interact(request: web.Request) -> web.StreamResponse:
    address = request.app[context_key].hub.address
    raise web.HTTPFound(f"{address.own_host}{address.prefix}interact?{request.rel_url.raw_query_string}")


async def _open(request: web.Request) -> web.StreamResponse:
    name, path = request.match_info["course"], request.match_info.get("path", "")
    await request.app[context_key].courses.find(name)
    raise _to(request, open_course(request.app[context_key].courses.now(), name, path, request.query.get("app", "")))


async def _follow(request: web.Request) -> web.StreamResponse:
    query = query_of(request.query.items())
    form, account = request.path.rsplit("/", 1)[-1], request.app[context_key].settings.default_account

    def read(courses: tuple[Course, ...]) -> Opening:
        return FORMS[form](courses, query, account)

    try:
        opening: Opening | web.Response = read(request.app[context_key].settings.courses)
    except UnknownRepository as unknown:
        opening = await add_and_open(request, unknown, read)
    if isinstance(opening, web.Response):
        return opening
    raise _to(request, opening)


def _to(request: web.Request, opening: Opening) -> web.HTTPFound:
    """To the visitor's own server, which starts if it does not run."""
    if role_in(request[visitor_key], opening.course) < Role.STUDENT:
        raise NotAllowed(words.NOT_IN_COURSE)
    address = request.app[context_key].hub.address
    return web.HTTPFound(f"{address.host}{address.base_url}hub/user-redirect/{opening.target}")
