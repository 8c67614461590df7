"""Which cell of one version is which cell of another: by id, else by content; never quadratic."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from syncd.git.lines import changed_lines
from syncd.merge.notebook import Cell
from syncd.merge.order import unmoved

_word = re.compile(r"\w+")
_anything = re.compile("")
_LOOKED_AT = 4000  # characters of a source that similarity looks at
_SMALL_GAP = 6  # a gap of so many cells a side is compared all against all
_RARE = 8  # a word in more cells than this tells nothing
_ALIKE = 0.4  # of the words, for cells in the same place
_ALIKE_ELSEWHERE = 0.7
_ID_TRUST = 2  # so many cells found under another id, and more than half of the changed ones: ids mean nothing


class Matching:
    """Pairs of indices, each at most once a side."""

    def __init__(self, old: Sequence[Cell], new: Sequence[Cell]) -> None:
        self.old, self.new = old, new
        self.to_new: list[int | None] = [None] * len(old)
        self.to_old: list[int | None] = [None] * len(new)
        self.ids_tell = False
        """Whether cells with two ids are two cells; not so where a tool made up new ids."""

    def pair(self, old: int, new: int) -> None:
        """Note a pair, unless one of the two has its partner already."""
        if self.to_new[old] is None and self.to_old[new] is None:
            self.to_new[old], self.to_old[new] = new, old

    def strangers(self, old: int, new: int) -> bool:
        """Whether names or ids say that two cells are different ones."""
        a, b = self.old[old], self.new[new]
        return (self.ids_tell and bool(a.id and b.id)) or _rivals(a, b)

    def open_old(self) -> list[int]:
        """The old cells without a partner."""
        return [n for n, partner in enumerate(self.to_new) if partner is None]

    def open_new(self) -> list[int]:
        """The new cells without a partner."""
        return [n for n, partner in enumerate(self.to_old) if partner is None]


def match_cells(old: Sequence[Cell], new: Sequence[Cell], places_tell: bool = True) -> Matching:
    """Find each old cell's successor among the new ones.

    `places_tell` says that these are whole notebooks: who stands between the same neighbours is likely to be the same.
    """
    found = Matching(old, new)
    _by_name(found)
    if not found.open_old() or not found.open_new():
        return found
    _same_in_order(found)
    _same_elsewhere(found, _word)
    if found.open_old() and found.open_new():
        if places_tell:
            _alike_nearby(found)
        _alike_elsewhere(found)
    if places_tell and found.open_old() and found.open_new():
        _filled_in(found)
    _same_elsewhere(found, _anything)
    return found


def _by_name(found: Matching) -> None:
    pairs = _unique(_ids(found.old), _ids(found.new))
    if not _misleading(found, pairs):
        found.ids_tell = 2 * len(pairs) >= min(sum(bool(cell.id) for cell in side) for side in (found.old, found.new))
        for old, new in pairs:
            found.pair(old, new)
    for old, new in _unique(_names(found.old), _names(found.new)):
        found.pair(old, new)


def _ids(cells: Sequence[Cell]) -> Iterator[tuple[str, int]]:
    return ((cell.id, n) for n, cell in enumerate(cells) if cell.id)


def _names(cells: Sequence[Cell]) -> Iterator[tuple[str, int]]:
    return ((name, n) for n, cell in enumerate(cells) for name in cell.names)


def _unique(old: Iterable[tuple[str, int]], new: Iterable[tuple[str, int]]) -> list[tuple[int, int]]:
    """Pairs of positions with the same key, where the key occurs once a side."""
    once: list[dict[str, int]] = []
    for side in (old, new):
        keys: dict[str, int] = {}
        double = set()
        for key, n in side:
            if key in keys:
                double.add(key)
            keys[key] = n
        once.append({key: n for key, n in keys.items() if key not in double})
    return [(n, once[1][key]) for key, n in once[0].items() if key in once[1]]


def _misleading(found: Matching, pairs: list[tuple[int, int]]) -> bool:
    """Whether ids merely count the cells (some tools write them so): an insertion then shifts every content."""
    changed = [(o, n) for o, n in pairs if found.old[o].source != found.new[n].source]
    if len(changed) < _ID_TRUST:
        return False
    moved = {o for o, n in _unique(_contents(found.old), _contents(found.new)) if found.old[o].id != found.new[n].id}
    lost = sum(o in moved for o, _ in changed)
    return lost >= _ID_TRUST and 2 * lost > len(changed)


def _contents(cells: Sequence[Cell]) -> Iterator[tuple[str, int]]:
    return ((_key(cell), n) for n, cell in enumerate(cells) if len(cell.source) > 2)


def _key(cell: Cell) -> str:
    return cell.kind + "\0" + cell.source


def _rivals(a: Cell, b: Cell) -> bool:
    """Whether two cells bear names that say they are different ones."""
    return bool(a.names and b.names) and not set(a.names) & set(b.names)


def _same_in_order(found: Matching) -> None:
    """Pair equal contents by git's line difference, one line for a cell, so that doubles stay in order."""
    numbers: dict[str, int] = {}
    sides = []
    for cells, partners in ((found.old, found.to_new), (found.new, None)):
        lines = []
        for n, cell in enumerate(cells):
            partner = n if partners is None else partners[n]
            anchored = found.to_old[n] is not None if partners is None else partner is not None
            key = f"={partner}" if anchored else _key(cell)
            lines.append(numbers.setdefault(key, len(numbers)))
        sides.append("".join(f"{line}\n" for line in lines).encode())
    old = new = 0
    for hunk in changed_lines(*sides):
        _pair_run(found, old, new, hunk.old - old)
        old, new = hunk.old_end, hunk.new_end
    _pair_run(found, old, new, len(found.old) - old)


