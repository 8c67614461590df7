"""The agent of one student: a small process that keeps the student's folders, without rights, keys or network."""

import asyncio
import contextlib
import functools
import logging
import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from syncd.agent.alone import alone
from syncd.agent.control import serve
from syncd.agent.follower import Follower
from syncd.agent.keeper import Keeper
from syncd.agent.kinds import Kind, kinds
from syncd.agent.lease import Times
from syncd.agent.news import News
from syncd.agent.shared_disk import may_be_shared
from syncd.agent.soft_limit import SoftLimit
from syncd.agent.update import State
from syncd.core.errors import NeedsUser, SyncError
from syncd.node.client import NodeClient

_TOLD_AFTER_S = 0.1, 0.8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FollowedCourse:
    """A course of the node, and the folder in which the student sees it."""

    name: str
    root: Path


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """What an agent keeps, and where; `view` forces a kind of folder, `user` is whom the node shows as the owner."""

    courses: tuple[FollowedCourse, ...]
    state: Path
    node: Path
    user: str = ""
    view: str | None = None
    quiet_s: float = 2.0
    report_s: float = 30.0
    doors: Mapping[str, int] = field(default_factory=dict)
    """Descriptors of courses' content, where somebody with the right to has opened them for us."""
    shown: Callable[[str], None] | None = None
    """Called once a course shows."""
    limit: SoftLimit = field(default_factory=SoftLimit)
    told: "Told | None" = None
    """How whoever started us tells us of new versions."""
    shared: bool | None = None
    """Whether other machines have the disk of `state`, too; None: as the kind of disk says."""
    lease: Times = field(default_factory=Times)
    elsewhere: Callable[[str], None] | None = None
    """Called with the node that has the folders, while we wait for it to end."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the agents' parent gives an agent, so that no update need wake it."""

    news: Mapping[str, News]
    wake: int
    """A pipe to read from: a byte asks us to come to the newest versions, its end is the parent's."""
    done: Callable[[], None]
    """Called once we have."""


NUDGE = b"n"
"""The byte that says: somebody watches folders of this agent's."""


async def run_agent(config: AgentConfig, *, ready: Callable[[Mapping[str, object]], None] | None = None) -> None:
    """Keep the folders until SIGTERM, SIGINT or cancellation; then close them.

    `ready` is called once the folders are open and the control socket answers.  Stop if another agent of this machine
    keeps this state, and while one of another machine does it is waited for; NeedsUser if two courses share a folder.
    """
    _check(config)
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    shared = may_be_shared(config.state) if config.shared is None else config.shared
    known = kinds()
    async with NodeClient(config.node, config.doors) as node:
        waiting = functools.partial(_wait_for, config, known, node)
        async with alone(config.state, shared, config.lease, waiting), contextlib.AsyncExitStack() as stack:
            agent = _Agent(config, known, node, stack, leased=shared)
            for course in config.courses:
                await agent.open(course)
            if config.told is not None:
                stack.enter_context(agent.hearing(config.told))
            socket = await stack.enter_async_context(serve(config.state, agent))
            if ready is not None:
                ready({"socket": str(socket), "views": agent.status()})
            await _until_told_to_end(agent.tasks, agent.more)


