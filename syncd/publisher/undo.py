"""Undoing what was saved last here, by a new commit; what others did since stays (MERGE_SPEC, three-way)."""

from syncd.core.errors import NeedsUser
from syncd.git.commits import Commit
from syncd.publisher.local import Local
from syncd.publisher.plans import shown
from syncd.publisher.words import undoing
from syncd.publisher.workspace import Workspace

_FURTHEST = 500


def undo_last(here: Workspace, local: Local) -> str:
    """Give the files of the last commit made here their former state; a sentence.

    To undo an undoing is the same.  NeedsUser if there is nothing to undo, or a file is just being saved.
    """
    last = _last(here)
    subject = last.message.partition("\n")[0]
    if not last.parents:
        raise NeedsUser(f"“{subject}” is how this folder began, which can't be undone: delete what shall go.")
    taken = local.take_in(last.parents[0], base=last.id, said=undoing(subject))
    if taken.waits:
        named = ", ".join(f"“{shown(path)}”" for path in sorted(taken.waits)[:3])
        raise NeedsUser(f"{named} is just being saved: try again when that is done.")
    notes = " ".join(note.sentence for note in taken.notes[:3])
    return f"Done: {undoing(subject)}; `syncd undo` once more takes that back. {notes}".rstrip()


def _last(here: Workspace) -> Commit:
    """The newest commit of this person that is no merge."""
    for commit in here.history.log(here.head, _FURTHEST):
        if commit.author == here.author and len(commit.parents) < 2:
            return commit
    raise NeedsUser("Nothing was saved here yet that could be undone.")
