"""A folder and a remote become one: everything is checked first, then the first download, upload or union."""

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from syncd.core import transfer
from syncd.core.entry import CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser
from syncd.core.progress import Told, nobody, of_transfer
from syncd.git.commits import is_branch_name
from syncd.git.remote import Behind, Remote
from syncd.publisher.credentials import Credentials
from syncd.publisher.local import Local
from syncd.publisher.look import Looked, look_everywhere
from syncd.publisher.one_daemon import FolderLock
from syncd.publisher.registry import Folder, Registry
from syncd.publisher.settings import author_of
from syncd.publisher.sizes import limits_of
from syncd.publisher.words import files
from syncd.publisher.workspace import Workspace, bad_name

_TRIES = 5
_SHOWN = 3


def add_folder(
    state: Path,
    folder: Path,
    remote: str,
    branch: str | None = None,
    token: str | None = None,
    *,
    merge: bool = False,
    subfolder: str = "",
    told: Told = nobody,
) -> str:
    """Begin to sync a folder; what was done, in a sentence.  Blocks; a SyncError says what is wrong.

    Without `branch` the remote's default is taken, or `main` if it is empty.  `token` None: the one
    that is stored for this remote, if any.  A folder and a remote that both hold something else are
    refused unless `merge`: then both sides' files stay (MERGE_SPEC I5).  With a `subfolder` the folder is that
    part of the repository, whose rest is left alone.  A publisher that runs takes
    the folder up by itself.  Nothing is kept of a failed attempt but what the folder holds.  `told` hears of
    the first download, of the files that are written, and of the upload.
    """
    registry, credentials = Registry(state), Credentials(state)
    path = Path(os.path.realpath(folder.expanduser()))
    _check_place(registry, path)
    subfolder = _inside(subfolder)
    there = Remote(remote, (lambda: token) if token else credentials.asker(remote))
    branch, head = _check_remote(there, branch)
    make_folder(path)
    lock = FolderLock(path)
    lock.take()
    id = registry.new_id()
    own = registry.own(id)
    try:
        here = Workspace(path, own, branch, author_of(state), subfolder=subfolder, limits=limits_of(state))
        try:
            here.history.told = told
            sentence = _begin(here, there, head, merge, of_transfer(told))
        finally:
            here.close()
        if token:
            credentials.store(remote, token)
        registry.add(Folder(id, path, there.address.url, branch, subfolder=subfolder))
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        raise
    finally:
        lock.release()
    return sentence


