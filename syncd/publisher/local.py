"""The steps on this machine: take up what was saved, take in what others pushed.  They run one at a time."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syncd.core.beside import MY_COPY, beside
from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import TryAgain
from syncd.core.safety import Vanishing
from syncd.core.settle import Due
from syncd.folder import place
from syncd.folder.hash import Unsettled, hash_file
from syncd.folder.root import InTheWay
from syncd.folder.scan import look
from syncd.publisher.bring import bring, put_aside
from syncd.publisher.commit import Safety, commit
from syncd.publisher.look import Looked, look_at, look_everywhere
from syncd.publisher.untouched import Untouched
from syncd.publisher.workspace import Workspace

if TYPE_CHECKING:
    from syncd.merge.resolve import Note
    from syncd.publisher.merge import Merge

_TRIES = 20
_FEW = range(1, 5)
"""Paths of a save whose objects are made durable together."""
_AT_REST_S = 2.0
"""A file that is not written to for so long is whole; a rename leaves this time as it was."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """What came of looking: a new head, if there was anything to commit."""

    commit: CommitId | None
    looked: Looked


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What came of a merge.  `waits` are files of ours that must be whole first; then nothing moved."""

    head: CommitId | None
    notes: tuple[Note, ...] = ()
    waits: frozenset[RelPath] = frozenset()


class Local:
    """The steps, for one folder.  One thread at a time."""

    def __init__(self, here: Workspace) -> None:
        self.here = here
        self._vanishing = Vanishing()
        self._untouched: Untouched | None = None
        self._left: set[RelPath] = set()
        self._looked_at: tuple[int, int] | None = None

    def recover(self) -> list[RelPath]:
        """Give what a crash left aside its place again; the names of saves that were brought back."""
        brought: list[RelPath] = []
        here = self.here
        with here:
            self._untouched = Untouched(here)
            for leftover, name, stat in list(place.leftovers(here.root, here.ignored, self._untouched.folders())):
                try:
                    known = here.history.has(hash_file(here.root, leftover).entry.blob)
                    if known:
                        place.discard(here.root, leftover, stat)
                        continue
                    above = leftover.rpartition("/")[0]
                    with here.root.folder(above) as folder, folder.entries() as entries:
                        taken = {entry.name for entry in entries}
                    to = RelPath(f"{above}/{name}" if above else name)
                    if name in taken:
                        to = beside(to, MY_COPY, datetime.now(), taken)
                    place.move(here.root, leftover, to, stat)
                    brought.append(to)
                except (place.Meanwhile, Unsettled, InTheWay, FileNotFoundError):
                    continue  # somebody is at it; it is found again at the next start
        return brought

    def mistrust(self) -> None:
        """Events were lost: what `recover` saw may not be true any more."""
        self._untouched = None

    def remember(self) -> Looked:
        """Look at everything once more after a large commit, so that the next look finds it untouched."""
        with self.here as here:
            return look_everywhere(here)

    def take_up(self, due: Due, *, agreed: bool = False) -> TakenUp:
        """Look at what is due and commit it.  Held if too much vanished, unless the person has `agreed`."""
        untouched, self._untouched = self._untouched, None
        with self.here as here, here.history.together() if len(due.paths) in _FEW else nullcontext():
            if due.everything:
                looked = look_everywhere(here, due.impatient, untouched)
            else:
                looked = look_at(here, due.paths, due.impatient)
            if agreed:
                self._vanishing.forget()
            taken = TakenUp(self.commit(looked, agreed), looked)
            if due.everything:
                self._looked_at = here.root.identity
            return taken

    def gone(self, paths: Collection[RelPath]) -> bool:
        """Whether of one of them nothing is in the folder."""
        with self.here as here:
            return _some_gone(here, paths)

    def moved(self, paths: Collection[RelPath]) -> frozenset[RelPath]:
        """Those that a deletion or a rename may have left: of which nothing is there, or all is written long since."""
        with self.here as here:
            return _moved(here, paths)

    def take_in(
        self,
        theirs: CommitId,
        impatient: Collection[RelPath] = (),
        base: CommitId | None = None,
        said: str | None = None,
        unsettled: Collection[RelPath] = (),
    ) -> TakenIn:
        """Merge a fetched commit into folder and branch.  `base` overrides what the histories have in common.

        `unsettled` are paths that had events and were not looked at yet: what was renamed among them counts as ours.

        TryAgain if the folder is written to all the time, or is another one than was looked at: what is written
        into an empty one, there while a disk is out, would be missing in ours and look deleted.  What was already
        taken in is not taken in again.
        """
        here, history = self.here, self.here.history
        with here:
            if self._looked_at not in (None, here.root.identity):
                raise TryAgain("Another folder lies there than before; it is looked at before the changes of others.")
            if base is not None or not history.contains(here.head, theirs):
                self._take_up_renames(unsettled)
            before: tuple[RelPath, ...] = ()
            for _ in range(_TRIES):
                head = here.head
                if base is None and history.contains(head, theirs):
                    return TakenIn(head)
                common = base or (history.merge_base(head, theirs) if head else None)
                made = _merged(here, theirs, common, said)
                if made.commit != theirs:
                    here.begin(made.commit)
                brought = bring(here, made)
                refused = brought.refused
                if not refused:
                    history.set_head(here.branch, made.commit)
                    left, self._left = self._left, set()
                    return TakenIn(self.commit(look_at(here, left)) or made.commit, made.notes)
                looked = look_at(here, (*refused, *brought.copies), impatient)
                committed = self.commit(looked)
                if waits := looked.half.difference(brought.copies):
                    return TakenIn(None, waits=frozenset(waits))
                if committed is None and refused == before:
                    for path in refused:
                        put_aside(here, path, datetime.now())
                before = refused
        raise TryAgain("The folder is being written to all the time; the changes of others come in after that.")

    def _take_up_renames(self, unsettled: Collection[RelPath]) -> None:
        """Before somebody's edit of the old name comes in; what is just being written is left to settle."""
        if _some_gone(self.here, unsettled):
            self.commit(look_at(self.here, _moved(self.here, unsettled)))

    def commit(self, looked: Looked, agreed: bool = False) -> CommitId | None:
        """See `commit`.  What a merge put here before it was cut short is left to the merge, which is made again."""
        is_left = self.here.cut_short()
        left = {path for path, change in looked.edits.items() if is_left(path, change.now)}
        for path in left:
            del looked.edits[path]
        self._left |= left
        return commit(self.here, looked, Safety(self._vanishing, time.monotonic(), agreed))


def _merged(here: Workspace, theirs: CommitId, base: CommitId | None, said: str | None) -> Merge:
    # With the first merge and not before: a publisher to which nobody else pushes keeps the memory that it takes.
    from syncd.publisher.merge import merge

    return merge(here, theirs, base, datetime.now(), said)


def _some_gone(here: Workspace, paths: Collection[RelPath]) -> bool:
    return not all(map(here.is_there, paths))


def _moved(here: Workspace, paths: Collection[RelPath]) -> frozenset[RelPath]:
    return frozenset(path for path in paths if not here.is_there(path) or not _was_just_written(here, path))


def _was_just_written(here: Workspace, path: RelPath) -> bool:
    try:
        seen = look(here.root, path)
    except (OSError, InTheWay):
        return True
    return seen is not None and time.time() - seen.stat.mtime_ns / 1e9 < _AT_REST_S