class _Agent:
    """What the control socket reaches."""

    def __init__(
        self,
        config: AgentConfig,
        known: Mapping[str, Kind],
        node: NodeClient,
        stack: contextlib.AsyncExitStack,
        leased: bool,
    ) -> None:
        self._config, self._known, self._node, self._stack, self._leased = config, known, node, stack, leased
        self._followers: dict[str, Follower] = {}
        self._courses: tuple[FollowedCourse, ...] = config.courses
        self._hearing: set[asyncio.Task[None]] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.more = asyncio.Event()
        """Set when there are new tasks."""

    async def open(self, course: FollowedCourse) -> None:
        """Open a course's folder and follow it from now on."""
        config = self._config
        state, door = config.state / "courses" / course.name, config.doors.get(course.name)
        keeper = Keeper(course.root, state, config.view, config.quiet_s, self._known, door, self._leased)
        shown = functools.partial(config.shown, course.name) if config.shown else None
        news = config.told.news.get(course.name) if config.told else None
        follower = Follower(course.name, config.user, keeper, self._node, config.quiet_s, shown, config.limit, news)
        self._followers[course.name] = follower
        self._stack.push_async_callback(follower.close)
        await follower.open()
        parts = (follower.run(), _tell(self._node, follower, config))
        self.tasks |= {asyncio.create_task(part) for part in parts}
        self.more.set()

    @contextlib.contextmanager
    def hearing(self, told: Told) -> Iterator[None]:
        """Do as the parent says, meanwhile."""
        loop = asyncio.get_running_loop()

        def hear() -> None:
            with contextlib.suppress(BlockingIOError):
                words = os.read(told.wake, 64)
                if not words:
                    loop.remove_reader(told.wake)
                work = self._settle(told, NUDGE in words) if words else self._alone()
                task = loop.create_task(work)
                self._hearing.add(task)
                task.add_done_callback(self._hearing.discard)

        os.set_blocking(told.wake, False)
        loop.add_reader(told.wake, hear)
        try:
            yield
        finally:
            loop.remove_reader(told.wake)

    async def _settle(self, told: Told, nudge: bool) -> None:
        followers = list(self._followers.values())
        await asyncio.gather(*(follower.settle() for follower in followers))
        if nudge:
            for follower in followers:
                await follower.nudge()
        told.done()

    async def _alone(self) -> None:
        for follower in list(self._followers.values()):
            await follower.alone()

    async def follow(self, course: str, root: Path) -> str:
        if course not in self._followers:
            wanted = (*self._courses, FollowedCourse(course, root))
            _check(replace(self._config, courses=wanted))
            if not root.is_absolute():
                raise NeedsUser("The folder of a course must be given whole, from the root.")
            self._courses = wanted
            await self.open(wanted[-1])
        return f"The folder of {course} is {self._followers[course].root}."

    def status(self) -> list[dict[str, Any]]:
        return [follower.status() for follower in self._followers.values()]

    async def restore(self, course: str, path: str) -> str:
        return await self._of(course).restore(path)

    async def update(self, course: str | None) -> str:
        every = [follower for follower in self._followers.values() if not follower.paused]
        wanted = every if course is None else [self._of(course)]
        return " ".join([await follower.update_now() for follower in wanted])

    async def pause(self, course: str, paused: bool) -> str:
        return await self._of(course).pause(paused)

    async def changes(self, course: str) -> dict[str, Any]:
        return await self._of(course).changes()

    async def compare(self, course: str, path: str, version: str) -> dict[str, Any]:
        return await self._of(course).compare(path, version)

    def _of(self, course: str) -> Follower:
        follower = self._followers.get(course)
        if follower is None:
            raise NeedsUser(f"This agent keeps no course named “{course}”; it keeps {', '.join(self._followers)}.")
        return follower


async def _wait_for(
    config: AgentConfig, known: Mapping[str, Kind], node: NodeClient, elsewhere: str, sentence: str
) -> None:
    """Another machine serves our folders: nothing of ours is in the way, and people are told."""
    if config.elsewhere is not None and elsewhere:
        config.elsewhere(elsewhere)
    for course in config.courses:
        for kind in known.values():
            await asyncio.to_thread(kind.give_up, course.root, config.state / "courses" / course.name / "view")
        told = {"user": config.user, "course": course.name, "root": str(course.root)}
        with contextlib.suppress(SyncError):
            await node.report({**told, "state": State.WAITING.value, "sentence": sentence})


async def _tell(node: NodeClient, follower: Follower, config: AgentConfig) -> None:
    """Report to the node after each change, and now and then: it keeps reports in memory only."""
    await asyncio.sleep(random.uniform(*_TOLD_AFTER_S))  # the folder comes first
    while True:
        follower.changed.clear()
        try:
            await node.report(follower.status())
        except SyncError as problem:
            _log.debug("not reported: %s", problem)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(config.report_s):
                await follower.changed.wait()
                # A class is updated first, and tells of it after that.
                await asyncio.sleep(random.uniform(*_TOLD_AFTER_S))


async def _until_told_to_end(tasks: set[asyncio.Task[None]], more: asyncio.Event) -> None:
    """Until a signal, or a fault in one of the tasks; `more` is set when some are added."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread: cancelled then
            loop.add_signal_handler(number, told.set)
    end: asyncio.Task[Any] = asyncio.create_task(told.wait())
    grown: asyncio.Task[Any] = asyncio.create_task(more.wait())
    try:
        while not end.done():
            done, _ = await asyncio.wait({*tasks, end, grown}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks & done:
                task.result()  # a part ends only by a fault
                return
            if grown.done():
                more.clear()
                grown = asyncio.create_task(more.wait())
    finally:
        for task in (*tasks, end, grown):
            task.cancel()
        await asyncio.gather(*tasks, end, grown, return_exceptions=True)


def _check(config: AgentConfig) -> None:
    names = [course.name for course in config.courses]
    for course in config.courses:
        if not course.name or "/" in course.name or course.name.startswith("."):
            raise NeedsUser(f"“{course.name}” is not the name of a course.")
        others = [other.root for other in config.courses if other is not course]
        if names.count(course.name) > 1 or any(course.root == o or course.root in o.parents for o in others):
            raise NeedsUser(f"{course.name}: give each course a name and a folder of its own, not inside one another.")
        if course.root == config.state or course.root in config.state.parents:
            raise NeedsUser(f"The folder {course.root} holds the agent's own state; choose another folder.")
