"""Merge notebooks cell by cell (N1-N13): which cells there are, in which order, and the rest of the file."""

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.merge.cells import MergedCell, changed_by_hand, merge_cell, source_like
from syncd.merge.fields import Clash, Value, merge_fields
from syncd.merge.ids import name_cells
from syncd.merge.json_text import Piece
from syncd.merge.match import Matching, hints_of, match_cells, pair_by_place
from syncd.merge.notebook import BOM, Cell, Notebook, in_one_format, same_notebook
from syncd.merge.order import merge_order, moved
from syncd.merge.write import Cut, Slot, Writer, splice, write_cells


@dataclass(frozen=True, slots=True)
class MergedNotebook:
    """The merged text (None: mine as it is), where mine stayed against theirs, and what of theirs is in."""

    text: str | None
    kept: tuple[str, ...]
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    """One cell through all versions."""

    base: Cell | None
    mine: Cell | None
    theirs: Cell | None

    def merged(self) -> MergedCell | None:
        """What becomes of it; None: it goes."""
        if self.mine and self.theirs:
            return merge_cell(self.base, self.mine, self.theirs)
        if self.mine:
            stays = self.base is None or changed_by_hand(self.base, self.mine)
            return MergedCell(self.mine.piece, self.mine.source) if stays else None
        if self.theirs:
            comes = self.base is None or changed_by_hand(self.base, self.theirs)
            return MergedCell(self.theirs.piece, self.theirs.source, taken=True) if comes else None
        return None


def merge_notebooks(base: Notebook | None, mine: Notebook, theirs: Notebook) -> MergedNotebook:
    """Merge two versions of a notebook; without a base both made it."""
    if base is None:
        mine, theirs = in_one_format([mine, theirs])
    else:
        base, mine, theirs = in_one_format([base, mine, theirs])
    if same_notebook(mine, theirs):
        return MergedNotebook(None, (), ())
    nodes, orders = _nodes(base, mine, theirs)
    cells = {n: cell for n, node in enumerate(nodes) if (cell := node.merged())}
    order = merge_order(orders[0], orders[1], orders[2], set(cells))
    minor = max(mine.minor, theirs.minor)
    places = {id(cell): n for n, cell in enumerate(mine.cells)}
    forms = {type(cell.value[cell.source_key]) for cell in mine.cells}
    form = forms.pop() if len(forms) == 1 else None
    values = [_in_form(nodes[n], cells[n].value, form) for n in order]
    if mine.major == 4 and minor >= 5:
        values = name_cells(
            values,
            [_id(nodes[n].theirs) for n in order],
            [_id(nodes[n].mine) for n in order],
            [cells[n].source for n in order],
        )
    slots = [
        Slot(value, places.get(id(nodes[n].mine)) if nodes[n].mine else None)
        for n, value in zip(order, values, strict=True)
    ]
    frame, settings = _merge_frame(base, mine, theirs, minor, write_cells(mine, slots))
    kept, taken = _told(nodes, cells, order, moved(orders[0], orders[2]) - moved(orders[0], orders[1]))
    if settings:
        taken.append("the notebook's settings")
    return MergedNotebook((BOM if mine.mark else "") + frame, tuple(kept), tuple(taken))


def _in_form(node: _Node, value: Value, form: type | None) -> Value:
    """Theirs' source as mine's are written, all in one string or line by line; in a mixed notebook as it is."""
    if form is None or node.theirs is None or isinstance(node.theirs.value[node.theirs.source_key], form):
        return value
    return source_like(value, node.theirs, form)


def _id(cell: Cell | None) -> str:
    return cell.id if cell else ""


def _nodes(base: Notebook | None, mine: Notebook, theirs: Notebook) -> tuple[list[_Node], list[list[int]]]:
    """All cells, and for base, mine and theirs the order they have them in, as indices."""
    before = base.cells if base else []
    here, there = match_cells(before, mine.cells), match_cells(before, theirs.cells)
    _match_sides(here, there)
    _match_rewritten(here, there)
    of_base = range(len(before))
    my_numbers = {m: n for n in of_base if (m := here.to_new[n]) is not None}
    their_numbers = {t: n for n in of_base if (t := there.to_new[n]) is not None}
    nodes = [_Node(before[n], _at(mine, here.to_new[n]), _at(theirs, there.to_new[n])) for n in of_base]
    for m, t in _both_added(here, there):
        my_numbers[m] = their_numbers[t] = len(nodes)
        nodes.append(_Node(None, mine.cells[m], theirs.cells[t]))
    for m, cell in enumerate(mine.cells):
        if my_numbers.setdefault(m, len(nodes)) == len(nodes):
            nodes.append(_Node(None, cell, None))
    for t, cell in enumerate(theirs.cells):
        if their_numbers.setdefault(t, len(nodes)) == len(nodes):
            nodes.append(_Node(None, None, cell))
    orders = [[numbers[n] for n in range(len(numbers))] for numbers in (my_numbers, their_numbers)]
    return nodes, [list(of_base), *orders]


def _at(book: Notebook, n: int | None) -> Cell | None:
    return None if n is None else book.cells[n]


