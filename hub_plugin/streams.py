"""Telling an open page of the hub what changes, for as long as its reader may see it."""

import asyncio
import secrets
import time
from collections.abc import Callable

from aiohttp import web

from hub_plugin import words
from hub_plugin.context import admit, context_key, token_key, visitor_key
from hub_plugin.login import NotAllowed
from hub_plugin.service import HEARTBEAT_S, MOST_READERS
from hub_plugin.shelf import Place
from syncd.core.errors import TryAgain

_UNHEARD_S = 1.0


async def stream(request: web.Request, place: Callable[[], Place | None]) -> web.StreamResponse:
    """Tell an open page what changes, until it closes or its reader may no longer see it.

    Some proxies keep an answer back until it has ended.  A page that hears the first event says so; a stream that
    nobody is heard to hear ends after a second, and the page asks again: slower, but it works.
    """
    context = request.app[context_key]
    if name := request.query.get("heard", "")[:64]:
        await context.events.tell("heard", name)
        return web.Response(status=204)
    admit(context.listens, request[visitor_key].name, 5)
    if context.watcher.readers >= MOST_READERS * 8:
        raise web.HTTPServiceUnavailable(text=words.FULL)
    answer = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    answer.content_type = "text/event-stream"
    name, heard = secrets.token_urlsafe(12), asyncio.Event()
    context.hearing[name] = heard
    # The reader may go at any time; its next request says what it has seen.
    try:
        await answer.prepare(request)
        await answer.write(f"retry: 1000\nevent: hello\ndata: {name}\n\n".encode())
        await _tell(request, answer, place, heard)
    except ConnectionError:
        pass
    finally:
        del context.hearing[name]
    return answer


async def _tell(
    request: web.Request, answer: web.StreamResponse, place: Callable[[], Place | None], heard: asyncio.Event
) -> None:
    context = request.app[context_key]
    seen = request.headers.get("Last-Event-ID") or request.query.get("since", "")
    unheard_until = time.monotonic() + _UNHEARD_S
    async with context.watcher.audience():
        while not context.ending.is_set():
            if (now := place()) is None or not await _welcome(request):
                return
            if seen != now.board.version:
                await answer.write(now.patches.event(seen))
                seen = now.board.version
                continue
            left = unheard_until - time.monotonic()
            if not heard.is_set() and left <= 0:
                return
            if not await context.watcher.board.news(HEARTBEAT_S if heard.is_set() else left) and heard.is_set():
                await answer.write(b": still here\n\n")


async def _welcome(request: web.Request) -> bool:
    """Whether the reader still is who they were when the page was opened, as far as the hub can say."""
    try:
        context = request.app[context_key]
        visitor = await context.hub.visitor(request[token_key])
        if visitor == request[visitor_key]:
            context.starting.note(visitor)
            return True
        return False
    except NotAllowed:
        return False
    except TryAgain:
        return True  # the hub is away for a moment, and what it last said counts
