"""The page's server: read-only, on loopback, under the names of this computer only.

`/` is the page; `/events` tells an open page what changed (server-sent events); `/static/` holds what the page loads.
Addresses in the page are relative, so that it can stand below any prefix.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from hub_plugin import words
from hub_plugin.cleaned import remote_without_secrets
from hub_plugin.live import Board
from hub_plugin.pages import Pages, Patches
from hub_plugin.sources import Source
from hub_plugin.watch import Watcher

HEARTBEAT_S = 15.0
MOST_READERS = 256

HEADERS = {
    # No inline script or style anywhere; what a template forgot to escape would still not run.
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

# Another site can point a name of its own at 127.0.0.1; its page must not read ours (DNS rebinding).
_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_pages = web.AppKey("pages", Pages)
_watcher = web.AppKey("watcher", Watcher)
_git_url = web.AppKey("git_url", str)
_ending = web.AppKey("ending", asyncio.Event)
_patches = web.AppKey("patches", Patches)


def make_app(publisher: Source | None, node: Source | None, git_url: str = "") -> web.Application:
    """The page over these sources, which it closes when it ends."""
    app = web.Application(middlewares=[_guarded])
    board, app[_pages] = Board(), Pages()
    app[_watcher] = Watcher(publisher, node, board)
    app[_patches] = Patches(app[_pages], board)
    app[_git_url] = remote_without_secrets(git_url)
    app[_ending] = asyncio.Event()
    app.cleanup_ctx.append(_watching)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_end_streams)
    app.router.add_get("/", _page)
    app.router.add_get("/events", _events, allow_head=False)
    app.router.add_get("/static/{name}", _static)
    return app


async def _page(request: web.Request) -> web.Response:
    watcher = request.app[_watcher]
    await watcher.refresh()
    html = request.app[_pages].page(watcher.board, request.app[_git_url], time.time())
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})


async def _static(request: web.Request) -> web.Response:
    return static_file(request.app[_pages], request.match_info["name"])


def static_file(pages: Pages, name: str) -> web.Response:
    """A file beside the page, which a browser may keep for ever."""
    found = pages.static.get(name)
    if found is None:
        raise web.HTTPNotFound
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return web.Response(body=found.content, content_type=found.type, charset="utf-8", headers=kept)


async def _events(request: web.Request) -> web.StreamResponse:
    app = request.app
    watcher, ending = app[_watcher], app[_ending]
    if watcher.readers >= MOST_READERS:
        raise web.HTTPServiceUnavailable(text=words.FULL)
    stream = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    stream.content_type = "text/event-stream"
    seen = request.headers.get("Last-Event-ID") or request.query.get("since", "")
    # The reader may go at any time; its next request says what it has seen.
    with suppress(ConnectionError):
        await stream.prepare(request)
        await stream.write(b"retry: 1000\n\n")
        async with watcher.audience():
            while not ending.is_set():
                if seen != watcher.board.version:
                    now = watcher.board.version
                    await stream.write(app[_patches].event(seen))
                    seen = now
                elif not await watcher.board.news(HEARTBEAT_S) and not ending.is_set():
                    await stream.write(b": still here\n\n")
    return stream


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not _LOOPBACK_HOST.fullmatch(request.headers.get("Host", "")):
        return web.Response(status=403, text=words.BAD_HOST)
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text=words.NOT_FOUND)
    except web.HTTPMethodNotAllowed as error:
        return web.Response(status=405, text=words.ONLY_GET, headers={"Allow": error.headers["Allow"]})


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers.popall("Server", None)


async def _watching(app: web.Application) -> AsyncIterator[None]:
    looking = asyncio.create_task(app[_watcher].run())
    yield
    looking.cancel()
    await asyncio.wait({looking})
    await app[_watcher].close()


async def _end_streams(app: web.Application) -> None:
    app[_ending].set()
    app[_watcher].board.wake()
