"""Put the cells of both sides in one order: mine's, with what theirs moved and added in its place."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence
from operator import lt
from typing import TypeVar

_N = TypeVar("_N", bound=Hashable)


def unmoved(ranks: Sequence[int]) -> list[bool]:
    """Which items of a sequence belong to a longest rising run of ranks; the others moved."""
    if all(map(lt, ranks, ranks[1:])):
        return [True] * len(ranks)
    tails: list[int] = []  # the smallest rank that ends a run of each length
    ends: list[int] = []
    before: list[int] = []
    for n, rank in enumerate(ranks):
        at = bisect_left(tails, rank)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(rank)
            ends.append(n)
        else:
            tails[at], ends[at] = rank, n
    still = [False] * len(ranks)
    at = ends[-1] if ends else -1
    while at >= 0:
        still[at] = True
        at = before[at]
    return still


def moved(base: Sequence[_N], now: Sequence[_N]) -> set[_N]:
    """The items that are not where they were, as few as can be."""
    rank = {item: n for n, item in enumerate(base)}
    common = [item for item in now if item in rank]
    still = unmoved([rank[item] for item in common])
    return {item for item, stays in zip(common, still, strict=True) if not stays}


def merge_order(base: Sequence[_N], mine: Sequence[_N], theirs: Sequence[_N], kept: set[_N]) -> list[_N]:
    """The order of everything in `kept`, which is what both or one of the sides hold.

    Mine's order stands.  What only theirs has, or only theirs moved, comes after its predecessor in
    theirs, or, if mine moved that away, before its successor; in front of what mine added there.
    """
    here, there = set(mine), set(theirs)
    mine_moved = moved(base, mine)
    placed = (moved(base, theirs) - mine_moved) | (there - here)
    spine = [item for item in mine if item in kept and item not in placed]
    on_spine = set(spine)
    after: defaultdict[_N | None, list[_N]] = defaultdict(list)
    runs: list[tuple[_N | None, list[_N], _N | None]] = []
    left: _N | None = None
    run: list[_N] = []
    for item in theirs:
        if item in on_spine:
            runs.append((left, run, item))
            left, run = item, []
        elif item in kept:
            run.append(item)
    runs.append((left, run, None))
    previous = _previous_shared(spine, there)
    for left, run, right in runs:
        anchor = left
        if right is not None and left in mine_moved and right not in mine_moved:
            anchor = previous[right]
        after[anchor].extend(run)
    out = list(after[None])
    for item in spine:
        out.append(item)
        out.extend(after[item])
    return out


def _previous_shared(spine: Sequence[_N], shared: set[_N]) -> dict[_N, _N | None]:
    """For every item the nearest one before it that both sides have."""
    found: dict[_N, _N | None] = {}
    last: _N | None = None
    for item in spine:
        found[item] = last
        if item in shared:
            last = item
    return found
