"""Telling nodes on other machines at once that a course may have a new commit.

Each node keeps one request open to the service (`GET api/v1/nodes/events`), so that nothing needs to reach it from
outside.  It gets a JSON object a line: first {"heartbeat_s"}, then a course with what the push said of it, and `{}`
when nothing happened for that long.  A line is a hint only: a node that misses one looks when it comes back, or polls.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from hub_plugin import words
from syncd.core.delivery import Push
from syncd.core.errors import TryAgain

HEARTBEAT_S = 15.0
_MOST, _MOST_OF_ONE = 1_000, 64
_SLOWEST_READER_S = 10.0
_SILENT_PEER_MS = 45_000

Welcome = Callable[[], Awaitable[bool]]
"""Whether the node's token still is what it was."""


class FanOut:
    """The nodes that listen to this replica of the service; each has a task of its own, so that none delays another."""

    def __init__(self) -> None:
        self._listening: list[_Listening] = []
        self._ending = False

    def tell(self, course: str, push: Push) -> None:
        """Hint at a course.  What a node was not told of it yet is told together: the newest counts."""
        for each in self._listening:
            each.pending[course] = push
            each.news.set()

    def end(self) -> None:
        """Have all of them come again later."""
        self._ending = True
        for each in self._listening:
            each.news.set()

    async def serve(self, request: web.Request, name: str, welcome: Welcome) -> web.StreamResponse:
        """Tell one node of the service `name`, until it goes or is not welcome any more."""
        if len(self._listening) >= _MOST:
            raise web.HTTPServiceUnavailable(text=words.FULL)
        # Of a node whose network went away the old request may still seem open: the newest are those that count.
        same = [each for each in self._listening if each.name == name]
        for each in same[: max(0, len(same) + 1 - _MOST_OF_ONE)]:
            each.replaced = True
            each.news.set()
        answer = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        answer.content_type = "application/jsonl"
        mine = _Listening(name)
        self._listening.append(mine)
        try:
            with suppress(ConnectionError, TimeoutError):
                await answer.prepare(request)
                _give_up_on_the_silent(request)
                await self._tell(mine, answer, welcome)
        finally:
            self._listening.remove(mine)
        return answer

    async def _tell(self, mine: "_Listening", answer: web.StreamResponse, welcome: Welcome) -> None:
        await _write(answer, {"heartbeat_s": HEARTBEAT_S})
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await mine.news.wait()
            mine.news.clear()
            if self._ending or mine.replaced:
                return  # whoever comes again looks, so nothing is lost
            told, mine.pending = mine.pending, {}
            for course, push in told.items():
                await _write(answer, {"course": course, "branch": push.branch, "commit": push.commit})
            if not told:
                try:
                    if not await welcome():
                        return
                except TryAgain:
                    pass  # the hub is away for a moment; that is no reason to lose the nodes
                await _write(answer, {})


class _Listening:
    def __init__(self, name: str) -> None:
        self.name, self.replaced = name, False
        self.news = asyncio.Event()
        self.pending: dict[str, Push] = {}


def said_of(course: str, push: Push) -> str:
    """A push in words for other replicas of the service."""
    return json.dumps([course, push.branch, push.commit])


def heard_of(said: str) -> tuple[str, Push]:
    """The same, read.  ValueError if it is something else."""
    course, branch, commit = json.loads(said)
    return str(course), Push(branch, commit)


async def _write(answer: web.StreamResponse, said: object) -> None:
    """TimeoutError if the node does not read."""
    async with asyncio.timeout(_SLOWEST_READER_S):
        await answer.write(json.dumps(said).encode() + b"\n")


def _give_up_on_the_silent(request: web.Request) -> None:
    """A node whose network went away says nothing more; without this its connection would stay for long minutes."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_PEER_MS)
