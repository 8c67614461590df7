"""The folder's last commit and the remote's become one: MERGE_SPEC I1-I6, as a commit and what it changes here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from syncd.core.beside import conflicted_copy, is_beside
from syncd.core.entry import BlobId, Change, CommitId, Entry, RelPath
from syncd.core.plan import Decision, Side
from syncd.folder.root import InTheWay
from syncd.folder.scan import look
from syncd.git.trees import Item, item_of
from syncd.merge.resolve import Note, Parties, resolve
from syncd.publisher import words
from syncd.publisher.renamed import decide
from syncd.publisher.twins import for_folder
from syncd.publisher.workspace import Workspace
from syncd.view import Hide, MoveBeside, PutBeside, Stamp, Take, Wait, Write

_LARGEST_MERGED = 50 << 20


@dataclass(frozen=True, slots=True)
class Merge:
    """A commit that holds both sides; `edits` lead the folder there from `ours`."""

    commit: CommitId
    ours: CommitId | None
    theirs: CommitId
    edits: Mapping[RelPath, Entry | None]
    shown: frozenset[RelPath]
    """Those that another name hid until now, so that they don't lie in the folder as `ours` says."""
    notes: tuple[Note, ...] = ()


def merge(here: Workspace, theirs: CommitId, base: CommitId | None, when: datetime, said: str | None = None) -> Merge:
    """Merge the folder's head with a commit of the remote's; no ref and no file is touched.

    `base` is what both sides come from; None where they have nothing in common.  `said` is the message.
    """
    history, ours = here.history, here.head
    yours = history.changes(base, theirs)
    if ours == base and history.contains(theirs, ours):
        news = {path: change.now for path, change in yours.items() if here.syncs(path, change.now)}
        return Merge(theirs, ours, theirs, *for_folder(here, history.tree_id(ours), history.tree_id(theirs), news))
    mine = history.changes(base, ours)
    shared = {path: change for path, change in yours.items() if here.syncs(path, change.now)}
    author = history.look_up(theirs).author.name
    parties = Parties(Side.INSTRUCTOR, here.author.name, author, lambda each: _is_newer(here, each, ours, theirs, base))
    stamps = {path: Stamp(change.now) for path, change in mine.items()}
    decisions = decide(history, ours, theirs, mine, shared, here.guards.is_staff)
    resolution = resolve(decisions, _Contents(here, ours), stamps, parties, when)
    edits: dict[RelPath, Entry | None] = {}
    for step in resolution.steps:
        match step:
            case Take(path):
                edits[path] = history.entry(theirs, path)
            case Write(path, content, mode):
                edits[path] = Entry(history.store_bytes(content), mode)
            case PutBeside(path, blob, mode):
                edits[path] = Entry(blob, mode)
            case MoveBeside(path, to, moved):
                for each in moved:
                    entry = history.entry(ours, each)
                    # After a crash the copy may lie there already: it is not made twice.
                    if each != path or not _is_beside_already(here, ours, path, entry):
                        edits[RelPath(to + each[len(path) :])] = entry
                    edits[each] = None
                edits[path] = history.entry(theirs, path)
            case Hide() | Wait():
                pass  # it is in theirs only, and nothing is busy here
    edits = {path: entry for path, entry in edits.items() if history.entry(ours, path) != entry}
    before = history.tree_id(ours)
    raw = {path: item_of(entry) for path, entry in edits.items()}
    with history.bulk():
        tree = history.edited(before, {**raw, **_carried(here, base, theirs)})
    said = said or words.merged(
        author, {path: Change(history.entry(ours, path), entry) for path, entry in edits.items()}
    )
    # A remote that went back to an older commit (I8) is no second parent: we have it already.
    parents = [*([ours] if ours else []), *([] if history.contains(ours, theirs) else [theirs])]
    made = history.commit(parents, tree, here.author, said)
    return Merge(made, ours, theirs, *for_folder(here, before, tree, edits), tuple(resolution.notes))


def _carried(here: Workspace, base: CommitId | None, theirs: CommitId) -> dict[RelPath, Item | None]:
    """Their changes to what never lies in the folder (submodules, litter, bad names and links): kept as they are."""
    history = here.history
    out: dict[RelPath, Item | None] = {}
    for path, was, now in history.differences(history.tree_id(base), history.tree_id(theirs)):
        odd = any(item is not None and item.entry is None for item in (was, now))
        if odd or not here.syncs(path, now.entry if now is not None else None):
            out[path] = now
    return out


def _is_beside_already(here: Workspace, ours: CommitId | None, path: RelPath, entry: Entry | None) -> bool:
    above = path.rpartition("/")[0]
    tree = here.history.item(ours, above)
    items = here.history.items(tree.id) if tree is not None and tree.is_folder else {}
    return any(
        item.entry == entry
        and is_beside(name.decode("utf-8", "surrogateescape"), path, conflicted_copy(here.author.name))
        for name, item in items.items()
    )


def _is_newer(here: Workspace, both: Decision, ours: CommitId | None, theirs: CommitId, base: CommitId | None) -> bool:
    """I3: file time against commit time; where the file is no longer ours (a crash), commit time as well."""
    assert ours is not None
    path = both.mine_at
    mine = float(here.history.changed_at(path, base, ours))
    try:
        seen = look(here.root, path)
    except (OSError, InTheWay):
        seen = None
    known = here.cache.get(path) if seen else None
    if seen and known and known.stat == seen.stat and known.entry == here.history.entry(ours, path):
        mine = min(mine, seen.stat.mtime_ns / 1e9)
    return mine >= here.history.changed_at(both.theirs_at, base, theirs)


class _Contents:
    """Contents for `resolve`: ours are those of our last commit, which is what the folder held."""

    def __init__(self, here: Workspace, ours: CommitId | None) -> None:
        self._here, self._ours = here, ours

    def mine(self, path: RelPath) -> bytes | None:
        entry = self._here.history.entry(self._ours, path)
        if entry is None:
            raise FileNotFoundError(path)
        return self.blob(entry.blob)

    def blob(self, blob: BlobId) -> bytes | None:
        history = self._here.history
        return None if history.size(blob) > _LARGEST_MERGED else history.read(blob)

    def names(self, folder: RelPath | None) -> Collection[str]:
        tree = self._here.history.item(self._ours, folder or "")
        items = self._here.history.items(tree.id) if tree is not None and tree.is_folder else {}
        out = {name.decode("utf-8", "surrogateescape") for name in items}
        try:
            with self._here.root.folder(folder or "") as at, at.entries() as entries:
                out.update(entry.name for entry in entries)
        except (OSError, InTheWay):
            return out
        return out
