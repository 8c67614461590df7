"""What was found in the folder becomes a commit, unless it looks like an accident."""

from dataclasses import dataclass

from syncd.core.entry import Changes, CommitId, Entry
from syncd.core.errors import NeedsUser
from syncd.core.safety import Vanishing, vanished
from syncd.git.trees import item_of
from syncd.publisher import twins, words
from syncd.publisher.look import Looked
from syncd.publisher.renamed import renames
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
    gone = _vanished(edits) if safety.agreed else _check(here, before, tree, edits, safety)
    _unhide(here, before, looked)
    made = history.commit([head] if head else [], tree, here.author, words.message(edits))
    history.set_head(here.branch, made)
    safety.vanishing.went(safety.now, gone, sum(1 for change in edits.values() if change.now is not None))
    return made


def _unhide(here: Workspace, tree: bytes | None, looked: Looked) -> None:
    """Before the commit: a file that is in a commit and not in the folder would pass for deleted after a crash."""
    for path in sorted(looked.free):
        twins.unhide(here, tree, path)


def _vanished(edits: Changes) -> int:
    gone: list[Entry] = [change.base for change in edits.values() if change.base is not None and change.now is None]
    new: list[Entry] = [change.now for change in edits.values() if change.base is None and change.now is not None]
    return vanished(gone, new)


def _check(here: Workspace, before: bytes | None, after: bytes | None, edits: Changes, safety: Safety) -> int:
    """How many files vanished.  Held if that is too much."""
    gone = _vanished(edits)
    if after is not None and not safety.vanishing.worth_counting(safety.now, gone):
        return gone
    total = sum(1 for _ in here.history.files(before))
    kept = [entry.blob for _, entry in here.history.files(after)]
    if not safety.vanishing.too_much(safety.now, total, len(kept), gone):
        return gone
    # Before a person is asked: what lies elsewhere since an earlier save, or was renamed and edited, did not vanish.
    elsewhere, renamed = set(kept), set(renames(here.history, edits, lambda old: True).values())
    gone = sum(
        1
        for path, change in edits.items()
        if change.now is None and change.base and change.base.blob not in elsewhere and path not in renamed
    )
    if safety.vanishing.too_much(safety.now, total, len(kept), gone):
        what = "All files" if not kept else f"{gone:,} of {total:,} files"
        raise Held(
            f"{what} vanished from {here.folder} at once, so nothing is published: "
            "bring them back, or resume this folder if you meant it."
        )
    return gone