def _pair_run(found: Matching, old: int, new: int, count: int) -> None:
    for n in range(count):
        if not _rivals(found.old[old + n], found.new[new + n]):
            found.pair(old + n, new + n)


def _same_elsewhere(found: Matching, holding: re.Pattern[str]) -> None:
    """Pair equal contents that moved, where there is just one such cell a side."""
    old = ((_key(found.old[n]), n) for n in found.open_old() if holding.search(found.old[n].source))
    new = ((_key(found.new[n]), n) for n in found.open_new())
    for o, n in _unique(old, new):
        if not _rivals(found.old[o], found.new[n]):
            found.pair(o, n)


Gap = tuple[list[int], list[int]]


def _gaps(found: Matching) -> list[Gap]:
    """The cells without partner between neighbours that have one, side by side."""
    fixed = [(o, n) for o, n in enumerate(found.to_new) if n is not None]
    edges = [(-1, -1), *_rising(fixed), (len(found.old), len(found.new))]
    gaps = []
    for (o, n), (o_end, n_end) in pairwise(edges):
        if o + 1 < o_end or n + 1 < n_end:
            left = [i for i in range(o + 1, o_end) if found.to_new[i] is None]
            right = [i for i in range(n + 1, n_end) if found.to_old[i] is None]
            gaps.append((left, right))
    return gaps


