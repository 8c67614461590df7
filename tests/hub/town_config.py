"""The town's jupyterhub_config.py: what a sysadmin has already, and then one line."""

import json
import os
import sys
import time
from pathlib import Path

from traitlets.config import Config

from hub_plugin import install

c = get_config()  # type: ignore[name-defined]  # noqa: F821
town = json.loads(os.environ["TOWN"])
bin_folder = Path(sys.executable).parent

c.JupyterHub.bind_url = town["hub"]
c.JupyterHub.hub_bind_url = town["inner"]
c.ConfigurableHTTPProxy.api_url = town["api"]
c.ConfigurableHTTPProxy.command = [str(bin_folder / "configurable-http-proxy")]
c.ConfigurableHTTPProxy.auth_token = "between-hub-and-proxy"
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "learn-by-doing-it"
c.SharedPasswordAuthenticator.admin_password = "learn-by-doing-it, and then by teaching it"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"root-of-hub"}
c.JupyterHub.load_groups = {
    "course-textbook": {"users": ["ada", "ben"]},
    "course-textbook-staff": {"users": ["kim"]},
    "course-labs": {"users": []},
    "course-labs-staff": {"users": ["kim"]},
}
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"
c.Spawner.args = ["--LabApp.news_url=", "--ServerApp.use_redirect_file=False"]
c.JupyterHub.services = [
    {"name": "school-office", "api_token": "the-school-office"},
    {"name": "node-1.fall.hub.school.example", "api_token": "the-first-node"},
]
c.JupyterHub.load_roles = [
    {
        "name": "office",
        "services": ["school-office"],
        "scopes": ["admin:users", "admin:servers", "tokens", "admin:groups"],
    }
]


def earlier_hook(spawner):
    (Path(town["folder"]) / f"earlier-{spawner.user.name}").write_text("ran")
    if spawner.user.name == "eve":
        raise RuntimeError("eve has no server")


c.Spawner.pre_spawn_hook = earlier_hook
c.SyncedFolders.courses = {"textbook": {"remote": town["remote"], "branch": "main", "title": "Data 8"}}
c.SyncedFolders.courses["labs"] = {"remote": town["labs"], "branch": "students", "title": "Labs"}
c.SyncedFolders.node = town["node"]
c.SyncedFolders.publisher = town["publisher"]
c.SyncedFolders.members_folder = f"{town['folder']}/members"
c.SyncedFolders.git_pull_links = True
c.SyncedFolders.node_services = ["node-1.fall.hub.school.example"]
c.SyncedFolders.allowed_repositories = [f"{town['git']}/data-8/*"]
install(c)
install(c)

# Ben's folders come from the node's parent of agents, as on a large hub; everybody else's from the hub itself.
other = Config()
install(
    other,
    courses=c.SyncedFolders.courses,
    allowed_repositories=c.SyncedFolders.allowed_repositories,
    agents_socket=town["agents"],
    members_folder=c.SyncedFolders.members_folder,
    patience=5.0,
)
ours = c.Spawner.pre_spawn_hook, c.Spawner.post_stop_hook
parents = other.Spawner.pre_spawn_hook, other.Spawner.post_stop_hook


async def timed_hook(spawner):
    began = time.monotonic()
    await (parents if spawner.user.name == "ben" else ours)[0](spawner)
    (Path(town["folder"]) / f"took-{spawner.user.name}").write_text(str(time.monotonic() - began))


async def stop_hook(spawner):
    await (parents if spawner.user.name == "ben" else ours)[1](spawner)


c.Spawner.pre_spawn_hook, c.Spawner.post_stop_hook = timed_hook, stop_hook
