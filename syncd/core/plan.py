"""What happens to each file when both sides changed: MERGE_SPEC, as one function.

Rules that bind this file:

- Only differences are planned.  A path that neither `mine` nor `theirs` names is as it was; a path
  that only `mine` names stays mine (S2, S8); so the work is that of the changes, not of the tree.
- An edit beats a deletion, on either side.
- A path is taken from a person only where something says so here, never by omission.
- Files against folders can only clash between two changes, because the base had no clash.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from syncd.core.entry import Change, Changes, Entry, RelPath, inside, parents
from syncd.core.renames import Moves


class Side(Enum):
    """Whose folder it is that the other side's changes come into."""

    STUDENT = "student"
    INSTRUCTOR = "instructor"


class Action(Enum):
    """What becomes of one path."""

    TAKE = "theirs shows"
    KEEP = "mine stays"
    MERGE = "the contents decide"
    KEEP_THEIRS_BESIDE = "mine stays, theirs is put beside it"
    TAKE_MINE_BESIDE = "theirs takes the name, mine is put beside it"
    NEWER = "the newer keeps the name, the other is put beside it"
    FOLLOW = "mine moves after the folder it was in"
    TAKE_AFTER = "theirs comes into the folder, where I moved it"


@dataclass(frozen=True, slots=True)
class Decision:
    """One path's fate.  `case` is the number in MERGE_SPEC.

    With TAKE_MINE_BESIDE, `moved` names the files of mine that go beside (below `path`, if mine is a folder).
    With a rename, `origin` is the file's path in the base, `source` where mine is now, and `target` where theirs is.
    """

    case: str
    path: RelPath
    action: Action
    base: Entry | None
    mine: Entry | None
    theirs: Entry | None
    moved: tuple[RelPath, ...] = ()
    source: RelPath | None = None
    origin: RelPath | None = None
    target: RelPath | None = None

    @property
    def mine_at(self) -> RelPath:
        """Where mine is now."""
        return self.source or self.path

    @property
    def theirs_at(self) -> RelPath:
        """Where theirs is in their tree."""
        return self.target or self.path


_CREATED, _EDITED, _DELETED = "created", "edited", "deleted"

# (mine, theirs) -> case and action, where the two sides do not agree.
_TABLE: dict[Side, dict[tuple[str, str], tuple[str, Action]]] = {
    Side.STUDENT: {
        (_EDITED, _EDITED): ("S3", Action.MERGE),
        (_EDITED, _DELETED): ("S6", Action.KEEP),
        (_DELETED, _EDITED): ("S9", Action.TAKE),
        (_CREATED, _CREATED): ("S12", Action.TAKE_MINE_BESIDE),
    },
    Side.INSTRUCTOR: {
        (_EDITED, _EDITED): ("I2", Action.MERGE),
        (_EDITED, _DELETED): ("I4", Action.KEEP),
        (_DELETED, _EDITED): ("I4", Action.TAKE),
        (_CREATED, _CREATED): ("I5", Action.NEWER),
    },
}

_UNTOUCHED = {
    Side.STUDENT: {_CREATED: "S1", _EDITED: "S1", _DELETED: "S7"},
    Side.INSTRUCTOR: {_CREATED: "I1", _EDITED: "I1", _DELETED: "I1"},
}

_AGREED = {
    Side.STUDENT: {_CREATED: "S11", _EDITED: "S3", _DELETED: "S10"},
    Side.INSTRUCTOR: {_CREATED: "I5", _EDITED: "I2", _DELETED: "I4"},
}


_RENAMED = {Side.STUDENT: ("S14", "S15", "S16"), Side.INSTRUCTOR: ("I11", "I11", "I12")}
"""By them, by me, by both."""

_NO_MOVES: Moves = {}


def plan(
    mine: Changes, theirs: Changes, side: Side, my_moves: Moves = _NO_MOVES, their_moves: Moves = _NO_MOVES
) -> tuple[Decision, ...]:
    """Decide every path that theirs changed: renames first, then clashes of file and folder, then path by path.

    Both sides' changes must start from the same base, path by path.  A move names a path that its side created and
    one of the base that the side no longer has; those of mine may be older than the base (`mine` then lacks the old
    path's deletion only if that was settled long ago).
    """
    renamed, done = _renamed(mine, theirs, my_moves, their_moves, side)
    left = {path: change for path, change in theirs.items() if path not in done}
    clashes = _clashes(mine, left, side)
    settled = {decision.path for decision in clashes} | {path for d in clashes for path in d.moved}
    single = [_decide(path, mine.get(path), change, side) for path, change in left.items() if path not in settled]
    return (*renamed, *clashes, *sorted(single, key=lambda decision: decision.path))


def follow_folders(mine: Changes, folders: Moves, side: Side) -> tuple[Decision, ...]:
    """S17, I13: what I made in a folder that they renamed (old -> new, in `folders`) goes where the folder went."""
    case = "S17" if side is Side.STUDENT else "I13"
    return tuple(
        Decision(case, to, Action.FOLLOW, None, now, None, source=path) for path, to, now in _led(mine, folders)
    )


