"""A merge's result goes into the folder, path by path; what was saved meanwhile is not touched.

Only then does the branch move.  Killed in between, the next start finds files of theirs in the
folder, knows them by their content (see `commit`), and makes the same merge again.
"""

from __future__ import annotations

import errno
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from syncd.core.beside import MY_COPY, beside
from syncd.core.entry import CommitId, Entry, RelPath, parents
from syncd.core.errors import NeedsUser
from syncd.core.progress import Progress
from syncd.folder import place
from syncd.folder.hash import Hashed
from syncd.folder.observe import observe_file
from syncd.folder.place import Meanwhile
from syncd.folder.root import InTheWay
from syncd.folder.scan import StatId, look
from syncd.publisher.twins import is_twin
from syncd.publisher.workspace import Workspace

if TYPE_CHECKING:
    from syncd.publisher.merge import Merge

_FEW = 8


class NoRoom(NeedsUser):
    """The folder's disk is full; that may be over at any time."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it.  Whoever commits before merging again commits the copies, so that they are not made twice."""

    refused: tuple[RelPath, ...]
    """What is not as our commit says, or stands in the way: to look at, and then to merge again."""
    copies: tuple[RelPath, ...]
    """What was put beside something: neither side has it."""


def bring(here: Workspace, merge: Merge) -> Brought:
    """Make the folder show the merge, but for what was saved meanwhile.

    The rest is in place then, durably; bringing it twice is the same as once.
    """
    work = _Bringing(here, merge)
    waves = _waves(here, merge)
    for wave in waves:
        work.bring(wave)
    return Brought(tuple(work.refused), tuple(path for path, _ in waves[0]))


def put_aside(here: Workspace, path: RelPath, when: datetime) -> RelPath | None:
    """Rename what stands in the way of a file of theirs and is not ours to publish; its new name, None if nothing does.

    That is a folder of litter, a file that is too large, a fifo; or such a file where a folder is needed; or any of
    them under a name that the disk takes for this one.
    """
    for blocking in [*parents(path), path]:
        above, _, name = blocking.rpartition("/")
        try:
            with here.root.folder(above) as folder:
                with folder.entries() as entries:
                    taken = {entry.name for entry in entries}
                spelt = next((each for each in sorted(taken) if is_twin(here, each, name)), name)
                is_folder = stat.S_ISDIR(folder.lstat(spelt).st_mode)
        except FileNotFoundError:
            return None
        if is_folder and blocking != path and spelt == name:
            continue
        blocked = RelPath(f"{above}/{spelt}" if above else spelt)
        if is_folder and spelt != name:
            place.prune(here.root, blocked)
        to = beside(blocked, MY_COPY, when, taken, folder=is_folder)
        with suppress(FileNotFoundError):
            place.move(here.root, blocked, to)
        return to
    return None


_Wave = list[tuple[RelPath, Entry | None]]


def _waves(here: Workspace, merge: Merge) -> list[_Wave]:
    """Copies first, so that nothing is gone before it is beside; then removals, which make room; then the rest."""
    copies: _Wave = []
    removals: _Wave = []
    others: _Wave = []
    for path, entry in sorted(merge.edits.items(), key=lambda item: item[0]):
        if entry is None:
            removals.append((path, entry))
        elif _at(here, merge.ours, path) is None and _at(here, merge.theirs, path) is None:
            copies.append((path, entry))
        else:
            others.append((path, entry))
    return [copies, removals, others]


def _at(here: Workspace, commit: CommitId | None, path: RelPath) -> Entry | None:
    return here.history.entry(commit, path)