def _rising(pairs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The pairs that did not move: a longest run that rises on both sides."""
    still = unmoved([n for _, n in pairs])
    return (pair for pair, stays in zip(pairs, still, strict=True) if stays)


def _alike_nearby(found: Matching) -> None:
    """Pair cells that were edited where they stood, by the words that one has of the other."""
    old, new = _open_words(found)
    weights = _weights([old.values(), new.values()])
    rated = []
    for o, n in _nearby(_gaps(found)):
        held, shared = _likeness(old[o], new[n], weights)
        alike = held >= _ALIKE if found.old[o].kind == found.new[n].kind else shared >= _ALIKE_ELSEWHERE
        if alike and not found.strangers(o, n):
            rated.append((-held - shared, abs(o - n), o, n))
    for _, _, o, n in sorted(rated):
        found.pair(o, n)


def _alike_elsewhere(found: Matching) -> None:
    """Pair cells that were moved and edited, by the words that both have."""
    old, new = _open_words(found)
    weights = _weights([old.values(), new.values()])
    rated = []
    for o, n in _sharing(old, new):
        shared = _likeness(old[o], new[n], weights)[1]
        if shared >= _ALIKE_ELSEWHERE and not found.strangers(o, n):
            rated.append((-shared, abs(o - n), o, n))
    for _, _, o, n in sorted(rated):
        found.pair(o, n)


def _open_words(found: Matching) -> tuple[dict[int, frozenset[str]], dict[int, frozenset[str]]]:
    """The words of all cells without a partner."""
    old, new = found.open_old(), found.open_new()
    return {n: _words(found.old[n]) for n in old}, {n: _words(found.new[n]) for n in new}


def _nearby(gaps: Iterable[Gap]) -> Iterator[tuple[int, int]]:
    """All pairs of a small gap; of a large one those in the same place counted from either end."""
    for left, right in gaps:
        if len(left) <= _SMALL_GAP and len(right) <= _SMALL_GAP:
            yield from ((o, n) for o in left for n in right)
        else:
            yield from {*zip(left, right, strict=False), *zip(reversed(left), reversed(right), strict=False)}


def _words(cell: Cell) -> frozenset[str]:
    return frozenset(_word.findall(cell.source[:_LOOKED_AT]))


def _weights(sides: Iterable[Iterable[frozenset[str]]]) -> dict[str, float]:
    """A word counts the less the more cells of a side have it: `check` in every second cell tells nothing."""
    weights: dict[str, float] = {}
    for side in sides:
        for word, count in Counter(word for words in side for word in words).items():
            weights[word] = min(weights.get(word, 1), 1 / count)
    return weights


def _likeness(a: frozenset[str], b: frozenset[str], weights: Mapping[str, float]) -> tuple[float, float]:
    """How much of the smaller cell the other holds, and how much of both they share; from 0 to 1."""
    shared, one, two = (sum(weights[word] for word in words) for words in (a & b, a, b))
    if not one or not two:
        return float(one == two), float(one == two)
    return shared / min(one, two), 2 * shared / (one + two)


def _sharing(old: dict[int, frozenset[str]], new: dict[int, frozenset[str]]) -> Iterator[tuple[int, int]]:
    """For every old cell the few new ones that share most rare words with it."""
    where: defaultdict[str, list[int]] = defaultdict(list)
    for n, words in new.items():
        for word in words:
            where[word].append(n)
    for o, words in old.items():
        votes = Counter(n for word in words if len(where.get(word, ())) <= _RARE for n in where.get(word, ()))
        yield from ((o, n) for n, _ in votes.most_common(3))


def _filled_in(found: Matching) -> None:
    """Pair an empty cell, or one that only held dots, with the only cell that stands in its place now."""
    for left, right in _gaps(found):
        if len(left) == len(right) == 1:
            old, new = found.old[left[0]], found.new[right[0]]
            if old.kind == new.kind and not _word.search(old.source) and not found.strangers(left[0], right[0]):
                found.pair(left[0], right[0])


def pair_by_place(found: Matching, wanted: Callable[[int, int], bool]) -> set[int]:
    """Pair an old cell with the only new one in its place, if that is wanted; tells which old ones."""
    paired = set()
    for left, right in _gaps(found):
        if len(left) == len(right) == 1:
            o, n = left[0], right[0]
            if found.old[o].kind == found.new[n].kind and not found.strangers(o, n) and wanted(o, n):
                found.pair(o, n)
                paired.add(o)
    return paired


def hints_of(old: Cell, new: Cell) -> bool:
    """Whether a cell that stands in another's place still has something of it."""
    a, b = _words(old), _words(new)
    return 5 * len(a & b) >= min(len(a), len(b)) > 0
