"""What was found in the folder becomes a commit, unless it looks like an accident."""

from dataclasses import dataclass

from syncd.core.entry import Change, CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser
from syncd.core.safety import Vanishing, vanished
from syncd.git.trees import item_of
from syncd.publisher import twins, words
from syncd.publisher.look import Looked
from syncd.publisher.workspace import Workspace


class Held(NeedsUser):
    """So much vanished that nothing is committed until the person says that it is meant (MERGE_SPEC I7)."""


@dataclass(frozen=True, slots=True)
class Safety:
    """The guard against accidents, and whether the person has just said "it is meant"."""

    vanishing: Vanishing
    now: float
    agreed: bool = False


def commit(here: Workspace, looked: Looked, safety: Safety) -> CommitId | None:
    """Commit what changed, durably; the new head, or None if there is nothing to commit.

    Held, with nothing done, if too much vanished.
    """
    head, history, edits = here.head, here.history, looked.edits
    before = history.tree_id(head)
    if not edits:
        _unhide(here, before, looked)
        return None
    with history.bulk():
        tree = history.edited(before, {path: item_of(change.now) for path, change in edits.items()})
    if tree == before:
        return None
    gone = _vanished(edits)
    if not safety.agreed:
        _check(here, before, tree, gone, safety)
    _unhide(here, before, looked)
    made = history.commit([head] if head else [], tree, here.author, words.message(edits))
    history.set_head(here.branch, made)
    safety.vanishing.went(safety.now, gone, sum(1 for change in edits.values() if change.now is not None))
    return made


def _unhide(here: Workspace, tree: bytes | None, looked: Looked) -> None:
    """Before the commit: a file that is in a commit and not in the folder would pass for deleted after a crash."""
    for path in sorted(looked.free):
        twins.unhide(here, tree, path)


def _vanished(edits: dict[RelPath, Change]) -> int:
    gone: list[Entry] = [change.base for change in edits.values() if change.base is not None and change.now is None]
    new: list[Entry] = [change.now for change in edits.values() if change.base is None and change.now is not None]
    return vanished(gone, new)


def _check(here: Workspace, before: bytes | None, after: bytes | None, gone: int, safety: Safety) -> None:
    if after is not None and not safety.vanishing.worth_counting(safety.now, gone):
        return
    total = sum(1 for _ in here.history.files(before))
    left = sum(1 for _ in here.history.files(after))
    if safety.vanishing.too_much(safety.now, total, left, gone):
        what = "All files" if left == 0 else f"{gone:,} of {total:,} files"
        raise Held(
            f"{what} vanished from {here.folder} at once, so nothing is published: "
            "bring them back, or resume this folder if you meant it."
        )