def take_after(theirs: Changes, folders: Moves) -> tuple[Decision, ...]:
    """I13: what they made in a folder that I renamed comes into it where it is now."""
    return tuple(
        Decision("I13", to, Action.TAKE_AFTER, None, None, now, target=path) for path, to, now in _led(theirs, folders)
    )


def _led(changes: Changes, folders: Moves) -> Iterator[tuple[RelPath, RelPath, Entry]]:
    """What was created in a folder that is elsewhere for the other side: its path, where that is, and what it is."""
    for path, change in sorted(changes.items()) if folders else ():
        home = next((folder for folder in reversed(parents(path)) if folder in folders), None)
        if home is not None and change.base is None and change.now is not None:
            yield path, RelPath(folders[home] + path[len(home) :]), change.now


def _renamed(
    mine: Changes, theirs: Changes, my_moves: Moves, their_moves: Moves, side: Side
) -> tuple[list[Decision], set[RelPath]]:
    """S14-S16, I11 and I12, and the paths of theirs that are settled by them.

    A rename that meets nothing of the other side's is left to the plain rules; so is one to a name that clashes with
    something else of the other side's, or that takes the place of the very folder (S12, S13): the files are then two.
    """
    by_them, by_me, by_both = _RENAMED[side]
    my_name = {old: new for new, old in my_moves.items()}
    their_name = {old: new for new, old in their_moves.items()}
    out: list[Decision] = []
    done: set[RelPath] = set()
    i_have, they_have = _Names(mine), _Names(theirs)
    for old in sorted(my_name.keys() | their_name.keys()):
        m, n = my_name.get(old, old), their_name.get(old, old)
        my, their = mine.get(m), theirs.get(n)
        if my is None or my.now is None or their is None or their.now is None:
            continue  # untouched or deleted on one side
        base = (theirs.get(old) or mine.get(old) or their).base
        if base is None:
            continue
        if they_have.meet(m, {old, n}) or (m == old and (i_have.meet(n, {old}) or inside(old, n))):
            continue
        if m == old:
            case, path, settled = by_them, n, {old, n}
        elif n == old:
            case, path, settled = by_me, m, {old}
        else:
            case, path, settled = by_both, m, {n}
        out.append(Decision(case, path, Action.MERGE, base, my.now, their.now, source=m, origin=old, target=n))
        done |= settled
    return out, done


class _Names:
    """The paths that one side made or changed, and the folders that they lie in."""

    def __init__(self, changes: Changes) -> None:
        self._paths = {path for path, change in changes.items() if change.now is not None}
        self._folders = Counter(folder for path in self._paths for folder in parents(path))

    def meet(self, name: RelPath, but: set[RelPath]) -> bool:
        """Whether one of them, `but` these, is `name`, lies below it, or is a file where it needs a folder."""
        below = self._folders[name] - sum(inside(path, name) for path in but & self._paths)
        return below > 0 or any(path in self._paths and path not in but for path in (name, *parents(name)))


def _kind(change: Change) -> str:
    if change.now is None:
        return _DELETED
    return _CREATED if change.base is None else _EDITED


def _decide(path: RelPath, mine: Change | None, theirs: Change, side: Side) -> Decision:
    if mine is None:
        case = _UNTOUCHED[side][_kind(theirs)]
        return Decision(case, path, Action.TAKE, theirs.base, theirs.base, theirs.now)
    if mine.base != theirs.base:
        raise ValueError(f"the two sides of {path} start from different bases")
    if mine.now == theirs.now:
        return Decision(_AGREED[side][_kind(theirs)], path, Action.TAKE, mine.base, mine.now, theirs.now)
    case, action = _TABLE[side][_kind(mine), _kind(theirs)]
    return Decision(case, path, action, mine.base, mine.now, theirs.now)


def _clashes(mine: Changes, theirs: Changes, side: Side) -> list[Decision]:
    """Where one side has a file and the other a folder of that name (S13, I6), outermost only."""
    i_have = {path for path, change in mine.items() if change.now is not None}
    they_have = {path for path, change in theirs.items() if change.now is not None}
    my_file = {folder for path in they_have for folder in parents(path) if folder in i_have}
    my_folder = {folder for path in i_have for folder in parents(path) if folder in they_have}
    out: list[Decision] = []
    for path in sorted(my_file | my_folder):
        if any(inside(path, above.path) for above in out):
            continue
        if path in my_file:
            entry = mine[path].now
            out.append(_clash(side, path, Action.TAKE_MINE_BESIDE, mine[path].base, entry, None, (path,)))
        elif side is Side.STUDENT:
            moved = tuple(sorted(p for p in i_have if inside(p, path)))
            base, now = theirs[path].base, theirs[path].now
            out.append(_clash(side, path, Action.TAKE_MINE_BESIDE, base, None, now, moved))
        else:
            base, now = theirs[path].base, theirs[path].now
            out.append(_clash(side, path, Action.KEEP_THEIRS_BESIDE, base, None, now, ()))
    return out


def _clash(
    side: Side,
    path: RelPath,
    action: Action,
    base: Entry | None,
    mine: Entry | None,
    theirs: Entry | None,
    moved: tuple[RelPath, ...],
) -> Decision:
    return Decision("S13" if side is Side.STUDENT else "I6", path, action, base, mine, theirs, moved)
