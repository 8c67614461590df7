"""Stand-ins for publisher and node: real servers that answer in the agreed forms, whatever a test has them say."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web


def commit(number: int) -> str:
    return f"{number:040x}"


def folder(**said: Any) -> dict[str, Any]:
    return {
        "id": "f1",
        "folder": "/home/ann/ds8",
        "remote": "https://example.org/ann/ds8.git",
        "branch": "main",
        "state": "up_to_date",
        "sentence": "Up to date.",
        "commit": commit(37),
        "remote_commit": commit(37),
        "waiting": [],
        "recent": [
            {
                "commit": commit(n),
                "time": time.time() - 60 * (38 - n),
                "message": f"Update lab {n}",
                "files": 2,
                "number": n,
            }
            for n in range(37, 0, -1)
        ],
    } | said


def course(**said: Any) -> dict[str, Any]:
    return {
        "name": "ds8",
        "remote": "https://example.org/ann/ds8.git",
        "branch": "main",
        "state": "up_to_date",
        "sentence": "Up to date.",
        "commit": commit(37),
        "ready_at": time.time() - 60,
        "fetches": 3,
        "files": 120,
        "left_out": [],
    } | said


def view(name: str, **said: Any) -> dict[str, Any]:
    return {
        "user": name,
        "course": "ds8",
        "kind": "overlay",
        "root": f"/home/{name}/ds8",
        "commit": commit(37),
        "waiting": [],
        "state": "up_to_date",
        "sentence": "Up to date.",
        "updated_at": time.time() - 30,
        "notes": [],
    } | said


class StandIn:
    """A status server that can go away and come back."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        self.asked = 0
        self.body: bytes | None = None
        self.runner: web.AppRunner | None = None

    async def status(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = json.dumps(self.said).encode() if self.body is None else self.body
        return web.Response(body=body, content_type="application/json")

    async def listen(self, site: Callable[[web.AppRunner], web.BaseSite]) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/v1/status", self.status)
        self.runner = web.AppRunner(app, shutdown_timeout=0)
        await self.runner.setup()
        await site(self.runner).start()
        return self.runner

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None


class PublisherStandIn(StandIn):
    def __init__(self, state: Path) -> None:
        super().__init__({"folders": [folder()]})
        self.state = state
        self.token = "not-a-secret-1"

    async def status(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized
        return await super().status(request)

    async def start(self) -> None:
        runner = await self.listen(lambda runner: web.TCPSite(runner, "127.0.0.1", 0))
        self.say_where(f"http://127.0.0.1:{runner.addresses[0][1]}")

    def say_where(self, url: str, token: str | None = None) -> None:
        self.state.mkdir(exist_ok=True)
        (self.state / "control.json").write_text(json.dumps({"url": url, "token": token or self.token}))


class NodeStandIn(StandIn):
    def __init__(self, socket: Path) -> None:
        super().__init__({"courses": [course()], "views": [view("ada"), view("ben"), view("chi")]})
        self.socket = socket

    async def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        await self.listen(lambda runner: web.UnixSite(runner, str(self.socket)))
