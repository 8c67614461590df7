"""The folder's page: a sub-application of the publisher's control, under a path that only its reader knows.

`enter?code=` buys the session cookie, `` lists all folders, `folders/ID/` is one, `folders/ID/files` its files, their
versions and links, `folders/ID/history` what was done, `folders/ID/publish` what students get; `events` tells an open
page what changed (server-sent events), `folders/ID/do/ACTION` is a button.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from urllib.parse import quote

from aiohttp import web

from syncd.core.errors import SyncError
from syncd.page import files, history, words
from syncd.page.actions import act
from syncd.page.asking import Publisher, Unanswered
from syncd.page.drawing import Drawing, Piece
from syncd.page.guard import FORM, SESSION, Guard, add_headers
from syncd.page.pieces import of_all, of_one, of_releases
from syncd.page.sessions import CODE_S, SESSION_S, Sessions
from syncd.page.shown import Shown
from syncd.page.watching import Watching

__all__ = ["CODE_S", "Page"]

_HEARTBEATS = 8
_LOOK_S = 2.0
"""How often an open page's connection is looked at: who left counts no longer.  A sign of life goes out every 16 s."""
_ALL, _PUBLISH = "all", "publish-"
_MOST_READERS = 32
_LARGEST_FORM = 1 << 16
_BACK = re.compile(r"[\w/?=&%.~-]*", re.ASCII)


