"""The publisher's control: HTTP on loopback for this user's own programs, with a bearer token.

Address and token lie in `control.json` in the state folder, which only its owner may read.
"""

import asyncio
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from syncd.core.entry import RelPath
from syncd.core.errors import SyncError
from syncd.core.links import hub_address
from syncd.metrics.listener import Observed, metrics_routes
from syncd.page.app import Page
from syncd.publisher.asked import Asked
from syncd.publisher.control_answers import UNKNOWN, Now, body_of, path_of, say
from syncd.publisher.conversation import Answer
from syncd.publisher.guard_control import guard_routes
from syncd.publisher.inside import Inside
from syncd.publisher.past import Deed, Listed, Past
from syncd.publisher.release_control import release_routes
from syncd.publisher.remove import remove_folder
from syncd.publisher.state_file import write_private
from syncd.publisher.token_control import token_routes


class Steered(Protocol):
    """What can be done to a folder from outside."""

    asked: Asked

    def status(self) -> Mapping[str, Any]: ...  # noqa: D102
    def hint(self) -> None: ...  # noqa: D102
    def pause(self) -> None: ...  # noqa: D102
    def resume(self, answer: Answer = Answer.BOTH) -> None: ...  # noqa: D102
    async def listing(self, path: RelPath) -> list[Listed]: ...  # noqa: D102
    async def log(self, path: RelPath | None, limit: int) -> list[Deed]: ...  # noqa: D102
    async def versions(self, path: RelPath) -> list[Past]: ...  # noqa: D102
    def guards_of(self, path: RelPath) -> list[str]: ...  # noqa: D102
    async def restore(self, path: RelPath | None, version: str | None) -> str: ...  # noqa: D102


class Hubs(Protocol):
    """Keeps the address of each folder's hub."""

    def hub(self, id: str) -> str: ...  # noqa: D102
    def set_hub(self, id: str, hub: str) -> None: ...  # noqa: D102


