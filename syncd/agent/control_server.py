"""The server behind an agent's control socket, loaded with the first question."""

import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from syncd.agent.control import Controlled
from syncd.core.errors import NeedsUser, SyncError

_log = logging.getLogger(__name__)


async def served(listener: socket.socket, agent: Controlled) -> web.AppRunner:
    """Answer at a socket that listens; who called clears up what is returned."""
    app = web.Application(client_max_size=1 << 16, middlewares=[_same_user, _in_sentences])

    async def status(_: web.Request) -> web.Response:
        return web.json_response({"views": agent.status()})

    async def restore(request: web.Request) -> web.Response:
        said = await _object(request)
        return web.json_response({"sentence": await agent.restore(_text(said, "course"), _text(said, "path"))})

    async def update(request: web.Request) -> web.Response:
        said = await _object(request)
        course = _text(said, "course") if said.get("course") is not None else None
        return web.json_response({"sentence": await agent.update(course)})

    async def pause(request: web.Request) -> web.Response:
        said = await _object(request)
        return web.json_response(
            {"sentence": await agent.pause(_text(said, "course"), said.get("paused") is not False)}
        )

    async def follow(request: web.Request) -> web.Response:
        said = await _object(request)
        root = Path(_text(said, "root"))
        return web.json_response({"sentence": await agent.follow(_text(said, "course"), root)})

    async def changes(request: web.Request) -> web.Response:
        return web.json_response(await agent.changes(_text(await _object(request), "course")))

    async def compare(request: web.Request) -> web.Response:
        said = await _object(request)
        version = _text(said, "version") if said.get("version") else ""
        return web.json_response(await agent.compare(_text(said, "course"), _text(said, "path"), version))

    asked = {each.__name__: each for each in (restore, update, pause, follow, changes, compare)}
    app.add_routes([web.get("/v1/status", status), *(web.post(f"/v1/{name}", do) for name, do in asked.items())])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        said = await request.json() if request.can_read_body else {}
    except ValueError as problem:
        raise NeedsUser("The request must be JSON.") from problem
    if not isinstance(said, dict):
        raise NeedsUser("The request must be a JSON object.")
    return said


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise NeedsUser(f"The request must say its {key}.")
    return value


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _same_user(request: web.Request, handler: _Handler) -> web.StreamResponse:
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    if hasattr(socket, "SO_PEERCRED"):
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, os.getuid()):
            return web.Response(status=403, text="These folders are another person's.")
    return await handler(request)


@web.middleware
async def _in_sentences(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except SyncError as problem:
        return web.Response(status=409, text=str(problem))
    except OSError as problem:
        _log.warning("%s", problem, exc_info=problem)
        return web.Response(status=500, text=f"The folder can't be reached ({problem.strerror}); try again.")
