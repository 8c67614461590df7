"""The history and the cache of each folder: whole, or mended from the remote and from the folder itself."""

import os
from collections.abc import Iterator
from functools import partial

from syncd.core.errors import NeedsUser
from syncd.doctor.finding import Finding, good, problem, warning
from syncd.doctor.place import Here
from syncd.folder.statcache import discard, is_sound
from syncd.git.commits import History
from syncd.git.integrity import Flaws, first_known, flaws, put_away, refetch, reset_ref
from syncd.git.pack import BLOB, object_id
from syncd.git.remote import Remote
from syncd.publisher.alone import alone
from syncd.publisher.credentials import Credentials
from syncd.publisher.registry import Folder

_ROUNDS = 10


def histories(at: Here) -> Iterator[Finding]:
    """Refs name commits that are here, and all that they show can be read."""
    for folder in at.folders:
        path = at.own(folder) / "history.git"
        if not path.exists():
            yield problem(f"The history of {folder.path} is not there; remove the folder and add it with --merge.")
            continue
        found = flaws(path, at.told)
        if found.unreadable:
            yield problem(
                f"The history in {path} can't be read ({found.unreadable}); move it away and add the folder anew."
            )
            continue
        if found.locks and not at.runs:
            yield warning(
                f"The history of {folder.path} holds {len(found.locks)} locks of a process that was killed.",
                partial(_unlock, found),
            )
        if found.refs or found.objects:
            counted = ((found.objects, "missing or spoiled objects"), (found.refs, "refs that name nothing"))
            words = " and ".join(f"{len(what)} {name}" for what, name in counted if what)
            how = (
                "end the publisher, then `syncd doctor --fix` gets them again"
                if at.runs
                else ("`syncd doctor --fix` gets them again from the remote and the folder")
            )
            mend = None if at.runs else partial(_mend, at, folder, found)
            yield problem(f"The history of {folder.path} has {words}; {how}.", mend)
        elif not found:
            yield good(f"The history of {folder.path} is whole.")


def caches(at: Here) -> Iterator[Finding]:
    """The stat cache can be read; losing it costs one look at all files."""
    for folder in at.folders:
        path = at.own(folder) / "files.sqlite"
        if path.exists() and not is_sound(path):
            mend = None if at.runs else partial(_forget, at, folder)
            yield warning(f"What is remembered of the files of {folder.path} is damaged; it is made anew.", mend)


def _unlock(found: Flaws) -> str:
    for lock in found.locks:
        lock.unlink(missing_ok=True)
    return f"{len(found.locks)} locks that were left over are removed."


def _forget(at: Here, folder: Folder) -> str:
    with alone(at.state, folder):
        pass  # nobody else has it open
    discard(at.own(folder) / "files.sqlite")
    return f"What is remembered of the files of {folder.path} is made anew at the next look."


def _mend(at: Here, folder: Folder, found: Flaws) -> str:
    path = at.own(folder) / "history.git"
    remote = Remote(folder.remote, Credentials(at.state).asker(folder.remote))
    put_away(path, found.objects)
    _refill(at, folder, found.objects)
    left = flaws(path, at.told)
    if left.objects or left.refs:
        refetch(path, remote, folder.branch)
    for _ in range(_ROUNDS):  # what was out of sight behind something that was missing comes into it
        before, left = left, flaws(path, at.told)
        if not left.objects or left.objects == before.objects:
            break
        put_away(path, left.objects)
        _refill(at, folder, left.objects)
    known = (f"refs/synced/{folder.branch}", f"refs/remotes/origin/{folder.branch}")
    for name in left.refs:
        # What the branch had beyond that is in the folder, and is committed again from there.
        reset_ref(path, name, first_known(path, known) if name == f"refs/heads/{folder.branch}" else None)
    left = flaws(path, at.told)
    if left.objects or left.refs:
        raise NeedsUser(
            f"{len(left.objects)} objects are neither at the remote nor in the folder: move {path} away and add the "
            "folder with --merge; the files in it are untouched."
        )
    return f"The history of {folder.path} is whole again."


def _refill(at: Here, folder: Folder, objects: tuple[str, ...]) -> None:
    """Take spoiled contents from the folder's own files, where those still are the same."""
    history, wanted = History(at.own(folder) / "history.git"), set(objects)
    for above, folders, names in os.walk(folder.path):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names if wanted else ():
            file = os.path.join(above, name)
            try:
                content = os.fsencode(os.readlink(file)) if os.path.islink(file) else _read(file)
            except OSError:
                continue  # the remote may have it
            oid = object_id(BLOB, content)
            if oid in wanted:
                wanted.discard(str(history.store_bytes(content)))


def _read(file: str) -> bytes:
    with open(file, "rb") as source:
        return source.read()
