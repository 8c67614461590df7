"""The students' branch kept as it shall be: a third loop of a folder, with a thread of its own for the network.

In the live way each agreed commit goes there at once; in the release way what was published, when its time
has come by the wall clock.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsToken, NeedsUser, SyncError, TryAgain
from syncd.core.retry import Again
from syncd.git.address import parse_address
from syncd.git.remote import Behind, Remote
from syncd.publisher.conversation import Paces
from syncd.publisher.plans import Kind, Plan, Plans
from syncd.publisher.projection import Projection
from syncd.publisher.registry import Folder
from syncd.publisher.status import Situation, asking
from syncd.publisher.students_line import Differences, StudentsLine
from syncd.publisher.students_words import Counted, done, is_pending, report, rest_s, what
from syncd.publisher.timing import Timing
from syncd.publisher.worker import Worker
from syncd.publisher.workspace import Workspace

_CLOCK_S = 20.0
"""The wall clock is looked at this often: a machine that slept has no other way to know."""
_ANSWER_S = 8.0
"""Somebody who publishes now waits so long for the remote; the release goes on without them."""
_ROUNDS = 6


class FolderSide(Protocol):
    """What the students' loop asks of the folder's."""

    async def caught_up(self) -> CommitId | None:
        """Take up what is saved; the folder's last commit."""


