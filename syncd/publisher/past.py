"""Earlier versions of the folder's files: every commit made here, or taken in, keeps them."""

from dataclasses import dataclass
from functools import partial

from syncd.core.entry import CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser
from syncd.core.settle import Due
from syncd.folder import place
from syncd.folder.observe import observe_file
from syncd.publisher.local import Local
from syncd.publisher.words import files
from syncd.publisher.workspace import Workspace, left_out

_FURTHEST = 2_000  # commits looked at


@dataclass(frozen=True, slots=True)
class Past:
    """A commit that changed a file; `time` is in seconds since 1970, `gone` whether it deleted the file."""

    commit: CommitId
    time: int
    author: str
    message: str
    gone: bool


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


def versions(here: Workspace, path: RelPath, limit: int = 50) -> list[Past]:
    """The commits that changed a file, newest first."""
    history, found = here.history, list[Past]()
    at = here.head
    for _ in range(_FURTHEST):
        if at is None or len(found) == limit:
            break
        commit = history.look_up(at)
        before = commit.parents[0] if commit.parents else None
        now = history.entry(at, path)
        if now != (history.entry(before, path) if before else None):
            words = commit.message.partition("\n")[0]
            found.append(Past(at, commit.time, commit.author.name, words, now is None))
        at = before
    return found


def restore(here: Workspace, local: Local, path: RelPath | None, version: str | None) -> str:
    """Give a file, a folder or (None) everything back as it was; what that replaces is committed first.

    `version` is a commit's id or its beginning, or `original`: what the remote has.  None: the version of a file
    before its present one.  NeedsUser if there is no such version.
    """
    commit = _chosen(here, path, version)
    wanted = _wanted(here, path, commit)
    if not wanted:
        raise NeedsUser(
            f"There was nothing named “{path or here.folder}” in that version; `syncd versions` lists them."
        )
    local.take_up(Due(frozenset(wanted), False, frozenset(wanted)), agreed=True)
    with here:
        count = sum(_put(here, each, entry) for each, entry in wanted.items())
    if not count:
        return f"{path or 'Everything'} is as it was then already."
    return f"{path if path in wanted else files(count)} restored; what that replaced is among the versions."


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
        known = versions(here, path)
        here_now = here.head is not None and history.entry(here.head, path) is not None
        earlier = [each for each in known if not each.gone][1 if here_now else 0 :]
        if not earlier:
            raise NeedsUser(f"“{path}” has no earlier version here.")
        return earlier[0].commit
    found = [each.id for each in history.log(here.head, _FURTHEST) if each.id.startswith(version.lower())]
    if len(found) != 1 or len(version) < 4:
        raise NeedsUser(f"There is no single version {version} here; `syncd versions PATH` lists them.")
    return found[0]


def _wanted(here: Workspace, path: RelPath | None, commit: CommitId) -> dict[RelPath, Entry]:
    entry = here.history.entry(commit, path) if path else None
    if path and entry:
        return {path: entry}
    below = f"{path}/" if path else ""
    found = here.history.files(here.history.tree_id(commit))
    return {each: entry for each, entry in found if each.startswith(below) and here.syncs(each)}


def _put(here: Workspace, path: RelPath, entry: Entry) -> bool:
    observed = observe_file(here.root, here.cache, path, here.history.store, left_out)
    file = observed.files.get(path)
    if file is None and not observed.knows(path):
        raise place.Meanwhile(path)
    if file is not None and file.entry == entry:
        return False
    history = here.history
    content: place.Content = history.read(entry.blob) if entry.is_link else partial(history.copy, entry.blob)
    place.write(here.root, path, content, entry.mode, file.seen.stat if file else None)
    return True
