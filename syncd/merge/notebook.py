"""A notebook as a merge sees it: its cells with their place in the JSON text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from syncd.merge.json_text import BrokenJson, Page, Piece, read_root
from syncd.merge.upgrade import upgraded

BOM = "\ufeff"
KINDS = {4: {"code", "markdown", "raw"}, 3: {"code", "markdown", "raw", "heading", "html"}}
TRANSIENT = {"signature", "orig_nbformat", "orig_nbformat_minor"}
"""Notebook metadata that Jupyter takes off or puts on at every save."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One cell; `source` joined to one string, `id` empty where it has none."""

    piece: Piece
    kind: str
    source: str
    id: str
    names: tuple[str, ...]
    """What tells this cell from all others of its notebook besides the id: nbgrader's and Colab's names."""

    @property
    def value(self) -> dict[str, Any]:
        """The whole cell as parsed."""
        value: dict[str, Any] = self.piece.value
        return value

    @property
    def source_key(self) -> str:
        """Where the source stands: `input` in code cells of nbformat 3."""
        return "source" if "source" in self.value or "input" not in self.value else "input"


@dataclass(frozen=True, slots=True, eq=False)
class Notebook:
    """A parsed notebook.  `array` is the list of cells, `holder` the object that it is a member of."""

    page: Page
    mark: bool
    major: int
    minor: int
    root: dict[str, Piece]
    holder: dict[str, Piece]
    array: Piece
    cells: list[Cell]


