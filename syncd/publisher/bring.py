"""A merge's result goes into the folder, path by path; what was saved meanwhile is not touched.

Only then does the branch move.  Killed in between, the next start finds files of theirs in the
folder, knows them by their content (see `commit`), and makes the same merge again.
"""

import errno
import stat
from datetime import datetime
from functools import partial

from syncd.core.beside import MY_COPY, beside
from syncd.core.entry import CommitId, Entry, RelPath, parents
from syncd.core.errors import NeedsUser
from syncd.folder import place
from syncd.folder.hash import Hashed
from syncd.folder.observe import observe_file
from syncd.folder.place import Meanwhile
from syncd.folder.root import InTheWay
from syncd.folder.scan import StatId
from syncd.publisher.merge import Merge
from syncd.publisher.workspace import Workspace, left_out


def bring(here: Workspace, merge: Merge) -> list[RelPath]:
    """Make the folder show the merge.  The paths that are not as our commit says: look at them, and merge again.

    The rest is in place then; bringing it twice is the same as once.
    """
    refused: list[RelPath] = []
    for path, entry in _in_order(here, merge):
        try:
            if not _bring_one(here, path, entry, {_at(here, merge.ours, path), _at(here, merge.theirs, path)}):
                refused.append(path)
        except Meanwhile:
            refused.append(path)
        except InTheWay as problem:
            refused += [path, problem.path]
        except FileNotFoundError:
            refused.append(path)
        except OSError as problem:
            raise _sentence(path, problem) from problem
    return refused


def put_aside(here: Workspace, path: RelPath, when: datetime) -> RelPath | None:
    """Rename what stands in the way of a file of theirs and is not ours to publish; its new name, None if nothing does.

    That is a folder of litter, a file that is too large, a fifo; or such a file where a folder is needed.
    """
    for blocking in [*parents(path), path]:
        above, _, name = blocking.rpartition("/")
        try:
            with here.root.folder(above) as folder:
                is_folder = stat.S_ISDIR(folder.lstat(name).st_mode)
                with folder.entries() as entries:
                    taken = {entry.name for entry in entries}
        except FileNotFoundError:
            return None
        if is_folder and blocking != path:
            continue
        to = beside(blocking, MY_COPY, when, taken, folder=is_folder)
        place.move(here.root, blocking, to)
        return to
    return None


def _in_order(here: Workspace, merge: Merge) -> list[tuple[RelPath, Entry | None]]:
    """Copies first, so that nothing is gone before it is beside; then removals, which make room; then the rest."""

    def rank(item: tuple[RelPath, Entry | None]) -> tuple[int, str]:
        path, entry = item
        if entry is None:
            return (1, path)
        ours, theirs = _at(here, merge.ours, path), _at(here, merge.theirs, path)
        return (0 if ours is None and theirs is None else 2, path)

    return sorted(merge.edits.items(), key=rank)


def _at(here: Workspace, commit: CommitId | None, path: RelPath) -> Entry | None:
    return here.history.entry(commit, path)


def _bring_one(here: Workspace, path: RelPath, entry: Entry | None, replaceable: set[Entry | None]) -> bool:
    observed = observe_file(here.root, here.cache, path, here.history.store, left_out)
    file = observed.files.get(path)
    if file is None and not observed.knows(path):
        return False
    now = file.entry if file else None
    if now == entry:
        return True
    if now not in replaceable:
        return False
    expect: StatId | None = file.seen.stat if file else None
    if entry is None:
        assert expect is not None
        place.remove(here.root, path, expect)
        here.cache.forget([path])
        return True
    history = here.history
    content: place.Content = history.read(entry.blob) if entry.is_link else partial(history.copy, entry.blob)
    began = here.cache.now_ns()
    seen = place.write(here.root, path, content, entry.mode, expect)
    here.cache.put([(Hashed(seen, entry), began)])
    return True


def _sentence(path: RelPath, problem: OSError) -> NeedsUser:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return NeedsUser("The disk is full: free some space, then the changes of others come in by themselves.")
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NeedsUser(f"“{path}” can't be written: give yourself the right to write the folder it is in.")
    return NeedsUser(f"“{path}” can't be written ({problem.strerror}): check the disk.")
