"""The students' branch kept as it shall be: a third loop of a folder, with a thread of its own for the network.

In the live way each agreed commit goes there at once; in the release way what was published, when its time
has come by the wall clock.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.core.retry import Backoff
from syncd.git.address import parse_address
from syncd.git.remote import Behind, Remote
from syncd.publisher.conversation import Paces
from syncd.publisher.planned_time import in_words, local, planned_time
from syncd.publisher.plans import Kind, Plan, Plans, as_text, new_id, shown
from syncd.publisher.projection import Projection
from syncd.publisher.registry import Folder
from syncd.publisher.status import Situation, asking
from syncd.publisher.students_line import Differences, StudentsLine
from syncd.publisher.words import files, undoing
from syncd.publisher.worker import Worker
from syncd.publisher.workspace import Workspace

_log = logging.getLogger(__name__)

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
        ask_again_s: float,
    ) -> None:
        """`now` is the folder's, and only read here."""
        self._folder, self._own, self._remotes, self._paces = folder, own, remotes, paces
        self._now, self._side, self._ask_again_s = now, side, ask_again_s
        self._students = folder.students
        self._wake = asyncio.Event()
        self._told: dict[str, asyncio.Future[str]] = {}
        self._pushing: str | None = None
        self._facts: dict[str, Any] | None = None
        self._counted: object = None
        self._plans: Plans | None = None
        self._left_out: Mapping[RelPath, str] = {}
        self._line: StudentsLine | None = None
        self.problem: str | None = None
        """What only the person can change."""
        self.offline: str | None = None
        self.notes: list[str] = []

    @property
    def pending(self) -> bool:
        """Whether something is under way to students at this moment."""
        live = self._students is not None and self._students.way == "live" and self._now.head is not None
        # What was counted for an earlier commit says nothing about this one.
        facts = self._facts or {"source": None, "behind": None}
        if live and (facts["behind"] != 0 or facts["source"] != self._now.head):
            return True
        return any(plan.fired for plan in (self._plans.all() if self._plans else ()))

    def report(self) -> Mapping[str, Any] | None:
        """The students' branch as the status shows it; None if students follow the folder's own branch."""
        if self._students is None:
            return None
        counted = self._facts or {"commit": None, "behind": None}
        plans = self._plans.all() if self._plans else ()
        return {
            "branch": self._students.branch,
            "remote": self._students.remote,
            "way": self._students.way,
            "commit": counted["commit"],
            "behind": counted["behind"],
            "planned": [_planned(plan) for plan in plans],
            "problem": self.problem or self.offline,
            "left_out": [shown(why) for why in list(self._left_out.values())[:100]],
        }

    def follow(self, folder: Folder) -> None:
        """Go on with these settings of the folder."""
        if folder.students != self._students:
            self._students, self._line, self._facts = folder.students, None, None
            self.problem = self.offline = None
        if folder != self._folder:
            self._folder, self._counted = folder, None
            self._wake.set()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def run(self, here: Workspace, disk: Worker, projection: Projection) -> None:
        """Until cancelled.  A Stop ends the folder's work."""
        self._here, self._disk, self._projection = here, disk, projection
        net = Worker(f"students-{self._folder.id}")
        backoff, failures, wait_s = Backoff(), 0, 0.0
        try:
            self._plans = await disk.do(Plans, self._own)
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                self._wake.clear()
                try:
                    wait_s = await self._work(net)
                    failures, self.problem, self.offline = 0, None, None
                except TryAgain as problem:
                    failures += 1
                    wait_s = getattr(problem, "after_s", None) or backoff.wait_s(failures, random.random())
                    self.offline = f"Students get it as soon as their repository can be reached: {problem}"
                    self._tell_all(self.offline)
                except NeedsUser as problem:
                    remote = self._students.remote if self._students else self._folder.remote
                    self.problem, self.offline, wait_s = asking(problem, remote), None, self._ask_again_s
                    self._tell_all(f"It is not with students yet: {problem}")
                await self._count()
        finally:
            net.close()
            self._line = None

    # what people ask for

    async def publish(
        self, paths: Collection[RelPath], at: str | None, message: str, source: CommitId | None
    ) -> dict[str, Any]:
        """Publish now, or plan it; the plan's id and a sentence.  `source`: a checkpoint's commit."""
        line = self._releasing()
        moment = planned_time(at, local(time.time())) if at else None
        if moment is None and self._now.paused:
            raise NeedsUser("This folder is paused: say `syncd resume` first, then publish.")
        head = source or await self._side.caught_up()
        if head is None:
            raise NeedsUser("There is nothing in this folder yet, so there is nothing to publish.")
        await self._disk.do(_check, line, head, paths)
        at_s = moment.timestamp() if moment else time.time()
        plan = Plan(new_id(), Kind.PUBLISH, at_s, tuple(paths), message, source)
        if moment is None:
            return await self._at_once(plan, head)
        await self._disk.do(self._known_plans.add, plan)
        self._wake.set()
        sentence = f"{_what(plan)} will be published on {in_words(moment)}, as the folder is then."
        if source:
            sentence = f"{_what(plan)} will be published on {in_words(moment)}."
        return {"id": plan.id, "at": at_s, "sentence": sentence}

    async def undo(self, which: str | None) -> dict[str, Any]:
        """Undo a release, by default the last one."""
        line = self._releasing()
        target = await self._disk.do(line.to_undo, which)
        said = undoing(target.message)
        plan = Plan(new_id(), Kind.UNDO, time.time(), message=said, commit=target.commit)
        await self._disk.do(line.undo, plan)  # says now what stands in the way
        return await self._at_once(plan, target.commit)

    async def cancel(self, id: str) -> str:
        """Forget a planned release; a sentence."""
        if self._pushing == id:
            raise NeedsUser("This release is being published at this moment; `syncd undo` takes it back.")
        plan = await self._disk.do(self._known_plans.drop, id)
        self._wake.set()
        return f"{_what(plan)} is no longer planned for {in_words(local(plan.at))}."

    async def releases(self) -> dict[str, Any]:
        """What was published, what is planned, and what students don't have yet."""
        line, head = self._line_of(), self._now.head
        if line is None:
            raise NeedsUser("Students follow this folder's own branch; `syncd students FOLDER` gives them their own.")
        done = await self._disk.do(line.releases)
        waiting = await self._disk.do(line.differences, head) if head else {}
        return {
            **(self.report() or {}),
            "published": [
                {"id": each.id, "commit": each.commit, "time": each.time, "message": each.message}
                | {"files": each.files, "undoes": each.undoes}
                for each in done
            ],
            "waiting": [{"path": as_text(path), "change": _change(each)} for path, each in sorted(waiting.items())],
        }

    async def _at_once(self, plan: Plan, head: CommitId) -> dict[str, Any]:
        told = self._told[plan.id] = asyncio.get_running_loop().create_future()
        await self._disk.do(self._known_plans.add, plan)
        await self._disk.do(self._known_plans.fire, plan.id, head)
        self._wake.set()
        try:
            async with asyncio.timeout(_ANSWER_S):
                sentence = await told
        except TimeoutError:
            sentence = "It is on its way to students; `syncd status` says when they have it."
        finally:
            self._told.pop(plan.id, None)
        return {"id": plan.id, "at": plan.at, "sentence": sentence}

    def _releasing(self) -> StudentsLine:
        line = self._line_of()
        if line is None:
            raise NeedsUser(
                "Students follow this folder's own branch, so every save is published at once; to choose what they "
                "get and when: syncd students FOLDER --way release."
            )
        if line.students.way == "live":
            raise NeedsUser(
                "Every save of this folder goes to students at once, so there is nothing to publish or to plan; to "
                "choose what they get and when: syncd students FOLDER --way release."
            )
        return line

    @property
    def _known_plans(self) -> Plans:
        if self._plans is None:
            raise NeedsUser("The folder is just being opened; try again in a moment.")
        return self._plans

    # the work

    def _project(self, commit: CommitId) -> bytes | None:
        return self._projection.of(commit, self._folder.allowed)

    def _line_of(self) -> StudentsLine | None:
        if self._students is not None and self._line is None:
            self._line = StudentsLine(self._here.history, self._students, self._here.author, self._project)
        return self._line if self._students is not None else None

    async def _work(self, net: Worker) -> float:
        """Do what is due; how long to wait for the next thing."""
        line = self._line_of()
        if line is None or self._now.paused:
            return _CLOCK_S
        if line.students.way == "live":
            agreed = self._now.agreed
            if agreed is None or not await self._disk.do(line.behind, agreed):
                return _CLOCK_S
            return await self._go_on(line, net, agreed)
        await self._disk.do(line.released)
        now, plans = time.time(), self._known_plans
        for plan in plans.due(now):
            if not plan.fired:
                head = await self._side.caught_up()
                if head is not None:
                    await self._disk.do(plans.fire, plan.id, head)
        for plan in plans.due(now):
            if plan.fired:
                pause_s = await self._release(line, net, plan)
                if pause_s:
                    return min(pause_s, _CLOCK_S)
        coming = [plan.at for plan in plans.all()]
        return max(0.0, min([_CLOCK_S, *(at - time.time() for at in coming)])) if coming else _CLOCK_S

    async def _go_on(self, line: StudentsLine, net: Worker, agreed: CommitId) -> float:
        remote = self._remotes(line.students.remote)
        for _ in range(_ROUNDS):
            await self._look(line, net, remote)
            made = await self._disk.do(line.follow, agreed)
            if made is None:
                return 0.0 if self._now.agreed != agreed else _CLOCK_S
            if pause_s := self._pause_s(line):
                return pause_s
            with contextlib.suppress(Behind):
                await self._push(line, net, remote, made)
                await self._disk.do(line.arrived)
        raise TryAgain("The students' branch is being written to all the time.")

    async def _release(self, line: StudentsLine, net: Worker, plan: Plan) -> float:
        """Bring one plan to the students' branch; how long to wait before that may be tried."""
        remote, plans = self._remotes(line.students.remote), self._known_plans
        for _ in range(_ROUNDS):
            await self._look(line, net, remote)
            done = await self._disk.do(line.published, plan)
            edits: Differences = {}
            if done is None:
                try:
                    made = await self._disk.do(_made, line, plan, self._now.head)
                except NeedsUser as problem:
                    await self._end(plans, plan, str(problem), problem)
                    return 0.0
                if made is None:
                    await self._end(plans, plan, f"Students have {_what(plan, start='everything')} just so already.")
                    return 0.0
                if pause_s := self._pause_s(line):
                    return pause_s
                done, edits = made
                self._pushing = plan.id
                try:
                    await self._push(line, net, remote, done)
                except Behind:
                    continue
                finally:
                    self._pushing = None
            count = f" ({files(len(edits))})" if edits else ""
            verb = "is published" if plan.kind is Kind.PUBLISH else "is done"
            await self._end(plans, plan, f"{_what(plan)} {verb}{count}: students' branch {line.students.branch}.")
            return 0.0
        raise TryAgain("The students' branch is being written to all the time.")

    async def _end(self, plans: Plans, plan: Plan, sentence: str, problem: SyncError | None = None) -> None:
        await self._disk.do(plans.drop, plan.id)
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
        if seen is not None and seen != await self._disk.do(lambda: line.head):
            await net.do(lambda: remote.fetch(path, branch, name=line.key))
        await self._disk.do(line.arrived)

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
        line = self._line_of()
        if line is None:
            return
        source = self._now.head
        line_head = await self._disk.do(lambda: line.head)
        if (now := (line.key, source, line_head)) == self._counted:
            return
        behind = await self._disk.do(_behind, line, source) if source else 0
        if line is self._line:
            self._left_out = self._projection.last.left_out if self._projection.last else {}
            self._counted = now
            self._facts = {"source": source, "commit": line_head, "behind": behind}


