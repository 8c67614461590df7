"""Earlier versions of the folder's files: every commit made here, or taken in, keeps them."""

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from syncd.core.entry import CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser
from syncd.core.progress import Progress, Told, nobody
from syncd.core.settle import Due
from syncd.folder import place
from syncd.folder.observe import observe_file
from syncd.folder.root import InTheWay
from syncd.publisher import checkpoints
from syncd.publisher.local import Local
from syncd.publisher.words import files
from syncd.publisher.workspace import Workspace

_FURTHEST = 2_000  # commits looked at
_NAMED = 20  # files of a commit that are named


@dataclass(frozen=True, slots=True)
class Past:
    """A commit that changed a file; `time` is in seconds since 1970, `gone` whether it deleted the file.

    `checkpoints` are those that have the file just so.
    """

    commit: CommitId
    time: int
    author: str
    message: str
    gone: bool
    checkpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A name in a folder."""

    name: str
    folder: bool


def listing(here: Workspace, path: RelPath) -> list[Listed]:
    """What a folder ('' the whole one) held at the last commit: folders first.  NeedsUser if it is none."""
    history = here.history
    item = history.item(here.head, path) if path else None
    tree = item.id if item is not None and item.is_folder else None
    if path and tree is None:
        raise NeedsUser(f"There is no folder “{path}” here.")
    if not path:
        tree = history.tree_id(here.head)
    found = [
        Listed(raw.decode("utf-8", "surrogateescape"), item.is_folder) for raw, item in history.items(tree).items()
    ]
    return sorted(found, key=lambda each: (not each.folder, each.name.casefold(), each.name))


@dataclass(frozen=True, slots=True)
class Deed:
    """One commit for people; `files` names at most twenty of `count`, each with `add`, `update` or `delete`."""

    commit: CommitId
    time: int
    author: str
    message: str
    count: int
    files: tuple[tuple[RelPath, str], ...]
    checkpoints: tuple[str, ...] = ()


def log(here: Workspace, path: RelPath | None = None, limit: int = 30) -> list[Deed]:
    """What was done to the folder, or to a file or folder in it, by whomever; newest first."""
    history, found = here.history, list[Deed]()
    names: dict[CommitId, list[str]] = {}
    for each in checkpoints.known(history):
        names.setdefault(each.commit, []).append(each.name)
    for commit in history.log(here.head, _FURTHEST if path else limit):
        if path:
            now = history.item(commit.id, path)
            before = [history.item(parent, path) for parent in commit.parents] or [None]
            if any(each == now for each in before):
                continue  # as it was on one of the sides
        changes = history.changes(commit.parents[0] if commit.parents else None, commit.id)
        mine = [name for name in sorted(changes) if not path or name == path or name.startswith(f"{path}/")]
        files = tuple(
            (name, "add" if changes[name].base is None else "delete" if changes[name].now is None else "update")
            for name in mine[:_NAMED]
        )
        by, said, marks = commit.author.name, commit.message.strip(), tuple(names.get(commit.id, ()))
        found.append(Deed(commit.id, commit.time, by, said, len(mine), files, marks))
        if len(found) == limit:
            break
    return found


def _changed(here: Workspace, path: RelPath, limit: int = 50) -> list[Past]:
    """The commits that changed a file or folder, newest first."""
    history, found = here.history, list[Past]()
    at = here.head
    for _ in range(_FURTHEST):
        if at is None or len(found) == limit:
            break
        commit = history.look_up(at)
        before = commit.parents[0] if commit.parents else None
        now = history.item(at, path)
        if now != (history.item(before, path) if before else None):
            words = commit.message.partition("\n")[0]
            found.append(Past(at, commit.time, commit.author.name, words, now is None))
        at = before
    return found


def versions(here: Workspace, path: RelPath) -> list[Past]:
    """The versions of a file or folder, newest first, each with the checkpoints that hold it.

    A checkpoint of another branch's may hold a version of its own; the first one is the present one all the same.
    """
    history, found = here.history, _changed(here, path)
    for each in checkpoints.known(history) if found else ():
        item = history.item(each.commit, path)
        if item is None:
            continue
        same = [n for n, version in enumerate(found) if history.item(version.commit, path) == item]
        n = next((n for n in same if found[n].time <= each.time), same[-1] if same else None)
        if n is not None:
            found[n] = replace(found[n], checkpoints=(*found[n].checkpoints, each.name))
        else:
            n = next((n for n, version in enumerate(found) if n and version.time <= each.time), len(found))
            words = each.message.partition("\n")[0] or history.look_up(each.commit).message.partition("\n")[0]
            found.insert(n, Past(each.commit, each.time, each.author, words, False, (each.name,)))
    return found


def restore(here: Workspace, local: Local, path: RelPath | None, version: str | None, told: Told = nobody) -> str:
    """Give a file, a folder or (None) everything back as it was; what that replaces is committed first.

    `version` is a commit's id or its beginning, or `original`: what the remote has, or `@` and seconds since 1970:
    what was here then.  None: the version of a file before its present one.  What came into a folder since then
    stays.  NeedsUser if there is no such version.
    """
    commit = _chosen(here, path, version)
    wanted = _wanted(here, path, commit)
    if not wanted:
        raise NeedsUser(
            f"There was nothing named “{path or here.folder}” in that version; `syncd versions` lists them."
        )
    # What is there now becomes a version first.  What is gone has nothing to keep: its deletion is never committed.
    with here:
        kept = frozenset(each for each in wanted if _is_there(here, each))
    local.take_up(Due(kept, False, kept), agreed=True)
    with here:
        done = 0
        for number, (each, entry) in enumerate(wanted.items()):
            told(Progress("Restoring", number, len(wanted), "files"))
            done += _put(here, each, entry)
    if not done:
        return f"{path or 'Everything'} is as it was then already."
    return f"{path if path in wanted else files(done)} restored; what that replaced is among the versions."


def _is_there(here: Workspace, path: RelPath) -> bool:
    try:
        with here.root.above(path) as (folder, name):
            folder.lstat(name)
    except (FileNotFoundError, InTheWay):
        return False
    return True


def _chosen(here: Workspace, path: RelPath | None, version: str | None) -> CommitId:
    history = here.history
    if version == "original":
        agreed = history.agreed(here.branch)
        if agreed is None:
            raise NeedsUser("Nothing was published yet, so there is no original to go back to.")
        return agreed
    if version is None:
        if path is None:
            raise NeedsUser("Say which version of everything: --original for what the remote has.")
        known = _changed(here, path)
        here_now = here.head is not None and history.item(here.head, path) is not None
        earlier = [each for each in known if not each.gone][1 if here_now else 0 :]
        if not earlier:
            raise NeedsUser(f"“{path}” has no earlier version here.")
        return earlier[0].commit
    if version.startswith("@"):
        return _at(here, version[1:])
    checkpoint = checkpoints.named(history, version)
    if checkpoint is not None:
        return checkpoint
    known_ids = {each.id for each in history.log(here.head, _FURTHEST)}
    known_ids.update(each.commit for each in checkpoints.known(history))
    found = [id for id in known_ids if id.startswith(version.lower())]
    if len(found) != 1 or len(version) < 4:
        raise NeedsUser(f"There is no single version {version} here; `syncd versions PATH` lists them.")
    return found[0]


def _at(here: Workspace, seconds: str) -> CommitId:
    """The last commit up to a moment, along what the folder itself went through."""
    moment = float(seconds) if seconds.replace(".", "", 1).isdigit() else -math.inf
    at = here.head
    for _ in count():
        if at is None:
            break
        commit = here.history.look_up(at)
        if commit.time <= moment:
            return at
        at = commit.parents[0] if commit.parents else None
    raise NeedsUser("Nothing of this folder is kept from so long ago; `syncd log` shows how far back it goes.")


def _wanted(here: Workspace, path: RelPath | None, commit: CommitId) -> dict[RelPath, Entry]:
    entry = here.history.entry(commit, path) if path else None
    if path and entry:
        return {path: entry}
    below = f"{path}/" if path else ""
    found = here.history.files(here.history.tree_id(commit))
    return {each: entry for each, entry in found if each.startswith(below) and here.syncs(each, entry)}


def _put(here: Workspace, path: RelPath, entry: Entry) -> bool:
    observed = observe_file(here.root, here.cache, path, here.history.store, here.left_out)
    file = observed.files.get(path)
    if file is None and not observed.knows(path):
        raise place.Meanwhile(path)
    if file is not None and file.entry == entry:
        return False
    history = here.history
    content: place.Content = history.read(entry.blob) if entry.is_link else partial(history.copy, entry.blob)
    place.write(here.root, path, content, entry.mode, file.seen.stat if file else None)
    return True
