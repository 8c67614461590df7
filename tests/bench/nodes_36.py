"""A class on 36 nodes: what one push costs the remote, and how soon all nodes show it.

    python -m tests.bench.nodes_36 [--nodes 36] [--pushes 20] [--polled 5]

As root, and on one machine: the nodes are network namespaces with one cable each (see `machines`), each with a node
service and a store of its own, and one or two students with a mount.  A git server and the hub's service are in the
middle.  Every push is delivered to the hub five times, each time as a new one, and told to the nodes over the request
that each keeps open.  Then the hub is killed, and the nodes poll.

`visible` runs from the start of `git push` to the moment at which a read of a view's file shows it, over all views.
All 36 nodes' work is done by this one machine's processors, so it is an upper bound.  The last line is JSON.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from hub_plugin.courses import Course
from hub_plugin.database import Database
from hub_plugin.delivery_log import DeliveryLog
from hub_plugin.settings import VARIABLE, Settings
from tests.agents.repository import READ, WRITE, commit_and_push
from tests.bench.class_figures import figures
from tests.bench.machines import Machines, why_not

DELIVERED, POLL_S, PATIENCE_S = 5, 5.0, 300.0
_HUB_PORT, _API_PORT, _AT_ONCE = 8090, 8091, 4
_PREFIX, _NAME = "/services/synced-folders/", "course"
_SCOPE = "access:services!service=synced-folders"
_COURSE = {f"part/{n:03}.txt": f"{n}\n" * 200 for n in range(200)}
_INSIDE = "SYNCED_FOLDERS_NODES_INSIDE"


class Simulation:
    """All processes; an own context."""

    def __init__(self, root: Path, nodes: int) -> None:
        self.root, self.nodes, self._processes = root, nodes, dict[str, subprocess.Popen[bytes]]()
        self.views: list[Path] = []
        self._machines = Machines(nodes)
        self._turn = 0

    def __enter__(self) -> "Simulation":
        _play_hub_api([f"token-{n}" for n in range(self.nodes)])
        self._start_git()
        self._start_hub()
        for first in range(0, self.nodes, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, self.nodes))
            self._all_ready([self._start_node(number) for number in some])
            self._all_ready([ready for number in some for ready in self._start_students(number)])
        self.push()
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes.values()):  # agents first, which unmount
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._machines.close()

    def kill_hub(self) -> None:
        self._processes["hub"].kill()

    def counts(self) -> Counter[str]:
        """Requests at the remote until now, by kind."""
        with urllib.request.urlopen(f"{self._admin}/counts", timeout=10) as answer:
            return Counter(json.load(answer))

    def push(self) -> list[float]:
        """Push a change; in how many milliseconds each view showed it."""
        self._turn += 1
        word, began = f"update {self._turn}\n", time.monotonic()
        pushing = threading.Thread(
            target=commit_and_push, args=(self.root / "work", self._url, {"lab.txt": word, "part/000.txt": word})
        )
        pushing.start()
        seen: dict[Path, float] = {}
        while len(seen) < len(self.views):
            for view in self.views:
                if view not in seen and _shows(view / "lab.txt", word):
                    seen[view] = (time.monotonic() - began) * 1e3
            if time.monotonic() - began > PATIENCE_S:
                sys.exit(f"{len(self.views) - len(seen)} of {len(self.views)} views never showed a push")
            time.sleep(0.005)
        pushing.join()
        return list(seen.values())

    def rounds(self, pushes: int) -> dict[str, Any]:
        """So many pushes, one after the other."""
        before, took = self.counts(), list[float]()
        for _ in range(pushes):
            took += self.push()
            time.sleep(0.5)  # for deliveries that are late
        told = self.counts() - before
        fetches, looks = (round(told[kind] / pushes / self.nodes, 3) for kind in ("fetch", "refs_read"))
        per = {"fetches_per_push_and_node": fetches, "looks_per_push_and_node": looks}
        return {"pushes": pushes, **per, "visible_ms": figures(took)}

    # The parts

    def _start_git(self) -> None:
        (self.root / "tokens").write_text(json.dumps({"write": [WRITE], "read": [READ]}))
        bare = self.root / "git" / f"{_NAME}.git"
        bare.parent.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", bare], check=True)
        secret = asyncio.run(DeliveryLog(Database(self._database)).secret(_NAME))
        for name, text in (("secret", secret), ("token", READ)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o600)
        hook = f"http://127.0.0.1:{_HUB_PORT}{_PREFIX}webhooks/{_NAME}"
        given = ["--root", bare.parent, "--token-file", self.root / "tokens"]
        given += ["--webhook-secret-file", self.root / "secret", *["--webhook", hook] * DELIVERED]
        ready = self._start("git", ["syncd.demo.gitserver", *given])
        said = self._all_ready([ready])[0]
        self._url, self._admin = f"{said['url']}/{_NAME}.git", said["admin"]
        commit_and_push(self.root / "work", self._url, {"lab.txt": "new\n", **_COURSE})

    @property
    def _database(self) -> str:
        return f"sqlite:///{self.root}/hub.sqlite"

    def _start_hub(self) -> None:
        nodes = tuple(f"node-{number}" for number in range(self.nodes))
        course = Course(_NAME, self._url, folder=_NAME)
        settings = Settings(courses=(course,), node_services=nodes, db_url=self._database)
        self._start(
            "hub",
            ["hub_plugin.serve"],
            {
                VARIABLE: settings.to_json(),
                "JUPYTERHUB_SERVICE_PREFIX": _PREFIX,
                "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{_HUB_PORT}",
                "JUPYTERHUB_API_URL": f"http://127.0.0.1:{_API_PORT}/hub/api",
                "JUPYTERHUB_API_TOKEN": "none",
                "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([_SCOPE]),
            },
        )
        end = time.monotonic() + PATIENCE_S
        while not _answers(f"http://127.0.0.1:{_HUB_PORT}{_PREFIX}health"):
            if self._processes["hub"].poll() is not None or time.monotonic() > end:
                sys.exit(f"the hub's service did not come up: {(self.root / 'hub.log').read_text()[-1000:]}")
            time.sleep(0.05)

    def _start_node(self, number: int) -> Path:
        folder = self.root / f"node{number}"
        folder.mkdir()
        (folder / "hub.token").write_text(f"token-{number}")
        (folder / "hub.token").chmod(0o600)
        (folder / "node.toml").write_text(
            f'store = "{folder}/store"\npoll_seconds = {POLL_S}\nhub = "http://127.0.0.1:{_HUB_PORT}"\n'
            f'hub_token_file = "hub.token"\n[[course]]\nname = "{_NAME}"\nremote = "{self._url}"\nbranch = "main"\n'
            f'token_file = "{self.root}/token"\n'
        )
        return self._start(f"node{number}", ["syncd", "node", "--config", folder / "node.toml"], on=number)

    def _start_students(self, number: int) -> list[Path]:
        folder, started = self.root / f"node{number}", []
        for student in range(1 + number % 2):
            view = folder / f"student{student}" / _NAME
            self.views.append(view)
            argv = ["syncd", "agent", "--node", folder / "store/node.sock", "--course", f"{_NAME}={view}"]
            environment = {"SYNCD_STATE": str(view.parent / "state")}
            started.append(self._start(f"agent{number}.{student}", [*argv, "--quiet", "0"], environment, number))
        return started

    def _start(
        self, name: str, module: Sequence[str | Path], environment: Mapping[str, str] | None = None, on: int = -1
    ) -> Path:
        ready = self.root / f"{name}.ready"
        argv = [sys.executable, "-m", *map(str, module)]
        argv += [] if name == "hub" else ["--ready-file", str(ready)]
        with open(self.root / f"{name}.log", "ab") as log:
            how: dict[str, Any] = {"stdout": log, "stderr": log, "env": {**os.environ, **(environment or {})}}
            self._processes[name] = (
                subprocess.Popen(argv, start_new_session=True, **how)
                if on < 0
                else self._machines.start(on, argv, **how)
            )
        return ready

    def _all_ready(self, files: Sequence[Path]) -> list[Any]:
        end = time.monotonic() + PATIENCE_S
        while not all(file.exists() for file in files):
            for name, process in self._processes.items():
                if process.poll() is not None:
                    sys.exit(f"{name} ended: {(self.root / f'{name}.log').read_text()[-1000:]}")
            if time.monotonic() > end:
                sys.exit("some of the nodes did not come up")
            time.sleep(0.02)
        return [json.loads(file.read_text()) for file in files]


def _shows(file: Path, word: str) -> bool:
    try:
        return file.read_text() == word
    except OSError:  # not there yet
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _play_hub_api(tokens: Sequence[str]) -> None:
    """The hub itself, as far as its service asks: whose token this is."""

    async def user(request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("token ")
        if token not in tokens:
            return web.json_response({}, status=403)
        return web.json_response({"kind": "service", "name": f"node-{tokens.index(token)}", "scopes": [_SCOPE]})

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/hub/api/user", user)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", _API_PORT).start()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()


def simulate(options: argparse.Namespace) -> dict[str, Any]:
    root = Path(tempfile.mkdtemp(prefix="nodes"))
    try:
        with Simulation(root, options.nodes) as all_nodes:
            out: dict[str, Any] = {"nodes": options.nodes, "views": len(all_nodes.views), "deliveries": DELIVERED}
            out |= all_nodes.rounds(options.pushes)
            all_nodes.kill_hub()
            out["hub_away"] = {"poll_s": POLL_S, **all_nodes.rounds(options.polled)}
            return out
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=36)
    parser.add_argument("--pushes", type=int, default=20)
    parser.add_argument("--polled", type=int, default=5)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("No simulation of several nodes: only root can give them network namespaces; run it as root.")
    elif (why := why_not()) is not None:
        print(f"No simulation of several nodes: {why}")
    elif _INSIDE not in os.environ:
        os.environ[_INSIDE] = "yes"
        # However it ends, no process and no mount is left of it.
        apart = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
        os.execvp("unshare", [*apart, sys.executable, "-m", "tests.bench.nodes_36", *sys.argv[1:]])
    else:
        print(json.dumps(simulate(options)), flush=True)


if __name__ == "__main__":
    main()