class Page:
    """The page over one publisher.  `host` (`127.0.0.1:PORT`) is set once the control listens."""

    def __init__(self, publisher: Publisher) -> None:
        self.prefix = f"/page/{secrets.token_urlsafe(16)}"
        self._base = f"{self.prefix}/"
        self._publisher, self._watching = publisher, Watching(publisher)
        self._sessions = Sessions()
        self._ending = asyncio.Event()
        self._guard = Guard(self._sessions, self._refuse, (f"{self._base}enter", f"{self._base}static/"))
        self.app = web.Application(middlewares=[self._guard.check], client_max_size=_LARGEST_FORM)
        self.app.on_response_prepare.append(add_headers)
        self.app.on_shutdown.append(self._end)
        self.app.add_routes(
            [
                web.get("/enter", self._enter, allow_head=False),
                web.get("/", self._all, allow_head=False),
                web.get("/events", self._events, allow_head=False),
                web.get("/static/{name}", self._static),
                web.get("/folders/{id}/", self._one, allow_head=False),
                web.get("/folders/{id}/files", self._files, allow_head=False),
                web.get("/folders/{id}/history", self._history, allow_head=False),
                web.get("/folders/{id}/publish", self._publish, allow_head=False),
                web.post("/folders/{id}/do/{action}", self._do),
            ]
        )

    @property
    def host(self) -> str:
        """Where the page is, as browsers say it."""
        return self._guard.host

    @host.setter
    def host(self, host: str) -> None:
        self._guard.host = host

    def entrance(self) -> str:
        """The path of a link that opens the page once, within `CODE_S` seconds."""
        return f"{self._base}enter?code={self._sessions.new_code()}"

    # pages

    async def _enter(self, request: web.Request) -> web.Response:
        session = self._sessions.enter(request.query.get("code", ""), request.cookies.get(self._guard.cookie, ""))
        if session is None:
            return self._refuse(403, words.USED)
        # Not a redirect: a Strict cookie would not go along if another site's page (a web terminal) held the link.
        answer = self._html("entering.html", {})
        answer.set_cookie(
            self._guard.cookie, session, max_age=int(SESSION_S), path=self._base, httponly=True, samesite="Strict"
        )
        return answer

    async def _all(self, request: web.Request) -> web.Response:
        with suppress(Unanswered):
            await self._watching.look()
        return self._live(request, "overview.html", of_all(self._watching.folders), _ALL)

    async def _one(self, request: web.Request) -> web.Response:
        folder = await self._folder(request)
        return self._live(request, "folder.html", of_one(folder), folder.id, folder=folder, part="now")

    async def _files(self, request: web.Request) -> web.Response:
        folder = await self._folder(request)
        asked = files.asked(request.query)
        try:
            found = await files.look(self._publisher, folder, asked)
        except SyncError as problem:
            found = files.Found(asked, problem=words.plain(str(problem)))
        return self._draw(request, "files.html", folder=folder, part="files", found=found)

    async def _history(self, request: web.Request) -> web.Response:
        folder = await self._folder(request)
        deeds: tuple[history.Deed, ...] = ()
        named: tuple[history.Checkpoint, ...] = ()
        problem = ""
        try:
            deeds, named = await history.look(self._publisher, folder)
        except SyncError as error:
            problem = words.plain(str(error))
        known = {"deeds": deeds, "checkpoints": named, "problem": problem}
        return self._draw(request, "history.html", folder=folder, part="history", **known)

    async def _publish(self, request: web.Request) -> web.Response:
        folder = await self._folder(request)
        of = f"{_PUBLISH}{folder.id}"
        return self._live(request, "publish.html", await self._pieces(of), of, folder=folder, part="publish")

    async def _pieces(self, of: str) -> list[Piece]:
        """The parts of a live page by its name in the stream; none if its folder is gone."""
        folders = self._watching.folders
        if of == _ALL:
            return of_all(folders)
        for folder in folders:
            if of == folder.id:
                return of_one(folder)
            if of == f"{_PUBLISH}{folder.id}":
                with suppress(Unanswered):
                    return of_releases(await self._watching.releases(folder))
        return []

    async def _folder(self, request: web.Request) -> Shown:
        with suppress(Unanswered):
            await self._watching.look()
        for folder in self._watching.folders:
            if folder.id == request.match_info["id"]:
                return folder
        raise web.HTTPNotFound

    async def _static(self, request: web.Request) -> web.Response:
        found = self._drawing.static.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        kept = {"Cache-Control": "private, max-age=31536000, immutable"}
        return web.Response(body=found.content, content_type=found.type, charset="utf-8", headers=kept)

    # buttons

    async def _do(self, request: web.Request) -> web.Response:
        form = request[FORM].copy()
        back = form.pop("back", "")
        try:
            said = await act(self._publisher, request.match_info["id"], request.match_info["action"], form)
            problem = said is None
            sentence = said if said is not None else words.NOT_FOUND
        except SyncError as error:
            sentence, problem = words.plain(str(error)), True
        with suppress(Unanswered):
            await self._watching.look()
        if "application/json" in request.headers.get("Accept", ""):
            return web.json_response({"sentence": sentence}, status=409 if problem else 200)
        self._sessions.say(request[SESSION], sentence)
        where = back if _BACK.fullmatch(back) and not back.startswith("/") else ""
        return web.Response(status=303, headers={"Location": self._base + where})

    # live

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._watching.readers >= _MOST_READERS:
            return self._refuse(503, words.FULL)
        csrf, of = self._sessions.csrf(request[SESSION]), request.query.get("of", _ALL)
        stream = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        stream.content_type = "text/event-stream"
        sent: dict[str, str] = {}
        # The reader may go at any time.
        with suppress(ConnectionError):
            await stream.prepare(request)
            async with self._watching.reading():
                while not self._ending.is_set():
                    event = await self._event(of, csrf, sent)
                    if event:
                        await stream.write(event)
                    for _ in range(_HEARTBEATS):
                        if await self._watching.news(_LOOK_S) or self._ending.is_set():
                            break
                        if request.transport is None:
                            return stream
                    else:
                        await stream.write(b": still here\n\n")
        return stream

    async def _event(self, of: str, csrf: str, sent: dict[str, str]) -> bytes:
        """What a reader must redraw; notes it as sent."""
        drawn = {piece.id: self._drawing.piece(piece, csrf) for piece in await self._pieces(of)}
        news = {id: html for id, html in drawn.items() if sent.get(id) != html}
        if not news and list(sent) == list(drawn):
            return b""
        sent.clear()
        sent.update(drawn)
        return f"event: news\ndata: {json.dumps({'order': list(drawn), 'pieces': news})}\n\n".encode()

    async def _end(self, _: web.Application) -> None:
        self._ending.set()
        self._watching.wake()

    # drawing

    @cached_property
    def _drawing(self) -> Drawing:
        return Drawing(self._base)

    def _live(
        self, request: web.Request, template: str, pieces: Sequence[Piece], of: str, **values: object
    ) -> web.Response:
        csrf = self._sessions.csrf(request[SESSION])
        drawn = [self._drawing.piece(piece, csrf) for piece in pieces]
        return self._draw(request, template, pieces=drawn, stream=f"events?of={quote(of)}", **values)

    def _draw(self, request: web.Request, template: str, **values: object) -> web.Response:
        session = request[SESSION]
        known = {"csrf": self._sessions.csrf(session), "said": self._sessions.said(session)}
        return self._html(template, known | values)

    def _html(self, template: str, values: Mapping[str, object], status: int = 200) -> web.Response:
        return web.Response(status=status, text=self._drawing.draw(template, values), content_type="text/html")

    def _refuse(self, status: int, sentence: str) -> web.Response:
        return self._html("refused.html", {"sentence": sentence}, status)
