"""Merge lines three-way: edits of both sides go in, where they touch the same lines mine stays.

Rules, in this order, for every place where a side differs from the base:

1. One side changed it: that change.
2. Both sides made the same edit, or one side's edit holds the other's: that edit.
3. Both changed different lines that only touch: both, in the order of the base.
4. Both changed the same lines, or inserted in the same gap: mine, and the place is reported.

Line ends, a byte order mark and a missing last line end are not lines' content: each is merged
by itself, so that an editor which rewrites them all does not make every line an edit.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from typing import TypeVar

from syncd.git.lines import Hunk, changed_lines

_T = TypeVar("_T")

BOM = b"\xef\xbb\xbf"
_LF, _CRLF, _CR, _MIXED = b"\n", b"\r\n", b"\r", b"mixed"


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines `[first, end)` of the merged content, counted from 0; empty where lines were deleted."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class MergedText:
    """The merged content, the places where mine stayed against theirs, and where theirs went in."""

    content: bytes
    kept: tuple[Lines, ...]
    taken: tuple[Lines, ...]


def merge_text(base: bytes, mine: bytes, theirs: bytes) -> MergedText:
    """Merge two versions of a text line by line; never fails, never writes a marker."""
    shapes = [_Shape.of(side) for side in (base, mine, theirs)]
    ends = {shape.end for shape in shapes} - {None}
    unify = _MIXED not in ends and ends != {_LF}
    bodies = [shape.body(side, unify) for shape, side in zip(shapes, (base, mine, theirs), strict=True)]
    content, kept, taken = _merge_bodies(*(_Side(body, _starts(body)) for body in bodies))
    if content and _pick([shape.closed for shape in shapes]) is False:
        content = content[:-1]
    end = _pick([shape.end for shape in shapes])
    if unify and end not in (None, _LF):
        content = content.replace(_LF, end or _LF)
    if _pick([shape.mark for shape in shapes]):
        content = BOM + content
    return MergedText(content, tuple(kept), tuple(taken))


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a text looks like apart from its lines; None where it is too short to tell."""

    mark: bool | None
    end: bytes | None
    closed: bool | None

    @staticmethod
    def of(content: bytes) -> "_Shape":
        if not content:
            return _Shape(None, None, None)
        feeds, returns = content.count(_LF), content.count(_CR)
        pairs = content.count(_CRLF) if feeds and returns else 0
        end: bytes | None = _LF if feeds else _CR if returns else None
        if pairs:
            end = _CRLF if pairs == feeds == returns else _MIXED
        return _Shape(content.startswith(BOM), end, content.endswith(_CR if end == _CR else _LF))

    def body(self, content: bytes, unify: bool) -> bytes:
        """The lines alone, each closed; with LF if line ends are to be unified."""
        if self.mark:
            content = content[len(BOM) :]
        if unify and self.end not in (None, _LF):
            content = content.replace(self.end or _LF, _LF)
        return content + _LF if content and not content.endswith(_LF) else content


def _pick(sides: list[_T | None]) -> _T | None:
    """Base, mine, theirs: what one side changed wins, mine where both did; None counts as unchanged."""
    base, mine, theirs = sides
    known = base if base is not None else mine
    mine = known if mine is None else mine
    theirs = known if theirs is None else theirs
    return mine if mine != known else theirs


@dataclass(frozen=True, slots=True)
class _Side:
    content: bytes
    starts: Sequence[int]

    def lines(self, first: int, end: int) -> bytes:
        return self.content[self.starts[first] : self.starts[end]]

    @property
    def count(self) -> int:
        return len(self.starts) - 1


def _starts(content: bytes) -> Sequence[int]:
    """Where each line starts, and the end: four bytes a line, no copy of the content."""
    return array("I", accumulate(map(len, BytesIO(content)), initial=0))


@dataclass(frozen=True, slots=True)
class _Place:
    """Base lines `[first, end)` with the hunks of each side there."""

    first: int
    end: int
    mine: tuple[Hunk, ...]
    theirs: tuple[Hunk, ...]

    def span(self, hunks: tuple[Hunk, ...]) -> tuple[int, int]:
        """The lines of a side, from and to, that stand where the base has this place."""
        first = hunks[0].new - (hunks[0].old - self.first)
        return first, hunks[-1].new_end + (self.end - hunks[-1].old_end)


