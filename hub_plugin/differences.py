"""Two versions of a file side by side: lines of a text, cells of a notebook.  Pure; what is drawn is escaped text.

A notebook is never rendered: each cell is its source, and its outputs are not looked at.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from hub_plugin import words
from hub_plugin.cleaned import line_of

_AROUND = 3
"""So many lines that are the same are shown around those that are not."""
_MOST_LINES = 4_000
"""Together, of both sides; what is longer is nothing to read side by side."""
_LIKE = 0.5
"""Cells that have this much in common are the same cell, changed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line on each side; None: the other side has one more.  `skipped` lines that are the same stand for a gap."""

    before: str | None = None
    now: str | None = None
    changed: bool = False
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A cell, or the whole of a text; `heading` says which cell and what became of it."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Cell:
    name: str
    kind: str
    lines: tuple[str, ...]


def compare(path: str, before: str | None, now: str | None) -> tuple[Part, ...]:
    """What differs; no part at all if nothing does.  None: there is no such file on that side.

    One part without rows says in its heading that there is too much to compare.
    """
    if path.endswith(".ipynb"):
        left, right = _cells(before), _cells(now)
        if left is not None and right is not None:
            if sum(len(cell.lines) for cell in (*left, *right)) > _MOST_LINES:
                return (Part(words.DIFFERENCE_TOO_LONG, ()),)
            return tuple(part for part in _notebook(left, right) if part.rows)
    old, new = _lines(before), _lines(now)
    if len(old) + len(new) > _MOST_LINES:
        return (Part(words.DIFFERENCE_TOO_LONG, ()),)
    rows = _rows(old, new)
    if not rows and before != now:
        return (Part(words.DIFFERENCE_UNSEEN, ()),)
    return (Part("", rows),) if rows else ()


def _notebook(old: Sequence[_Cell], new: Sequence[_Cell]) -> Iterator[Part]:
    paired = _paired(old, new)
    taken = {at for at in paired.values() if at is not None}
    shown = 0
    for number, cell in enumerate(new):
        came_from = paired.get(number)
        # What is gone is shown where it was: before the first cell that came after it.
        while came_from is not None and shown < came_from:
            if shown not in taken:
                yield Part(words.cell_gone(shown + 1), _rows(old[shown].lines, ()))
            shown += 1
        if came_from is None:
            yield Part(words.cell_new(number + 1), _rows((), cell.lines))
        else:
            shown = max(shown, came_from + 1)
            yield Part(words.cell_changed(number + 1), _rows(old[came_from].lines, cell.lines))
    for at in range(shown, len(old)):
        if at not in taken:
            yield Part(words.cell_gone(at + 1), _rows(old[at].lines, ()))


def _paired(old: Sequence[_Cell], new: Sequence[_Cell]) -> dict[int, int | None]:
    """For each new cell the old one that it was: by its id, else where it stands if they are much the same."""
    by_name = {cell.name: at for at, cell in enumerate(old) if cell.name}
    pairs: dict[int, int | None] = {
        number: by_name[cell.name] for number, cell in enumerate(new) if cell.name and cell.name in by_name
    }
    free = set(range(len(old))) - set(pairs.values())
    same = SequenceMatcher(None, [(c.kind, c.lines) for c in old], [(c.kind, c.lines) for c in new], autojunk=False)
    for kind, i1, i2, j1, j2 in same.get_opcodes():
        for at, number in zip(range(i1, i2), range(j1, j2), strict=False):
            if number not in pairs and at in free and (kind == "equal" or _alike(old[at], new[number])):
                pairs[number] = at
                free.discard(at)
    return pairs


def _alike(one: _Cell, other: _Cell) -> bool:
    return one.kind == other.kind and SequenceMatcher(None, one.lines, other.lines).quick_ratio() >= _LIKE


def _rows(old: Sequence[str], new: Sequence[str]) -> tuple[Row, ...]:
    rows: list[Row] = []
    blocks = SequenceMatcher(None, old, new).get_opcodes()
    for at, (kind, i1, i2, j1, j2) in enumerate(blocks):
        if kind == "equal":
            lines = list(zip(old[i1:i2], new[j1:j2], strict=True))
            head = _AROUND if at else 0
            tail = _AROUND if at < len(blocks) - 1 else 0
            if len(lines) > head + tail + 1:
                rows += [Row(*pair) for pair in lines[:head]]
                rows.append(Row(skipped=len(lines) - head - tail))
                rows += [Row(*pair) for pair in lines[len(lines) - tail :]] if tail else []
            else:
                rows += [Row(*pair) for pair in lines]
            continue
        for number in range(max(i2 - i1, j2 - j1)):
            left = old[i1 + number] if i1 + number < i2 else None
            right = new[j1 + number] if j1 + number < j2 else None
            rows.append(Row(left, right, changed=True))
    return tuple(rows) if any(row.changed for row in rows) else ()


def _lines(text: str | None) -> tuple[str, ...]:
    return tuple(line_of(line) for line in text.split("\n")) if text else ()


def _cells(text: str | None) -> tuple[_Cell, ...] | None:
    """The cells of a notebook; None if it can't be read as one."""
    if not text:
        return ()
    try:
        found = json.loads(text)
        cells = found.get("cells")
        if cells is None:
            cells = [cell for sheet in found["worksheets"] for cell in sheet["cells"]]
        return tuple(_cell(cell) for cell in cells)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None


def _cell(said: dict[str, object]) -> _Cell:
    source = said.get("source", said.get("input", ""))
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return _Cell(str(said.get("id") or ""), str(said.get("cell_type")), _lines(text))
