"""jupyterhub_config.py of a hub on the booted machine, whose servers are units of systemd, shut in as they can be."""

import sys

from hub_plugin import install

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.JupyterHub.bind_url = "http://127.0.0.1:8000/"
c.ConfigurableHTTPProxy.command = [sys.executable, "-c", "from configurable_http_proxy.cli import main; main()"]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.load_groups = {"course-course": {"users": ["dora"]}}
c.JupyterHub.services = [{"name": "office", "api_token": "the-office"}]
c.JupyterHub.load_roles = [
    {"name": "office", "services": ["office"], "scopes": ["admin:users", "admin:servers", "tokens"]}
]
c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.readonly_paths = ["/"]
c.SystemdSpawner.readwrite_paths = ["/home/{USERNAME}"]
c.Spawner.cmd = ["/opt/synced-folders/bin/python", "-m", "jupyterhub.singleuser"]
c.SyncedFolders.courses = {"course": "http://127.0.0.1:8123/course.git"}
c.SyncedFolders.agents_socket = "/run/synced-folders/agents.sock"
c.SyncedFolders.members_folder = "/etc/synced-folders/members"
install(c)