def read_notebook(content: bytes) -> Notebook:
    """Parse nbformat 2, 3 or 4; raises BrokenJson for what isn't a notebook."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BrokenJson(str(error)) from error
    mark = text.startswith(BOM)
    return _notebook(Page(text[1:] if mark else text), mark)


def in_one_format(notebooks: Iterable[Notebook]) -> list[Notebook]:
    """The same notebooks, those of nbformat 2 and 3 upgraded if one of them is of nbformat 4."""
    books = list(notebooks)
    if all(book.major == 4 for book in books) or all(book.major < 4 for book in books):
        return books
    return [_notebook(Page(upgraded(book.page)), book.mark) if book.major < 4 else book for book in books]


def _notebook(page: Page, mark: bool) -> Notebook:
    root = read_root(page, "cells")
    major = _number(root.members.get("nbformat"), None)
    minor = _number(root.members.get("nbformat_minor"), 0)
    metadata = root.members.get("metadata")
    if metadata is not None and not isinstance(metadata.value, dict):
        raise BrokenJson("metadata is not an object")
    if major == 4:
        holder, elements = root.members, root.elements
    elif major in (2, 3):
        sheets = root.members.get("worksheets")
        if sheets is None or not isinstance(sheets.value, list) or len(sheets.value) != 1:
            raise BrokenJson("not one worksheet")
        sheet = sheets.elements()[0]
        holder = sheet.members() if isinstance(sheet.value, dict) else {}
        elements = []
    else:
        raise BrokenJson(f"nbformat {major}")
    array = holder.get("cells")
    if array is None or not isinstance(array.value, list):
        raise BrokenJson("no list of cells")
    elements = elements if major == 4 else array.elements()
    return Notebook(page, mark, major, minor, root.members, holder, array, [_cell(e, major) for e in elements])


def _number(piece: Piece | None, default: int | None) -> int:
    value = piece.value if piece else default
    if type(value) is not int:
        raise BrokenJson("nbformat is not a number")
    return value


def _cell(piece: Piece, major: int) -> Cell:
    value = piece.value
    if not isinstance(value, dict):
        raise BrokenJson("a cell is not an object")
    kind = value.get("cell_type")
    if not isinstance(kind, str) or kind not in KINDS[4 if major == 4 else 3]:
        raise BrokenJson(f"cell type {kind!r}")
    key = "input" if major < 4 and kind == "code" and "source" not in value else "source"
    source = value.get(key)
    if isinstance(source, list):
        try:
            source = "".join(source)
        except TypeError:
            raise BrokenJson("a cell's source holds something else than text") from None
    metadata, outputs = value.get("metadata", {}), value.get("outputs", [])
    name = value.get("id", "")
    if not isinstance(source, str) or not isinstance(metadata, dict) or not isinstance(name, str):
        raise BrokenJson("a cell's source, metadata or id is of another type")
    if not isinstance(outputs, list) or not isinstance(value.get("attachments", {}), dict):
        raise BrokenJson("a cell's outputs or attachments are of another type")
    return Cell(piece, kind, source, name, tuple(_names(metadata)) if metadata else ())


def _names(metadata: dict[str, Any]) -> Iterable[str]:
    grader = metadata.get("nbgrader")
    if isinstance(grader, dict) and isinstance(grader.get("grade_id"), str):
        yield "nbgrader:" + grader["grade_id"]
    if isinstance(metadata.get("id"), str):
        yield "colab:" + metadata["id"]


def same_cell(a: Cell, b: Cell) -> bool:
    """Whether two cells differ in nothing but what Jupyter changes on save."""
    if a.kind != b.kind or a.source != b.source:
        return False
    one, two = dict(a.value), dict(b.value)
    one.pop("id", None)
    two.pop("id", None)
    return one == two or same_rest(a, b)


def same_rest(a: Cell, b: Cell) -> bool:
    """Whether two cells are the same apart from type, source and id."""
    return all(a.value.get(key) == b.value.get(key) for key in _COUNTS) and same_settings(a, b) and same_outputs(a, b)


def same_settings(a: Cell, b: Cell) -> bool:
    """Whether two cells are the same apart from type, source, id and what running them leaves."""
    one, two = a.value, b.value
    if one.keys() <= _USUAL and two.keys() <= _USUAL and one.get("metadata") == two.get("metadata"):
        return True
    return _settings(a) == _settings(b)


def _settings(cell: Cell) -> dict[str, Any]:
    """All the rest; `trusted` is never meant to be saved, and an empty object says nothing."""
    rest = {key: value for key, value in cell.value.items() if key not in _USUAL and value != {}}
    rest["metadata"] = {key: value for key, value in cell.value.get("metadata", {}).items() if key != "trusted"}
    return rest


_COUNTS = ("execution_count", "prompt_number")
_USUAL = {"id", "cell_type", "source", "input", "outputs", "metadata", *_COUNTS}


def same_outputs(a: Cell, b: Cell) -> bool:
    """Whether two cells show the same outputs; the execution count is not looked at."""
    mine, theirs = a.value.get("outputs", []), b.value.get("outputs", [])
    return mine == theirs or (len(mine) == len(theirs) and all(map(_same_output, mine, theirs)))


def _same_output(a: Any, b: Any) -> bool:
    """Text may be one string or a list of lines."""
    if (isinstance(a, list) and isinstance(b, str)) or (isinstance(a, str) and isinstance(b, list)):
        return _joined(a) == _joined(b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same_output(a[key], b[key]) for key in a)
    return a == b or (isinstance(a, list) and isinstance(b, list) and _joined(a) == _joined(b) is not None)


def _joined(text: str | list[Any]) -> str | None:
    if isinstance(text, str):
        return text
    return "".join(text) if all(isinstance(line, str) for line in text) else None


def same_notebook(a: Notebook, b: Notebook) -> bool:
    """Whether two notebooks differ in nothing but what Jupyter changes on save."""
    a, b = in_one_format([a, b])
    if len(a.cells) != len(b.cells) or not all(map(same_cell, a.cells, b.cells)):
        return False
    return _frame(a) == _frame(b)


def _frame(book: Notebook) -> dict[str, Any]:
    skip = {"cells", "worksheets", "nbformat", "nbformat_minor"} | TRANSIENT
    frame = {key: piece.value for key, piece in book.root.items() if key not in skip}
    metadata = frame.get("metadata", {})
    frame["metadata"] = {key: value for key, value in metadata.items() if key not in TRANSIENT}
    if book.major < 4:
        sheet = book.holder.get("metadata")
        frame["worksheet"] = sheet.value if sheet else {}
    return frame