class StudentsSync:
    """Runs while its folder is open; `follow` changes whom it serves."""

    def __init__(
        self,
        folder: Folder,
        own: Path,
        remotes: Callable[[str], Remote],
        paces: Paces,
        now: Situation,
        side: FolderSide,
        timing: Timing,
    ) -> None:
        """`now` is the folder's, and only read here."""
        self._folder, self._own, self._remotes, self._paces = folder, own, remotes, paces
        self.now, self._timing = now, timing
        self.caught_up = side.caught_up
        self._students = folder.students
        self._wake = asyncio.Event()
        self._again = Again()
        self._told: dict[str, asyncio.Future[str]] = {}
        self.pushing: str | None = None
        """The plan that is on its way to the remote at this moment."""
        self._counted = Counted()
        self._counted_for: object = None
        self._plans: Plans | None = None
        self._left_out: Mapping[RelPath, str] = {}
        self._line: StudentsLine | None = None
        self.problem: str | None = None
        """What only the person can change."""
        self.token_for: str | None = None
        """The remote, if it wants a token or another one."""
        self.offline: str | None = None
        self.notes: list[str] = []

    @property
    def pending(self) -> bool:
        """Whether something is under way to students at this moment."""
        return is_pending(self._students, self.now.head, self._counted, self._plans.all() if self._plans else ())

    def report(self) -> dict[str, Any] | None:
        """The students' branch as the status shows it; None if students follow the folder's own branch."""
        if self._students is None:
            return None
        plans = self._plans.all() if self._plans else ()
        return report(self._students, self._counted, plans, self.problem or self.offline, self._left_out)

    def follow(self, folder: Folder) -> None:
        """Go on with these settings of the folder."""
        if folder.students != self._students:
            self._students, self._line, self._counted = folder.students, None, Counted()
            self.problem = self.token_for = self.offline = None
            self._again = Again()
        if folder != self._folder:
            self._folder, self._counted_for = folder, None
            self._wake.set()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def hint(self) -> None:
        """The remote may have news: ask it now, even if it asked for patience."""
        self._again = self._again.at_once()
        self._wake.set()

    async def run(self, here: Workspace, disk: Worker, projection: Projection) -> None:
        """Until cancelled.  A Stop ends the folder's work."""
        self._here, self.disk, self._projection = here, disk, projection
        net = Worker(f"students-{self._folder.id}")
        wait_s = 0.0
        try:
            self._plans = await disk.do(Plans, self._own)
            while True:
                news = await self._woken(min(wait_s, _CLOCK_S))
                try:
                    await self._fire()
                    if (wait_s := self._again.wait_s(time.monotonic(), news=news)) <= 0:
                        wait_s = await self._work(net)
                        self._again, self.problem, self.token_for, self.offline = Again(), None, None, None
                except TryAgain as problem:
                    usual_s = self._timing.backoff.wait_s(self._again.failures + 1, random.random())
                    self._again = self._again.after_failure(time.monotonic(), usual_s, problem.after_s)
                    wait_s = usual_s
                    self.offline = f"Students get it as soon as their repository can be reached: {problem}"
                except NeedsUser as problem:
                    remote = self._students.remote if self._students else self._folder.remote
                    self.problem, self.offline, wait_s = asking(problem, remote), None, self._timing.ask_again_s
                    self.token_for = remote if isinstance(problem, NeedsToken) else None
                    self._again = Again(at=time.monotonic() + wait_s)
                    self._tell_all(f"It is not with students yet: {problem}")
                if self.offline:
                    self._tell_all(self.offline)
                await self._count()
        finally:
            net.close()
            self._line = None

    async def _woken(self, within_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        news = self._wake.is_set()
        self._wake.clear()
        return news

    # for the desk

    @property
    def plans(self) -> Plans:
        """What is planned.  NeedsUser while the folder is not open yet."""
        if self._plans is None:
            raise NeedsUser("The folder is just being opened; try again in a moment.")
        return self._plans

    def line(self) -> StudentsLine | None:
        """The students' branch as it is known here; None if they have none of their own."""
        if self._students is not None and self._line is None:
            self._line = StudentsLine(self._here.history, self._students, self._here.author, self._project)
        return self._line if self._students is not None else None

    async def at_once(self, plan: Plan, head: CommitId) -> str:
        """Do a plan now, and see for a moment what comes of it; a sentence."""
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._told[plan.id] = told
        await self.disk.do(self.plans.add, plan)
        await self.disk.do(self.plans.fire, plan.id, head)
        self._wake.set()
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await told
        except TimeoutError:
            return "It is on its way to students; `syncd status` says when they have it."
        finally:
            self._told.pop(plan.id, None)

    # the work

    def _project(self, commit: CommitId) -> bytes | None:
        return self._projection.of(commit, self._folder.allowed)

    async def _fire(self) -> None:
        """Note of plans whose time has come what they publish, however long the remote is away."""
        line = self.line()
        if line is None or self.now.paused or line.students.way == "live":
            return
        for plan in self.plans.due(time.time()):
            if not plan.fired:
                head = await self.caught_up()
                if head is not None:
                    await self.disk.do(self.plans.fire, plan.id, head)

    async def _work(self, net: Worker) -> float:
        """Do what is due; how long to wait for the next thing."""
        line = self.line()
        if line is None or self.now.paused:
            return _CLOCK_S
        if line.students.way == "live":
            agreed = self.now.agreed
            if agreed is None or not await self.disk.do(line.behind, agreed):
                return _CLOCK_S
            return await self._go_on(line, net, agreed)
        await self.disk.do(line.released)
        for plan in self.plans.due(time.time()):
            if plan.fired:
                pause_s = await self._release(line, net, plan)
                if pause_s:
                    return pause_s
        return rest_s(self.plans.all(), time.time(), _CLOCK_S)

    async def _go_on(self, line: StudentsLine, net: Worker, agreed: CommitId) -> float:
        remote = self._remotes(line.students.remote)
        for _ in range(_ROUNDS):
            await self._look(line, net, remote)
            made = await self.disk.do(line.follow, agreed)
            if made is None:
                return 0.0 if self.now.agreed != agreed else _CLOCK_S
            if pause_s := self._pause_s(line):
                return pause_s
            with contextlib.suppress(Behind):
                await self._push(line, net, remote, made)
                await self.disk.do(line.arrived)
        raise TryAgain("The students' branch is being written to all the time.")

    async def _release(self, line: StudentsLine, net: Worker, plan: Plan) -> float:
        """Bring one plan to the students' branch; how long to wait before that may be tried."""
        remote, plans = self._remotes(line.students.remote), self.plans
        for _ in range(_ROUNDS):
            await self._look(line, net, remote)
            commit = await self.disk.do(line.published, plan)
            edits: Differences = {}
            if commit is None:
                try:
                    made = await self.disk.do(_made, line, plan, self.now.head)
                except NeedsUser as problem:
                    await self._end(plans, plan, str(problem), problem)
                    return 0.0
                if made is None:
                    await self._end(plans, plan, f"Students have {what(plan, start='everything')} just so already.")
                    return 0.0
                if pause_s := self._pause_s(line):
                    return pause_s
                commit, edits = made
                self.pushing = plan.id
                try:
                    await self._push(line, net, remote, commit)
                except Behind:
                    continue
                finally:
                    self.pushing = None
            await self._end(plans, plan, done(plan, len(edits), line.students.branch))
            return 0.0
        raise TryAgain("The students' branch is being written to all the time.")

    async def _end(self, plans: Plans, plan: Plan, sentence: str, problem: SyncError | None = None) -> None:
        await self.disk.do(plans.drop, plan.id)
        told = self._told.get(plan.id)
        if told is None or told.done():
            self.notes.append(sentence)
        elif problem is not None:
            told.set_exception(problem)
        else:
            told.set_result(sentence)

    async def _look(self, line: StudentsLine, net: Worker, remote: Remote) -> None:
        branch, path = line.students.branch, line.history.path
        seen = await net.do(remote.head, branch)
        if seen is not None and seen != await self.disk.do(lambda: line.head):
            await net.do(lambda: remote.fetch(path, branch, name=line.key))
        await self.disk.do(line.arrived)

    async def _push(self, line: StudentsLine, net: Worker, remote: Remote, commit: CommitId) -> None:
        self._paces.of(parse_address(line.students.remote)).went(time.monotonic())
        path, branch = line.history.path, line.students.branch
        await net.do(lambda: remote.push(path, commit, branch, name=line.key))

    def _pause_s(self, line: StudentsLine) -> float:
        return self._paces.of(parse_address(line.students.remote)).wait_s(time.monotonic())

    def _tell_all(self, sentence: str) -> None:
        for told in self._told.values():
            if not told.done():
                told.set_result(sentence)

    async def _count(self) -> None:
        """Count what students don't have yet, if anything moved since the last time."""
        line = self.line()
        if line is None:
            return
        source = self.now.head
        line_head = await self.disk.do(lambda: line.head)
        if (now := (line.key, source, line_head)) == self._counted_for:
            return
        behind = await self.disk.do(_behind, line, source) if source else 0
        if line is self._line:
            self._left_out = self._projection.last.left_out if self._projection.last else {}
            self._counted_for = now
            self._counted = Counted(source, line_head, behind)


def _made(line: StudentsLine, plan: Plan, present: CommitId | None) -> tuple[CommitId, Differences] | None:
    return line.publish(plan, present) if plan.kind is Kind.PUBLISH else line.undo(plan)


def _behind(line: StudentsLine, source: CommitId) -> int:
    """How many files students don't have as they shall; what others did to a live branch counts as meant."""
    if line.students.way == "live" and not line.behind(source):
        return 0
    return len(line.differences(source))
