"""What becomes of each path when two commits are merged, renames of either side included (MERGE_SPEC I1-I13)."""

from collections.abc import Callable

from syncd.core.entry import Changes, CommitId, Entry, RelPath, parents
from syncd.core.plan import Action, Decision, Side, follow_folders, plan, take_after
from syncd.core.renames import Moves, folder_moves
from syncd.git.commits import History
from syncd.merge.similar import LARGEST_READ, find_moves


def decide(
    history: History,
    ours: CommitId | None,
    theirs: CommitId,
    mine: Changes,
    yours: Changes,
    is_staff: Callable[[RelPath], bool],
) -> tuple[Decision, ...]:
    """Plan the merge of two commits that differ from what they come from by `mine` and `yours`.

    Contents are compared only for files that both sides changed, whatever they are called now.  Nothing follows a
    rename out of what is for staff: whoever edited there did not mean to show it.
    """
    my_moves, their_moves = (
        {new: old for new, old in moves.items() if is_staff(new) or not is_staff(old)}
        for moves in (renames(history, mine, yours.__contains__), renames(history, yours, mine.__contains__))
    )
    planned = plan(mine, yours, Side.INSTRUCTOR, my_moves, their_moves)
    touched = {path for each in planned for path in (each.path, each.mine_at, *each.moved)}

    def is_free(path: RelPath, entry: Entry | None) -> bool:
        """Whether it can lie there; a merge that was cut short may have put it there already."""
        for commit in (ours, theirs):
            above = [history.item(commit, each) for each in parents(path)]
            at = history.item(commit, path)
            if (at is not None and at.entry != entry) or any(item and not item.is_folder for item in above):
                return False
        return touched.isdisjoint((path, *parents(path)))

    they_renamed = folder_moves(their_moves, lambda folder: history.item(theirs, folder) is None)
    following = follow_folders(mine, they_renamed, Side.INSTRUCTOR)
    i_renamed = folder_moves(my_moves, lambda folder: history.item(ours, folder) is None)
    coming = {each.theirs_at: each for each in take_after(yours, i_renamed) if is_free(each.path, each.theirs)}
    return (
        *(each if each.action is not Action.TAKE else coming.get(each.path, each) for each in planned),
        *(each for each in following if each.mine_at not in touched and is_free(each.path, each.mine)),
    )


def renames(history: History, changes: Changes, wanted: Callable[[RelPath], bool]) -> Moves:
    """One side's renames: by content, and by likeness where `wanted` says so of the old name."""

    def read(entry: Entry | None) -> bytes | None:
        return history.read(entry.blob) if entry and history.size(entry.blob) <= LARGEST_READ else None

    return find_moves(changes, lambda path: read(changes[path].base), lambda path: read(changes[path].now), wanted)
