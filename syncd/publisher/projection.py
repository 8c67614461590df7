"""A commit as students may have it: a tree without staff's files and with solutions replaced.

All else keeps its blobs.  The work goes with what differs from the last projection under the same rules.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.core.entry import BlobId, CommitId, Entry, RelPath
from syncd.core.staff import STAFF_FILE, Allowed, Staff, is_allowed
from syncd.git.commits import History
from syncd.git.trees import Item, item_of
from syncd.guards.solutions import CannotStrip, strip
from syncd.publisher.state_file import write_private

_VERSION = 3
"""Another one after each change of what is taken out: then nothing of before counts."""


@dataclass(frozen=True, slots=True)
class Projected:
    """What came out.  `tree` is as `History.commit` takes it; trees are hex ids, None is the empty one."""

    source: bytes | None
    rules: str
    tree: bytes | None
    left_out: Mapping[RelPath, str] = field(default_factory=dict)
    """Files that hold marks which can't be followed, and why, in a sentence; staff's files are not named."""


def project(
    history: History, commit: CommitId, allowed: Sequence[Allowed] = (), last: Projected | None = None
) -> Projected:
    """The students' tree of a commit, stored in the history.  `last` only spares work."""
    return project_tree(history, history.tree_id(commit), allowed, last)


def project_tree(
    history: History, source: bytes | None, allowed: Sequence[Allowed] = (), last: Projected | None = None
) -> Projected:
    """The same for a tree that need not be any commit's (a choice of paths, say)."""
    staff_files: dict[str, str] = {}

    def lines(folder: str) -> str:
        if folder not in staff_files:
            staff_files[folder] = _text_at(history, source, folder)
        return staff_files[folder]

    staff = Staff(lines, allowed)
    key = _key(allowed)
    same_rules = last is not None and last.rules == key and not _staff_files_differ(history, last.source, source)
    before = last if same_rules and last is not None else Projected(None, key, None)
    edits: dict[RelPath, Item | None] = {}
    left_out = dict(before.left_out)
    with history.bulk():
        for path, _, now in history.differences(before.source, source):
            left_out.pop(path, None)
            item = None if now is None or staff.is_staff(path) else now
            edits[path] = item
            entry = item.entry if item is not None else None
            if entry is None or entry.is_link or is_allowed(allowed, path, "solution"):
                continue
            try:
                edits[path] = item_of(_stripped(history, path, entry))
            except CannotStrip as problem:
                edits[path] = None
                left_out[path] = f"“{path}” {problem}: students don't get it."
        tree = history.edited(before.tree, edits)
    return Projected(source, key, tree, left_out)


class Projection:
    """The projections of one folder's commits, one after the other; the last one is kept in a file."""

    def __init__(self, history: History, file: Path) -> None:
        self._history, self._file = history, file
        self.last = load(file)
        if self.last is not None and not all(
            tree is None or history.has(CommitId(tree.hex())) for tree in (self.last.source, self.last.tree)
        ):
            self.last = None

    def of(self, commit: CommitId, allowed: Sequence[Allowed]) -> bytes | None:
        """The students' tree of a commit."""
        done = project(self._history, commit, allowed, self.last)
        if done != self.last:
            self.last = done
            save(self._file, done)
        return done.tree


def _stripped(history: History, path: RelPath, entry: Entry) -> Entry:
    content = history.read(entry.blob)
    stripped = strip(path, content)
    return entry if stripped is content or stripped == content else Entry(history.store_bytes(stripped), entry.mode)


def _text_at(history: History, tree: bytes | None, folder: str) -> str:
    item: Item | None = None
    at = tree
    for name in [*filter(None, folder.split("/")), STAFF_FILE]:
        item = history.items(at).get(name.encode("utf-8", "surrogateescape"))
        at = item.id if item is not None and item.is_folder else None
    entry = item.entry if item is not None else None
    if entry is None or entry.is_link:
        return ""
    return history.read(BlobId(entry.blob)).decode("utf-8", "replace")


def _staff_files_differ(history: History, old: bytes | None, new: bytes | None) -> bool:
    return any(path.rpartition("/")[2] == STAFF_FILE for path, _, _ in history.differences(old, new))


def _key(allowed: Sequence[Allowed]) -> str:
    told: list[Any] = [_VERSION, sorted((each.guard, each.path) for each in allowed)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def load(file: Path) -> Projected | None:
    """The last projection; None if there is none, or none that can be read: it is made anew then."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        source, tree = (bytes.fromhex(found[key]) if found[key] else None for key in ("source", "tree"))
        return Projected(source, str(found["rules"]), tree, {RelPath(p): str(w) for p, w in found["left_out"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save(file: Path, done: Projected) -> None:
    """Keep a projection for after a restart."""
    told = {
        "source": done.source.hex() if done.source else None,
        "rules": done.rules,
        "tree": done.tree.hex() if done.tree else None,
        "left_out": dict(done.left_out),
    }
    write_private(file, json.dumps(told))
