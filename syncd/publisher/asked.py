"""What people ask of a folder about its history and its students: publish, undo, checkpoints."""

from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser
from syncd.publisher import checkpoints
from syncd.publisher.local import Local
from syncd.publisher.registry import Folder
from syncd.publisher.students_desk import StudentsDesk
from syncd.publisher.students_sync import StudentsSync
from syncd.publisher.undo import undo_last
from syncd.publisher.workspace import Workspace

_T = TypeVar("_T")


class Desk(Protocol):
    """The folder in whose name this is done."""

    folder: Folder
    students: StudentsSync

    def opened(self) -> Workspace: ...  # noqa: D102
    async def caught_up(self) -> CommitId | None: ...  # noqa: D102
    async def moved(self) -> None: ...  # noqa: D102
    async def on_disk(self, work: Callable[..., _T], *arguments: Any) -> _T: ...  # noqa: D102


class Asked:
    """Each method answers with what the control sends back; a SyncError says why not."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._students = desk, StudentsDesk(desk.students)

    async def releases(self) -> dict[str, Any]:
        """What was published, what is planned, and what students don't have yet."""
        self._desk.opened()
        return await self._students.releases()

    async def publish(
        self, paths: Collection[RelPath], at: str | None, message: str, source: str | None
    ) -> dict[str, Any]:
        """Publish to students, or plan it; `source` names a checkpoint."""
        history = self._desk.opened().history
        commit = await self._desk.on_disk(checkpoints.commit_of, history, source) if source else None
        return await self._students.publish(paths, at, message, commit)

    async def cancel(self, plan: str) -> dict[str, Any]:
        """Forget a planned release."""
        self._desk.opened()
        return {"sentence": await self._students.cancel(plan)}

    async def undo(self, which: str | None) -> dict[str, Any]:
        """Undo the last release (or that one); without releases, what was saved last here."""
        desk = self._desk
        here = desk.opened()
        students = desk.folder.students
        if students is not None and students.way == "release":
            return await self._students.undo(which)
        if which is not None:
            raise NeedsUser("Only releases have ids; without them `syncd undo` undoes what was saved last here.")
        await desk.caught_up()
        sentence = await desk.on_disk(undo_last, here, Local(here))
        await desk.moved()
        return {"sentence": sentence}

    async def checkpoint(self, name: str, message: str) -> dict[str, Any]:
        """Give what is in the folder now a name."""
        here = self._desk.opened()
        await self._desk.caught_up()
        sentence = await self._desk.on_disk(checkpoints.make, here, name, message)
        await self._desk.moved()
        return {"sentence": sentence}

    async def checkpoints(self) -> dict[str, Any]:
        """The named checkpoints, newest first."""
        found = await self._desk.on_disk(checkpoints.known, self._desk.opened().history)
        return {"checkpoints": [asdict(each) for each in found]}
