"""Taking in webhooks: checked, answered at once, and told to the nodes; many for one course become one or two hints."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web

from hub_plugin import words
from hub_plugin.delivery_log import DeliveryLog
from hub_plugin.events import Events
from hub_plugin.fan_out import FanOut, heard_of, said_of
from hub_plugin.rate import Rate
from hub_plugin.sources import Node
from syncd.core.delivery import Deliveries, Push, read_delivery
from syncd.core.errors import SyncError

LARGEST_BODY = 1 << 20
_WAITING_NOTES = 1_000
_REMEMBERED_S = 3_600
"""How long a delivery that one replica has taken is one seen before for the others."""
_log = logging.getLogger("hub_plugin")


class Webhooks:
    """Receives deliveries; hints and the log are seen to by tasks of its own."""

    def __init__(
        self,
        log: DeliveryLog,
        node: Node | None,
        fan_out: FanOut,
        is_course: Callable[[str], Awaitable[bool]],
        events: Events,
    ) -> None:
        """`node`: that of this machine; those elsewhere listen to `fan_out`."""
        self.log = log
        self._node, self._fan_out, self._is_course, self._events = node, fan_out, is_course, events
        events.on("hint", self._hear)
        self._seen = Deliveries()
        self._refusals = Rate(burst=5, per_minute=5)
        """How many refusals get into the log: anybody can send them."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._hinting: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    async def receive(self, course: str, request: web.Request) -> web.Response:
        """One delivery.  The answer to a wrong signature and to a course that there is not is the same."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text=words.WEBHOOK_TOO_LARGE)
        secret = await self.log.secret(course) if await self._is_course(course) else ""
        delivery = read_delivery(request.headers, body, secret)
        digest = hashlib.sha256(body).digest()
        if delivery is None:
            if secret and self._refusals.allows(course):
                self._note(course, "", "refused", words.WEBHOOK_REFUSED, None, None, digest)
            return web.Response(status=403, text=words.WEBHOOK_REFUSED)
        if delivery.push is None:
            self._note(course, delivery.form, "other", words.WEBHOOK_OTHER, None, None, digest)
        elif not await self._is_new(f"{course} {delivery.id} {digest.hex()}"):
            self._note(course, delivery.form, "again", words.WEBHOOK_AGAIN, None, None, digest)
        else:
            push = delivery.push
            self._note(course, delivery.form, "taken", words.WEBHOOK_TAKEN, push.branch, push.commit, digest)
            self._run(self._events.tell("hint", said_of(course, push)))
        return web.Response(status=202, text=words.WEBHOOK_TAKEN)

    async def replay(self, course: str) -> None:
        """Have all nodes look once more."""
        await self._events.tell("hint", said_of(course, Push(None, None)))

    def _hear(self, said: str) -> None:
        """A push that this replica of the service took, or another one."""
        course, push = heard_of(said)
        self._fan_out.tell(course, push)
        self._hint(course)

    def _hint(self, course: str) -> None:
        """Tell the node soon; what is told while a hint is on its way is told once more after it, and once only."""
        if course in self._hinting:
            self._again.add(course)
            return
        task = self._hinting[course] = asyncio.create_task(self._tell(course))
        task.add_done_callback(lambda _: self._hinting.pop(course, None))

    async def _is_new(self, name: str) -> bool:
        return self._seen.is_new(name) and await self._events.first(name, _REMEMBERED_S)

    async def close(self) -> None:
        """Let what is under way come to its end."""
        tasks = {*self._tasks, *self._hinting.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=2)

    async def _tell(self, course: str) -> None:
        while True:
            self._again.discard(course)
            try:
                if self._node is not None:
                    await self._node.hint(course)
            except SyncError as problem:
                _log.warning("%s: a webhook came, but the node did not take it: %s", course, problem)
                self._note(course, "", "failed", str(problem), None, None, b"\0" * 32)
            if course not in self._again:
                return

    def _note(self, *said: object) -> None:
        if len(self._tasks) < _WAITING_NOTES:  # whoever floods us gets no place in memory for it
            self._run(self.log.note(*said))  # type: ignore[arg-type]

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
