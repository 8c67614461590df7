"""Carry out the moves of an update in a plain folder, the first time or again after a kill.

Every move looks first at what is there: what it leaves means that it was made, what it expects
means that it can be made, anything else is a person's work of meanwhile and is left alone: the
move is refused.  So a refusal is always safe; the path waits and is planned anew.

Removals come first (a folder that goes aside takes none of the old commit's files along), then
what goes aside, then the new contents, then the old names of files that moved.
"""

import errno
import os
from collections.abc import Iterable, Mapping
from datetime import datetime

from syncd.agent.journal import Aside, Move, Put
from syncd.agent.staging import FOLDER
from syncd.core.beside import MY_COPY, beside
from syncd.core.entry import Entry, RelPath
from syncd.core.errors import TryAgain
from syncd.core.ignore import ASIDE
from syncd.folder import place
from syncd.folder.hash import Hashed
from syncd.folder.observe import observe_file
from syncd.folder.root import InTheWay, Root
from syncd.folder.statcache import StatCache

_THIS_PATH_ONLY = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EXDEV)
"""What a file system may say to one name while all others are well; a full or broken disk is not among them."""


class Unclear(TryAgain):
    """What is at a path can't be told now: it is being written, or may not be read."""


def passed_over(path: RelPath, folder: bool) -> bool:
    """What no scan of a student's folder looks at: our own asides, and the student's own git, which no commit touches.

    All other litter counts: courses have been seen that commit theirs.
    """
    name = path.rpartition("/")[2]
    return name.startswith(ASIDE) or name.lower() == ".git"


def now_at(root: Root, cache: StatCache, path: RelPath) -> Hashed | None:
    """The file at a path; None if there is none.  Unclear if that can't be told."""
    observed = observe_file(root, cache, path)
    if path in observed.unsettled or observed.unread:
        raise Unclear(f"“{path}” can't be read at the moment; it follows when it can.")
    return observed.files.get(path)


def in_order(moves: Iterable[Move]) -> tuple[Move, ...]:
    """The moves in the order in which they can be made."""

    def rank(move: Move) -> tuple[int, str]:
        if isinstance(move, Aside):
            return 1, move.path
        return (3 if move.needs else 0) if move.after is None else 2, move.path

    return tuple(sorted(moves, key=rank))


def carry_out(root: Root, cache: StatCache, moves: Iterable[Move]) -> list[Move]:
    """Make the moves, durably, and return those refused."""
    refused: list[Move] = []
    touched: set[str] = set()
    for move in moves:
        try:
            if isinstance(move, Aside):
                _go_aside(root, cache, move)
            elif move.needs is not None and any(other.path == move.needs for other in refused):
                raise place.Meanwhile(move.path)
            else:
                _put(root, cache, move)
        except (TryAgain, FileNotFoundError):
            refused.append(move)
        except OSError as problem:
            if problem.errno not in _THIS_PATH_ONLY:
                raise
            refused.append(move)
        touched.add(move.path.rpartition("/")[0])
    _sync(root, touched)
    return refused


def rescue(root: Root, cache: StatCache, moves: Iterable[Move], when: datetime) -> list[RelPath]:
    """Clear up after a kill: displaced files that no move knows are saves of the student's; each is put beside.

    Returns the names they got.
    """
    known = {entry for move in moves if isinstance(move, Put) for entry in (move.before, move.after)}
    out: list[RelPath] = []
    for leftover, name, stat in list(place.leftovers(root, passed_over)):
        found = now_at(root, cache, leftover)
        if found is None:
            continue
        if found.entry in known:
            place.discard(root, leftover, stat)
            continue
        above = leftover.rpartition("/")[0]
        with root.folder(above) as folder, folder.entries() as entries:
            taken = {entry.name for entry in entries}
        to = beside(RelPath(f"{above}/{name}" if above else name), MY_COPY, when, taken)
        place.move(root, leftover, to)
        out.append(to)
    return out


def _put(root: Root, cache: StatCache, move: Put) -> None:
    found = now_at(root, cache, move.path)
    now = None if found is None else found.entry
    if now == move.after:
        return
    if now != move.before and not move.own:
        raise place.Meanwhile(move.path)
    if move.staged is None:
        assert found is not None  # what is gone equals `after`
        place.remove(root, move.path, found.seen.stat)
        return
    path = _free(root, move) if move.own else move.path
    expect = found.seen.stat if found is not None and path == move.path else None
    if expect is None:
        _clear_empty_folder(root, path)
    with root.folder(FOLDER) as staging:
        place.install(root, path, staging, move.staged, expect)


def _free(root: Root, move: Put) -> RelPath:
    """The path, or the next free name: a copy beside another file never replaces anything."""
    above, _, name = move.path.rpartition("/")
    stem, extension = os.path.splitext(name)
    with root.folder(above, create=True) as folder, folder.entries() as entries:
        taken = {entry.name for entry in entries}
    number = 1
    while name in taken:
        number += 1
        name = f"{stem} {number}{extension}"
    return RelPath(f"{above}/{name}" if above else name)


def _clear_empty_folder(root: Root, path: RelPath) -> None:
    """Empty folders of that name, however deep, hold nothing of anybody's and make room."""
    found = [str(path)]
    for folder in found:
        try:
            with root.folder(folder) as at, at.entries() as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        return
                    found.append(f"{folder}/{entry.name}")
        except (OSError, InTheWay):
            return  # nothing is there, or a file: what comes next will tell
    for folder in reversed(found):
        with root.above(RelPath(folder)) as (above, name):
            try:
                above.rmdir(name)
            except OSError:
                return  # somebody has put something in


def _go_aside(root: Root, cache: StatCache, move: Aside) -> None:
    if inode_at(root, move.to) == move.inode:
        return
    inode = inode_at(root, move.path)
    if inode is None:
        return  # the student took it away themselves
    if inode != move.inode or not are(root, cache, move.before):
        raise place.Meanwhile(move.path)
    place.move(root, move.path, move.to)


def are(root: Root, cache: StatCache, expected: Mapping[RelPath, Entry | None]) -> bool:
    """Whether all of these paths hold what is expected."""
    for path, entry in expected.items():
        found = now_at(root, cache, path)
        if (None if found is None else found.entry) != entry:
            return False
    return True


def inode_at(root: Root, path: RelPath) -> int | None:
    """The inode of whatever is at a path; None if nothing is."""
    try:
        with root.above(path) as (folder, name):
            return folder.lstat(name).st_ino
    except (FileNotFoundError, InTheWay):
        return None


def _sync(root: Root, folders: Iterable[str]) -> None:
    for path in folders:
        try:
            with root.folder(path) as folder:
                folder.sync()
        except (FileNotFoundError, InTheWay):
            continue