def _merge_bodies(base: _Side, mine: _Side, theirs: _Side) -> tuple[bytes, list[Lines], list[Lines]]:
    out: list[bytes] = []
    kept: list[Lines] = []
    taken: list[Lines] = []
    at = count = 0  # the next base line, the lines written

    def copy(source: _Side, first: int, end: int) -> None:
        nonlocal count
        out.append(source.lines(first, end))
        count += end - first

    def settle(place: _Place, split: bool) -> None:
        nonlocal at
        copy(base, at, place.first)
        at = place.end
        start = count
        if not place.theirs:
            copy(mine, *place.span(place.mine))
            return
        if not place.mine:
            copy(theirs, *place.span(place.theirs))
            taken.append(Lines(start, count))
            return
        here, there = _Edit.at(place, mine, place.mine), _Edit.at(place, theirs, place.theirs)
        if here.content == there.content or there.is_in(here, base):
            copy(mine, here.first, here.end)
        elif here.is_in(there, base):
            copy(theirs, there.first, there.end)
            taken.append(Lines(start, count))
        elif split:
            at = place.first
            parts = list(_places(place.mine, place.theirs, _overlap))
            clash = any(part.mine and part.theirs for part in parts)
            for n, part in enumerate(parts):
                if not clash or not _stands_already(part, parts[max(0, n - 1) : n + 2], mine, theirs):
                    settle(part, split=False)
            copy(base, at, place.end)
            at = place.end
        else:
            copy(mine, here.first, here.end)
            kept.append(Lines(start, count))

    changes = changed_lines(base.content, mine.content), changed_lines(base.content, theirs.content)
    for place in _places(*changes, _touch):
        settle(place, split=True)
    copy(base, at, base.count)
    return b"".join(out), kept, taken


def _stands_already(part: _Place, near: Sequence[_Place], mine: _Side, theirs: _Side) -> bool:
    """Whether lines that theirs put in near a clash stand there already, from an earlier run of this merge."""
    if part.mine or part.first < part.end:
        return False
    new = _Edit.at(part, theirs, part.theirs).content
    for other in near:
        if not other.mine:
            continue
        mine_there = _Edit.at(other, mine, other.mine).content
        if other.end == part.first and mine_there.endswith(new) and (b"\n" + mine_there).endswith(b"\n" + new):
            return True
        if other.first == part.first and mine_there.startswith(new):
            return True
    return False


def _overlap(a_end: int, a_empty: bool, b: Hunk) -> bool:
    """Whether a later (or equal) hunk changes what an earlier place did, not just next to it."""
    return b.old < a_end or (a_empty and b.old == a_end == b.old_end)


def _touch(a_end: int, a_empty: bool, b: Hunk) -> bool:
    return b.old <= a_end


def _places(
    mine: Sequence[Hunk], theirs: Sequence[Hunk], joined: Callable[[int, bool, Hunk], bool]
) -> Iterator[_Place]:
    """Both sides' hunks in the order of the base, those joined to each other in one place."""
    queue = sorted([(h.old, h.old_end, 0, h) for h in mine] + [(h.old, h.old_end, 1, h) for h in theirs], key=_order)
    group: tuple[list[Hunk], list[Hunk]] = ([], [])
    first = end = 0
    empty = False
    for old, old_end, side, hunk in queue:
        if (group[0] or group[1]) and not joined(end, empty, hunk):
            yield _Place(first, end, tuple(group[0]), tuple(group[1]))
            group = ([], [])
        if not (group[0] or group[1]):
            first, end, empty = old, old_end, old == old_end
        group[side].append(hunk)
        end = max(end, old_end)
        empty = empty and old == old_end
    if group[0] or group[1]:
        yield _Place(first, end, tuple(group[0]), tuple(group[1]))


def _order(item: tuple[int, int, int, Hunk]) -> tuple[int, int, int]:
    return item[:3]


@dataclass(frozen=True, slots=True)
class _Edit:
    """One side's lines `[first, end)` that stand where the base has the place's lines."""

    place: _Place
    hunks: tuple[Hunk, ...]
    first: int
    end: int
    content: bytes

    @staticmethod
    def at(place: _Place, side: _Side, hunks: tuple[Hunk, ...]) -> "_Edit":
        first, end = place.span(hunks)
        return _Edit(place, hunks, first, end, side.lines(first, end))

    def is_in(self, other: "_Edit", base: _Side) -> bool:
        """Whether the other side's lines hold all of this edit: its new lines stand, its deleted ones don't.

        This makes a merge that is run again settle to what it gave, and a longer edit win over its beginning.
        """
        mine, theirs = list(BytesIO(self.content)), set(BytesIO(other.content))
        if any(not theirs.issuperset(mine[h.new - self.first : h.new_end - self.first]) for h in self.hunks):
            return False  # what nearly every edit is told by, without a difference of its own
        changes = changed_lines(self.content, other.content)
        starts, ends = [change.old for change in changes], [change.old_end for change in changes]
        there = _Side(other.content, _starts(other.content))
        for hunk in self.hunks:
            first, end = hunk.new - self.first, hunk.new_end - self.first
            near = [changes[n] for n in range(bisect_left(ends, first), bisect_right(starts, end))]
            if any((c.old < end and first < c.old_end) or first < c.old == c.old_end < end for c in near):
                return False
            if first == end and hunk.old_end - hunk.old == self.place.end - self.place.first:
                return False  # the other side kept something in the very lines that this one deleted
            gone = set(BytesIO(base.lines(hunk.old, hunk.old_end)))
            if gone and any(gone.intersection(BytesIO(there.lines(c.new, c.new_end))) for c in near):
                return False
        return True
