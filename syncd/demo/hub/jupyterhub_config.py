"""The demo's jupyterhub_config.py: a small hub for the people of the demo, and then one line."""

import hmac
import json
import os
import sys
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator

from hub_plugin import install

c = get_config()  # type: ignore[name-defined]  # noqa: F821  (the hub gives it to this file)
demo: dict[str, Any] = json.loads(Path("demo.json").read_text())
programs = Path(sys.executable).parent


class PrintedPasswords(Authenticator):  # type: ignore[misc, unused-ignore]
    """Lets in who has the password that the demo has printed."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """The name, if the password is theirs."""
        known = demo["passwords"].get(data["username"], "")
        given = data["password"]
        return data["username"] if known and hmac.compare_digest(known.encode(), given.encode()) else None


c.JupyterHub.bind_url = demo["hub"]
c.JupyterHub.hub_bind_url = demo["inner"]
c.ConfigurableHTTPProxy.api_url = demo["api"]
# By itself it gives an answer up that takes longer than 20 seconds.
c.ConfigurableHTTPProxy.command = [str(programs / "configurable-http-proxy"), "--proxy-timeout", "600000"]
c.JupyterHub.template_paths = [str(Path(__file__).parent / "templates")]
c.JupyterHub.authenticator_class = PrintedPasswords
c.Authenticator.allow_all = True
c.JupyterHub.load_groups = {
    f"course-{demo['course']}": {"users": demo["students"]},
    f"course-{demo['course']}-staff": {"users": [demo["instructor"]]},
}
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"
c.Spawner.args = ["--ServerApp.use_redirect_file=False"]
# Whoever presses Ctrl-C waits for it.
c.LocalProcessSpawner.interrupt_timeout = 3
c.LocalProcessSpawner.term_timeout = 2
os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # `syncd` in Lab's terminals

if not demo["accounts"]:
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = f"{demo['homes']}/{{username}}"
    c.SyncedFolders.home = f"{demo['homes']}/{{username}}"
    if os.geteuid() == 0:
        c.Spawner.args += ["--ServerApp.allow_root=True"]

c.SyncedFolders.courses = {
    demo["course"]: {
        "remote": demo["remote"],
        "branch": demo["branch"],
        "title": demo["folder"],
        "folder": demo["folder"],
    }
}
c.SyncedFolders.node = demo["node"]
c.SyncedFolders.publisher = demo["publisher"]
install(c)