class Control:
    """Serves the folders that `folders` names at each request."""

    def __init__(
        self,
        state: Path,
        folders: Now[Steered],
        keep: Callable[[str, bool], None],
        hubs: Hubs,
        observed: Observed,
    ) -> None:
        """`keep` notes durably that a folder is paused, or not; `observed` is what /metrics shows."""
        self._file = state / "control.json"
        self._folders, self._keep, self._hubs = folders, keep, hubs
        self._state, self._observed = state, observed
        self._token = secrets.token_urlsafe(32)
        self._runner: web.AppRunner | None = None
        self._inside = Inside(self._token)
        self._page = Page(self._inside)
        self.url = ""

    async def start(self) -> str:
        """Listen on a free port of loopback; the address."""
        app = web.Application(middlewares=[self._check], client_max_size=1 << 16)
        app.add_routes(
            [
                web.get("/v1/status", self._status),
                web.post("/v1/hint", self._hint),
                web.post("/v1/folders/{id}/{what:pause|resume}", self._pause),
                web.post("/v1/folders/{id}/remove", self._remove),
                web.get("/v1/folders/{id}/files", self._files),
                web.get("/v1/folders/{id}/hub", self._hub),
                web.post("/v1/folders/{id}/hub", self._hub),
                web.get("/v1/folders/{id}/log", self._log),
                web.get("/v1/folders/{id}/versions", self._versions),
                web.post("/v1/folders/{id}/restore", self._restore),
                web.post("/v1/page", self._open_page),
            ]
        )
        app.add_routes(release_routes(self._state, self._folders))
        app.add_routes(guard_routes(self._state, self._folders))
        app.add_routes(token_routes(self._state, self._folders))
        app.add_routes(metrics_routes(self._observed, lambda _: True))  # whoever gets here has shown the token
        app.add_subapp(self._page.prefix, self._page.app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._host = f"127.0.0.1:{self._runner.addresses[0][1]}"
        self.url = f"http://{self._host}"
        self._inside.url, self._page.host = self.url, self._host
        write_private(self._file, json.dumps({"url": self.url, "token": self._token}))
        return self.url

    async def close(self) -> None:
        """Stop listening."""
        self._file.unlink(missing_ok=True)
        await self._inside.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _check(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if self._page.app in request.match_info.apps:  # it has checks of its own
            return await self._handled(request, handler)
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            return say(401, "This needs the token in control.json.")
        # A web page that made a browser call us has another Host (DNS rebinding) or an Origin.
        if request.headers.get("Host") != self._host or "Origin" in request.headers:
            return say(403, "Only this user's own programs may ask.")
        return await self._handled(request, handler)

    @staticmethod
    async def _handled(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _open_page(self, _: web.Request) -> web.Response:
        return web.json_response({"url": self.url + self._page.entrance()})

    async def _files(self, request: web.Request) -> web.Response:
        folder = (await self._folders()).get(request.match_info["id"])
        if folder is None:
            return say(404, UNKNOWN)
        try:
            found = await folder.listing(path_of(request))
        except SyncError as problem:
            return say(409, str(problem))
        return web.json_response({"files": [asdict(each) for each in found]})

    async def _hub(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if id not in await self._folders():
            return say(404, UNKNOWN)
        if request.method == "POST":
            given = (await body_of(request)).get("hub")
            if not isinstance(given, str):
                return say(400, "“hub” is a text.")
            try:
                await asyncio.to_thread(self._hubs.set_hub, id, hub_address(given))
            except SyncError as problem:
                return say(409, str(problem))
        return web.json_response({"hub": await asyncio.to_thread(self._hubs.hub, id)})

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response({"folders": [folder.status() for folder in (await self._folders()).values()]})

    async def _hint(self, request: web.Request) -> web.Response:
        asked = await body_of(request)
        remote = asked.get("remote")
        for folder in (await self._folders()).values():
            if remote is None or folder.status()["remote"] == remote:
                folder.hint()
        return web.json_response({}, status=202)

    async def _log(self, request: web.Request) -> web.Response:
        folder = (await self._folders()).get(request.match_info["id"])
        if folder is None:
            return say(404, UNKNOWN)
        limit = request.query.get("limit", "30")
        if not limit.isdecimal() or not 0 < int(limit) <= 1000:
            return say(400, "“limit” is a number from 1 to 1000.")
        try:
            found = await folder.log(path_of(request) or None, int(limit))
        except SyncError as problem:
            return say(409, str(problem))
        return web.json_response({"log": [asdict(each) for each in found]})

    async def _versions(self, request: web.Request) -> web.Response:
        folder = (await self._folders()).get(request.match_info["id"])
        if folder is None:
            return say(404, UNKNOWN)
        try:
            found = await folder.versions(path_of(request))
        except SyncError as problem:
            return say(409, str(problem))
        return web.json_response({"versions": [asdict(each) for each in found]})

    async def _restore(self, request: web.Request) -> web.Response:
        folder = (await self._folders()).get(request.match_info["id"])
        if folder is None:
            return say(404, UNKNOWN)
        body = await body_of(request)
        path, version = body.get("path") or None, body.get("version") or None
        if not all(part is None or isinstance(part, str) for part in (path, version)):
            return say(400, "“path” and “version” are texts.")
        try:
            return web.json_response({"sentence": await folder.restore(RelPath(path) if path else None, version)})
        except SyncError as problem:
            return say(409, str(problem))

    async def _remove(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if id not in await self._folders():
            return say(404, UNKNOWN)
        try:
            sentence = await asyncio.to_thread(remove_folder, self._state, id)
        except SyncError as problem:
            return say(409, str(problem))
        await self._folders()  # lets go of it now
        return web.json_response({"sentence": sentence})

    async def _pause(self, request: web.Request) -> web.Response:
        id, what = request.match_info["id"], request.match_info["what"]
        folder = (await self._folders()).get(id)
        if folder is None:
            return say(404, UNKNOWN)
        if what == "pause":
            await asyncio.to_thread(self._keep, id, True)
            folder.pause()
        else:
            try:
                answer = Answer((await body_of(request)).get("keep", "both"))
            except ValueError:
                return say(400, "“keep” is one of both, mine, theirs.")
            await asyncio.to_thread(self._keep, id, False)
            folder.resume(answer)
        return web.json_response(folder.status())