def _check_place(registry: Registry, path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise NeedsUser(f"{path} is a file and not a folder; choose a folder.")
    state = Path(os.path.realpath(registry.state))
    if path == state or path.is_relative_to(state) or state.is_relative_to(path):
        raise NeedsUser(f"{path} holds, or lies in, the state of Synced Folders; choose another folder.")
    for other in registry.folders():
        if path == other.path:
            raise NeedsUser(f"{path} is synced already, with {other.remote}; `syncd status` shows how it is.")
        if path.is_relative_to(other.path):
            raise NeedsUser(f"{path} lies in {other.path}, which is synced already; choose a folder outside of it.")
        if other.path.is_relative_to(path):
            raise NeedsUser(f"{path} holds {other.path}, which is synced already; choose another folder.")


def _check_remote(there: Remote, branch: str | None) -> tuple[str, CommitId | None]:
    """The branch to use, and what it shows; NeedsUser unless we may push there."""
    if branch is not None and not is_branch_name(branch):
        raise NeedsUser(f"{branch!r} is no name for a branch; give one like “main”.")
    branches = there.branches()
    if not there.may_push():
        raise NeedsUser(
            f"The token may read {there.address} but not write to it: make one with the right to write its contents."
        )
    if branch is None:
        branch = (there.default_branch() if branches else None) or "main"
    if branches and branch not in branches:
        known = ", ".join(sorted(branches)[:5]) + (" ..." if len(branches) > 5 else "")
        raise NeedsUser(f"{there.address} has no branch “{branch}”; it has {known}: choose one of these.")
    return branch, branches.get(branch)


def _inside(subfolder: str) -> str:
    """A path within the repository, in git's form; NeedsUser if git, or we, can't have it."""
    path = RelPath(subfolder.replace("\\", "/").strip("/"))
    parts = path.split("/")
    if path and (any(part in ("", ".", "..") for part in parts) or bad_name(path)):
        raise NeedsUser(f"“{subfolder}” can't be a folder in a repository: give a path like materials/fa26.")
    return path


def make_folder(path: Path) -> None:
    """Make the folder if it is missing.  NeedsUser unless we may read and write it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise NeedsUser(f"The folder {path} can't be made ({problem.strerror}); choose another place.") from problem
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise NeedsUser(f"The folder {path} may not be read and written; give yourself the right to, then add it.")


def _begin(here: Workspace, there: Remote, head: CommitId | None, merge: bool, told: transfer.Told) -> str:
    local, history = Local(here), here.history
    if head is not None:
        head = there.fetch(history.path, here.branch, told=told)
        if history.subfolder_is_taken(head):
            raise NeedsUser(f"What {there.address} has at that path is a file: choose a folder for --subfolder.")
    with here:
        looked = _look(here)
        mine = {path: change.now for path, change in looked.edits.items() if change.now is not None}
        if head is not None and not merge:
            _check_same(here, mine, head)
        if mine:
            local.commit(looked, agreed=True)
    notes: tuple[str, ...] = ()
    if head is not None:
        taken = local.take_in(head)
        notes = tuple(note.sentence for note in taken.notes)
        history.set_agreed(here.branch, head)
    count = sum(1 for _ in history.files(history.tree_id(here.head)))
    _publish(here, local, there, told)
    left = local.remember()
    what = f"{here.folder} is synced with {there.address}, branch {here.branch}: {files(count)}"
    if head is None:
        what += " published." if count else "; what you put there is published."
    elif mine and here.head != head:
        what += ", those of both sides."
    else:
        what += "."
    held = [why.sentence for why in left.left_out.values()]
    return " ".join([what, *_some(held), *_some(looked.warnings.values()), *notes[:3]])


def _some(sentences: Collection[str]) -> list[str]:
    shown, more = list(sentences)[:_SHOWN], len(sentences) - _SHOWN
    return [*shown, *([f"The like holds for {files(more)} more."] if more > 0 else [])]


def _look(here: Workspace) -> Looked:
    looked = look_everywhere(here)
    # Nobody is in the middle of saving: a notebook that is broken now is broken.
    return look_everywhere(here, looked.half) if looked.half else looked


def _check_same(here: Workspace, mine: Mapping[RelPath, Entry], head: CommitId) -> None:
    """Files that the remote has just so are no obstacle (a first download that was cut off)."""
    other = sorted(path for path, entry in mine.items() if here.history.entry(head, path) != entry)
    if other:
        named = ", ".join(f"“{path}”" for path in other[:3]) + (" ..." if len(other) > 3 else "")
        raise NeedsUser(
            f"{here.folder} is not empty, and the remote is not either ({files(len(other))} differ: {named}): "
            "choose an empty folder, or add it with --merge to keep both sides' files."
        )


def _publish(here: Workspace, local: Local, there: Remote, told: transfer.Told) -> None:
    history = here.history
    for _ in range(_TRIES):
        head = here.head
        if head is None or history.agreed(here.branch) == head:
            return
        try:
            there.push(history.path, head, here.branch, told=told)
            shown = there.head(here.branch)
        except Behind:
            shown = there.fetch(history.path, here.branch, told=told)
        if shown is not None and history.has(shown):
            local.take_in(shown)
            if history.contains(here.head, shown):
                history.set_agreed(here.branch, shown)
    raise NeedsUser(f"{there.address} is being written to all the time: try again in a moment.")