class _Bringing:
    """Wave by wave; a wave of many files is made durable by one flush before it takes its place, and one after."""

    def __init__(self, here: Workspace, merge: Merge) -> None:
        self._here, self._merge = here, merge
        self.refused: list[RelPath] = []
        self._done = 0

    def bring(self, wave: _Wave) -> None:
        at_once = len(wave) > _FEW and place.can_flush()
        self._check_room(wave, together=at_once)
        ready: list[tuple[place.Prepared, Entry, int]] = []
        try:
            for path, entry in wave:
                self._here.history.told(Progress("Writing files", self._done, len(self._merge.edits), "files"))
                self._done += 1
                with self._refusals(path):
                    prepared = self._prepare(path, entry, durable=not at_once)
                    if prepared is not None and entry is not None:
                        ready.append((prepared, entry, self._here.cache.now_ns()))
                if ready and not at_once:
                    self._finish(ready, durable=True)
            if at_once:
                if ready:
                    place.flush(self._here.root)
                    self._finish(ready, durable=False)
                place.flush(self._here.root)
        finally:
            for prepared, _, _ in ready:
                place.abandon(self._here.root, prepared)

    def _check_room(self, wave: _Wave, *, together: bool) -> None:
        """The last free bytes of a disk are not taken from the person for what can't be whole anyway."""
        sizes = [self._missing(path, entry) for path, entry in wave if entry is not None]
        room = shutil.disk_usage(self._here.folder)
        # Some file systems (rclone's, simple FUSE ones) say that they have no bytes at all: then nobody knows.
        if room.total and (sum(sizes) if together else max(sizes, default=0)) > room.free:
            raise NoRoom(_FULL)

    def _missing(self, path: RelPath, entry: Entry) -> int:
        """Bytes that a file will need; none if one of its size lies there, as after a crash."""
        size = self._here.history.size(entry.blob)
        try:
            seen = look(self._here.root, path)
        except (OSError, InTheWay):
            return size
        return 0 if seen is not None and seen.stat.size == size else size

    def _finish(self, ready: list[tuple[place.Prepared, Entry, int]], *, durable: bool) -> None:
        placed: list[tuple[Hashed, int]] = []
        while ready:
            prepared, entry, began = ready.pop()
            with self._refusals(prepared.path):
                placed.append((Hashed(place.finish(self._here.root, prepared, durable=durable), entry), began))
        self._here.cache.put(placed)

    def _prepare(self, path: RelPath, entry: Entry | None, *, durable: bool) -> place.Prepared | None:
        """Lay a content ready, or remove a file; None if nothing is left to do for the path."""
        here = self._here
        observed = observe_file(here.root, here.cache, path, here.history.store, here.left_out)
        file = observed.files.get(path)
        if file is None and not observed.knows(path):
            raise Meanwhile(path)
        now = file.entry if file else None
        if now == entry:
            return None
        was_hidden = now is None and path in self._merge.shown
        ours = _at(here, self._merge.ours, path)
        if ours is not None and not here.syncs(path, ours):
            ours = None  # it was never here
        if not was_hidden and now not in (ours, _at(here, self._merge.theirs, path)):
            raise Meanwhile(path)
        expect: StatId | None = file.seen.stat if file else None
        if entry is None:
            assert expect is not None, "what is not there equals what shall not be there"
            place.remove(here.root, path, expect, durable=durable)
            here.cache.forget([path])
            return None
        history = here.history
        content: place.Content = history.read(entry.blob) if entry.is_link else partial(history.copy, entry.blob)
        return place.prepare(here.root, path, content, entry.mode, expect, durable=durable)

    @contextmanager
    def _refusals(self, path: RelPath) -> Iterator[None]:
        try:
            yield
        except InTheWay as problem:
            self.refused += [path, problem.path]
        except (Meanwhile, FileNotFoundError):
            self.refused.append(path)
        except OSError as problem:
            raise _sentence(path, problem) from problem


_FULL = "The disk is full: free some space, then the changes of others come in by themselves."


def _sentence(path: RelPath, problem: OSError) -> NeedsUser:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(_FULL)
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NeedsUser(f"“{path}” can't be written: give yourself the right to write the folder it is in.")
    return NeedsUser(f"“{path}” can't be written ({problem.strerror}): check the disk.")
