"""What people ask of a folder's students' branch: publish, plan, cancel, undo, and see."""

import time
from collections.abc import Collection
from typing import Any, Protocol

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser
from syncd.publisher.planned_time import in_words, local, planned_time
from syncd.publisher.plans import Kind, Plan, Plans, as_text, new_id, shown
from syncd.publisher.status import Situation
from syncd.publisher.students_line import StudentsLine
from syncd.publisher.students_words import change, planned, what
from syncd.publisher.words import undoing
from syncd.publisher.worker import Worker


class Loop(Protocol):
    """The loop that keeps the students' branch; all here is done by it."""

    @property
    def plans(self) -> Plans: ...  # noqa: D102
    @property
    def now(self) -> Situation: ...  # noqa: D102
    @property
    def disk(self) -> Worker: ...  # noqa: D102
    @property
    def pushing(self) -> str | None: ...  # noqa: D102
    def line(self) -> StudentsLine | None: ...  # noqa: D102
    def report(self) -> dict[str, Any] | None: ...  # noqa: D102
    def wake(self) -> None: ...  # noqa: D102
    async def caught_up(self) -> CommitId | None: ...  # noqa: D102
    async def at_once(self, plan: Plan, head: CommitId) -> str: ...  # noqa: D102


class StudentsDesk:
    """Each method answers with what the control sends back; a SyncError says why not."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    async def publish(
        self, paths: Collection[RelPath], at: str | None, message: str, source: CommitId | None
    ) -> dict[str, Any]:
        """Publish now, or plan it; the plan's id and a sentence.  `source`: a checkpoint's commit."""
        loop, line = self._loop, self._releasing()
        moment = planned_time(at, local(time.time())) if at else None
        if moment is None and loop.now.paused:
            raise NeedsUser("This folder is paused: say `syncd resume` first, then publish.")
        head = source or await loop.caught_up()
        if head is None:
            raise NeedsUser("There is nothing in this folder yet, so there is nothing to publish.")
        await loop.disk.do(_check, line, head, paths)
        at_s = moment.timestamp() if moment else time.time()
        plan = Plan(new_id(), Kind.PUBLISH, at_s, tuple(paths), message, source)
        if moment is None:
            return await self._at_once(plan, head)
        await loop.disk.do(loop.plans.add, plan)
        loop.wake()
        return {"id": plan.id, "at": at_s, "sentence": planned(plan, moment)}

    async def undo(self, which: str | None) -> dict[str, Any]:
        """Undo a release, by default the last one."""
        line, disk = self._releasing(), self._loop.disk
        target = await disk.do(line.to_undo, which)
        said = undoing(target.message)
        plan = Plan(new_id(), Kind.UNDO, time.time(), message=said, commit=target.commit)
        await disk.do(line.undo, plan)  # says now what stands in the way
        return await self._at_once(plan, target.commit)

    async def cancel(self, id: str) -> str:
        """Forget a planned release; a sentence."""
        loop = self._loop
        if loop.pushing == id:
            raise NeedsUser("This release is being published at this moment; `syncd undo` takes it back.")
        plan = await loop.disk.do(loop.plans.drop, id)
        loop.wake()
        return f"{what(plan)} is no longer planned for {in_words(local(plan.at))}."

    async def releases(self) -> dict[str, Any]:
        """What was published, what is planned, and what students don't have yet."""
        loop, line = self._loop, self._loop.line()
        if line is None:
            raise NeedsUser("Students follow this folder's own branch; `syncd students FOLDER` gives them their own.")
        head = loop.now.head
        done = await loop.disk.do(line.releases)
        waiting = await loop.disk.do(line.differences, head) if head else {}
        return {
            **(loop.report() or {}),
            "published": [
                {"id": each.id, "commit": each.commit, "time": each.time, "message": each.message}
                | {"files": each.files, "undoes": each.undoes}
                for each in done
            ],
            "waiting": [{"path": as_text(path), "change": change(each)} for path, each in sorted(waiting.items())],
        }

    async def _at_once(self, plan: Plan, head: CommitId) -> dict[str, Any]:
        return {"id": plan.id, "at": plan.at, "sentence": await self._loop.at_once(plan, head)}

    def _releasing(self) -> StudentsLine:
        line = self._loop.line()
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


def _check(line: StudentsLine, head: CommitId, paths: Collection[RelPath]) -> None:
    """NeedsUser unless there is something to publish, or to take away, at each of the paths."""
    projected, history = line.project(head), line.history
    for path in paths:
        if history.below(projected, path) is None and history.item(line.head, path) is None:
            if history.item(head, path) is not None:
                raise NeedsUser(f"“{shown(path)}” is for staff and never goes to students: leave it out.")
            raise NeedsUser(f"There is nothing named “{shown(path)}” in this folder: check its name.")