def _match_sides(here: Matching, there: Matching) -> None:
    """Find an old cell that one side has, in the other side as well, if there it is more like this side's version."""
    for known, other in ((here, there), (there, here)):
        orphans = [n for n, old in zip(known.to_new, other.to_new, strict=True) if n is not None and old is None]
        rest = other.open_new()
        if orphans and rest:
            found = match_cells([known.new[n] for n in orphans], [other.new[n] for n in rest], places_tell=False)
            for n, partner in zip(orphans, found.to_new, strict=True):
                old = known.to_old[n]
                if partner is not None and old is not None:
                    other.pair(old, rest[partner])


def _match_rewritten(here: Matching, there: Matching) -> None:
    """Take what stands alone in an old cell's place for that cell, rewritten by me.

    With nothing of the old one in it, it may as well be a new cell where the old one was deleted.  Then this is
    only done where it can't hide an update: where theirs did not change the old cell's source.
    """

    def mine(old: int, new: int) -> bool:
        theirs = there.to_new[old]
        unchanged = theirs is not None and there.new[theirs].source == there.old[old].source
        return unchanged or hints_of(here.old[old], here.new[new])

    rewritten = pair_by_place(here, mine)
    # one that only theirs replaced stays apart: both the cell that I edited and the new one are worth having
    pair_by_place(there, lambda old, new: old in rewritten)


def _both_added(here: Matching, there: Matching) -> list[tuple[int, int]]:
    """New cells of mine and of theirs that are the same one: same name, or content next to the same old cell."""
    mine, theirs = here.open_new(), there.open_new()
    if not mine or not theirs:
        return []
    found = match_cells([here.new[n] for n in mine], [there.new[n] for n in theirs], places_tell=False)
    my_sides, their_sides = _neighbours(here), _neighbours(there)

    def one(m: int, t: int) -> bool:
        a, b = here.new[m], there.new[t]
        near = my_sides[m][0] == their_sides[t][0] or my_sides[m][1] == their_sides[t][1]
        return (bool(a.id) and a.id == b.id and hints_of(a, b)) or (a.source == b.source and near)

    pairs = ((mine[a], theirs[b]) for a, b in enumerate(found.to_new) if b is not None)
    return [pair for pair in pairs if one(*pair)]


def _neighbours(found: Matching) -> list[tuple[int, int]]:
    """For every new cell the nearest old cells before and after it."""
    before, after = [], []
    last = -1
    for old in found.to_old:
        last = last if old is None else old
        before.append(last)
    last = len(found.old)
    for old in reversed(found.to_old):
        last = last if old is None else old
        after.append(last)
    return list(zip(before, reversed(after), strict=True))


def _merge_frame(base: Notebook | None, mine: Notebook, theirs: Notebook, minor: int, cells: str) -> tuple[str, bool]:
    """The whole text around the new cells, and whether theirs changed anything in it."""
    text, writer = mine.page.text, Writer(mine.page)
    cuts = [Cut(mine.array.start, mine.array.end, cells)]
    skip = {"cells", "worksheets", "nbformat", "nbformat_minor"}
    books = (base, mine, theirs)
    parts = [(1, [_part(book.root, skip) if book else {} for book in books])]
    if mine.major < 4:
        parts.append((3, [_part(book.holder, skip) if book else {} for book in books]))
    changed = False
    for depth, (before, here, there) in parts:
        fields = merge_fields(before, here, there, _rule)
        changed = changed or fields.changed
        for key, value in fields.members.items():
            if key in here and value is not here[key]:
                cuts.append(Cut(here[key].start, here[key].end, writer.write(value, depth)))
    if minor != mine.minor and "nbformat_minor" in mine.root:
        piece = mine.root["nbformat_minor"]
        cuts.append(Cut(piece.start, piece.end, str(minor)))
    return splice(text, cuts), changed


def _part(members: Mapping[str, Piece], skip: set[str]) -> dict[str, Piece]:
    return {key: piece for key, piece in members.items() if key not in skip}


def _rule(path: tuple[str, ...]) -> Clash:
    if path[:1] == ("metadata",) and len(path) > 1:
        if path[1] == "widgets":
            return Clash.MINE
        if path[1] in ("kernelspec", "language_info"):
            return Clash.WHOLE
    return Clash.THEIRS


def _told(
    nodes: list[_Node], cells: Mapping[int, MergedCell], order: list[int], shifted: set[int]
) -> tuple[list[str], list[str]]:
    kept, taken = [], []
    for place, n in enumerate(order, 1):
        node, cell = nodes[n], cells[n]
        name = f"cell {place}{_title(cell.source)}"
        kept += [f"{name}, {part}" if part else name for part in cell.kept]
        if node.mine is None:
            taken.append(f"new {name}" if node.base is None else f"{name}, which is back")
        elif cell.taken:
            taken.append(f"{name}, its settings" if "" in cell.kept else name)
        elif n in shifted:
            taken.append(f"{name}, moved")
    for n, node in enumerate(nodes):
        if node.base and node.mine and n not in cells:
            taken.append(f"a cell removed{_title(node.mine.source)}")
    return kept, taken


def _title(source: str) -> str:
    line = next((line.strip() for line in source.splitlines() if line.strip()), "")
    return f" ({line[:40].rstrip()}{'...' if len(line) > 40 else ''})" if line else ""
