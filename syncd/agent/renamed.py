"""What becomes of each file of a student's folder, renames of either side included (MERGE_SPEC S1-S18)."""

from collections.abc import Mapping

from syncd.blobs import Snapshot
from syncd.core.entry import Change, Entry, RelPath
from syncd.core.plan import Decision, Side, follow_folders, plan
from syncd.core.renames import folder_moves
from syncd.merge.similar import LARGEST_READ, find_moves
from syncd.view import Mine, View


def decide(
    view: View, seen: Mapping[RelPath, Mine], theirs: Mapping[RelPath, Change], to: Snapshot
) -> tuple[Decision, ...]:
    """Plan an update.  FileNotFoundError if a file of the student's vanished meanwhile.

    A student's rename is known by the view or by content; contents are compared only for files that the other side
    changed as well, so an update costs what both sides did, not what either has.
    """
    mine = {path: each.change for path, each in seen.items()}

    def before(changes: Mapping[RelPath, Change], path: RelPath) -> bytes | None:
        return _blob(to, changes[path].base)

    known = {new: old for new, old in view.origins().items() if new in mine and mine[new].base is None}
    unknown = {path: change for path, change in mine.items() if path not in known and path not in known.values()}
    my_moves = known | dict(
        find_moves(unknown, lambda path: before(unknown, path), view.content, lambda old: old in theirs)
    )
    their_moves = find_moves(
        theirs, lambda path: before(theirs, path), lambda path: _blob(to, theirs[path].now), lambda old: old in mine
    )
    folders = folder_moves(their_moves, lambda folder: to.manifest.find(folder) is None)
    decisions = plan(mine, theirs, Side.STUDENT, my_moves, their_moves)
    settled = {path for d in decisions for path in (d.source or d.path, *d.moved)}
    following = [
        decision
        for decision in follow_folders(mine, folders, Side.STUDENT)
        if decision.source not in settled and _is_free(view, to, decision.path)
    ]
    return (*decisions, *following)


def _blob(to: Snapshot, entry: Entry | None) -> bytes | None:
    if entry is None:
        return None
    where = to.blobs.path(entry.blob)
    try:
        return where.read_bytes() if where.stat().st_size <= LARGEST_READ else None
    except FileNotFoundError:
        return None  # the node let go of it: then only the same content is a rename


def _is_free(view: View, to: Snapshot, path: RelPath) -> bool:
    above, _, name = path.rpartition("/")
    return to.manifest.find(path) is None and name not in view.names(RelPath(above) or None)
