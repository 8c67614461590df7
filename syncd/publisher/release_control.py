"""The control's part about students, releases and checkpoints; same token and checks as all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser, SyncError
from syncd.publisher.asked import Asked
from syncd.publisher.control_answers import UNKNOWN, Now, body_of, say
from syncd.publisher.students_setup import Wish, end_students, set_students, way_of

_Body = dict[str, Any]
_LONGEST_MESSAGE = 10_000


class Asks(Protocol):
    """A folder that can be asked."""

    asked: Asked


def release_routes(state: Path, folders: Now[Asks]) -> Sequence[web.RouteDef]:
    """All routes below /v1/folders/{id} that are handled here."""

    def route(method: str, path: str, work: Callable[[Asked, web.Request, _Body], Awaitable[_Body]]) -> web.RouteDef:
        async def handle(request: web.Request) -> web.Response:
            folder = (await folders()).get(request.match_info["id"])
            if folder is None:
                return say(404, UNKNOWN)
            try:
                return web.json_response(await work(folder.asked, request, await body_of(request)))
            except SyncError as problem:
                return say(409, str(problem))

        return web.route(method, f"/v1/folders/{{id}}/{path}", handle)

    async def students(_: Asked, request: web.Request, body: _Body) -> _Body:
        id = request.match_info["id"]
        if body.get("off") is True:
            return {"sentence": await asyncio.to_thread(end_students, state, id)}
        wish = Wish(_text(body, "branch"), _text(body, "remote"), way_of(_text(body, "way")))
        return {"sentence": await asyncio.to_thread(set_students, state, id, wish)}

    return [
        route("GET", "releases", lambda asked, *_: asked.releases()),
        route("POST", "publish", _publish),
        route("POST", "undo", lambda asked, _, body: asked.undo(_text(body, "release"))),
        route("DELETE", "releases/{plan}", lambda asked, request, _: asked.cancel(request.match_info["plan"])),
        route("POST", "releases/{plan}/cancel", lambda asked, request, _: asked.cancel(request.match_info["plan"])),
        route("GET", "checkpoints", lambda asked, *_: asked.checkpoints()),
        route("POST", "checkpoints", _checkpoint),
        route("POST", "students", students),
    ]


async def _publish(asked: Asked, _: web.Request, body: _Body) -> _Body:
    paths = body.get("paths") or []
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise NeedsUser("“paths” is a list of paths in the folder.")
    return await asked.publish(inside_paths(paths), _text(body, "at"), _message(body), _text(body, "from"))


async def _checkpoint(asked: Asked, _: web.Request, body: _Body) -> _Body:
    name = _text(body, "name")
    if name is None:
        raise NeedsUser("Give the checkpoint a name, like week-3.")
    return await asked.checkpoint(name, _message(body))


def inside_paths(paths: Sequence[str]) -> list[RelPath]:
    """Paths as the folder has them; none at all where the folder itself is among them.  NeedsUser for others."""
    found: list[RelPath] = []
    for path in paths:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts:
            raise NeedsUser(f"“{path}” does not lie in this folder: give paths below it.")
        if not parts:
            return []
        found.append(RelPath("/".join(parts)))
    return sorted(set(found))


def _message(body: _Body) -> str:
    text = _text(body, "message") or ""
    if len(text) > _LONGEST_MESSAGE:
        raise NeedsUser("The message is too long: say it in a few lines.")
    return "".join(c for c in text if c.isprintable() or c == "\n").strip()


def _text(body: _Body, name: str) -> str | None:
    found = body.get(name)
    if found is not None and not isinstance(found, str):
        raise NeedsUser(f"“{name}” is a text.")
    return found or None