def _made(line: StudentsLine, plan: Plan, present: CommitId | None) -> tuple[CommitId, Differences] | None:
    return line.publish(plan, present) if plan.kind is Kind.PUBLISH else line.undo(plan)


def _behind(line: StudentsLine, source: CommitId) -> int:
    """How many files students don't have as they shall; what others did to a live branch counts as meant."""
    if line.students.way == "live" and not line.behind(source):
        return 0
    return len(line.differences(source))


def _check(line: StudentsLine, head: CommitId, paths: Collection[RelPath]) -> None:
    """NeedsUser unless there is something to publish, or to take away, at each of the paths."""
    projected, history = line.project(head), line.history
    for path in paths:
        if history.below(projected, path) is None and history.item(line.head, path) is None:
            if history.item(head, path) is not None:
                raise NeedsUser(f"“{shown(path)}” is for staff and never goes to students: leave it out.")
            raise NeedsUser(f"There is nothing named “{shown(path)}” in this folder: check its name.")


def _what(plan: Plan, start: str = "Everything") -> str:
    if plan.kind is Kind.UNDO:
        return shown(plan.message)
    if not plan.paths:
        return start
    named = ", ".join(f"“{shown(path)}”" for path in plan.paths[:3])
    return named + (f" and {len(plan.paths) - 3} more" if len(plan.paths) > 3 else "")


def _planned(plan: Plan) -> dict[str, Any]:
    return {**plan.facts(), "when": in_words(local(plan.at)), "what": _what(plan)}


def _change(each: tuple[object, object]) -> str:
    was, now = each
    return "add" if was is None else "delete" if now is None else "update"
