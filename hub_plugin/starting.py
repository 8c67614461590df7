"""Students whose server runs without their folders: they are started again when the student looks, or it says why not.

A server starts also if its folders can't be had (`hooks.py`).  What was wrong then is in the hub's log, and may have
passed since.
"""

import asyncio
from collections.abc import Callable, Sequence

from hub_plugin.agents import Agents
from hub_plugin.courses import Course, Visitor
from hub_plugin.rate import Rate
from syncd.core.errors import SyncError


class Starting:
    """Who has a server that runs, and what came of starting their folders."""

    def __init__(self, agents: Agents | None, changed: Callable[[str], None]) -> None:
        """`agents`: None where nobody here starts any.  `changed` hears of whom there is something else to say."""
        self._agents, self._changed = agents, changed
        self._running: dict[str, str] = {}
        self._rate = Rate(burst=1, per_minute=3)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, visitor: Visitor) -> None:
        """Whether their server runs, as the hub says now."""
        if self._agents is not None and visitor.serving != (visitor.name in self._running):
            if visitor.serving:
                self._running[visitor.name] = ""
            else:
                del self._running[visitor.name]
            self._changed(visitor.name)

    def begin(self, user: str, courses: Sequence[Course]) -> None:
        """Start their folders, if a server of theirs runs without, unless that was tried a moment ago."""
        if user in self._running and user not in self._tasks and self._rate.allows(user):
            task = self._tasks[user] = asyncio.create_task(self._start(user, courses))
            task.add_done_callback(lambda _: self._tasks.pop(user, None))

    def of(self, user: str) -> str | None:
        """Why a running server has no folders, '' while that is not known; None if none runs."""
        return self._running.get(user)

    async def close(self) -> None:
        """End what is under way: an agent that started goes on."""
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _start(self, user: str, courses: Sequence[Course]) -> None:
        assert self._agents is not None
        said = ""
        try:
            await self._agents.ensure(user, courses)
        except SyncError as problem:
            said = str(problem)
        if self._running.get(user, said) != said:
            self._running[user] = said
            self._changed(user)
