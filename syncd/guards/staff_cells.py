"""A notebook as students may have it, in its own layout: cells of staff's out, solutions replaced.

As nbgrader and Otter Assign do it, with three differences on the safe side: a solution cell of Otter's
without any marker becomes its prompt, public test cells stay where they are (no test files are made
here), and any mark that is left makes the whole notebook stay.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from syncd.guards.markers import FORBIDDEN, CannotStrip, Kind, nbgrader_stub, otter_prompt, strip_lines
from syncd.merge.fields import Object, Strings, Value
from syncd.merge.json_text import BrokenJson, Page, Piece
from syncd.merge.notebook import BOM, Cell, Notebook, read_notebook
from syncd.merge.write import Cut, Slot, splice, write_cells

STAFF_TAGS = frozenset({"solution", "staff", "private", "instructor"})
"""A cell with one of these is not for students."""

_OTTER_SOLUTION = "otter_assign_solution_cell"
_ANSWER_HERE = "_Type your answer here, replacing this text._"
_boundary = re.compile(r"#\s+(begin|end)\s+(question|prompt|solution|tests)\b", re.IGNORECASE).match
_config = re.compile(r"#\s+assignment\s+config\b", re.IGNORECASE).match
_ignored = re.compile(r"(?:##\s*ignore\s*##|#\s*ignore\b)", re.IGNORECASE).match
_hidden_setting = re.compile(r"^\s*hidden\s*:\s*true\b", re.IGNORECASE | re.MULTILINE).search
_NULL = Piece(Page("null"), 0, 4, 0, None)


@dataclass(slots=True)
class _Otter:
    """Where in Otter's blocks we are."""

    blocks: list[str] = field(default_factory=list)
    prompted: bool = False
    answered: bool = False

    @property
    def block(self) -> str | None:
        return self.blocks[-1] if self.blocks else None

    def pass_boundary(self, edge: str, block: str) -> None:
        if edge == "begin":
            if block in self.blocks or (self.blocks and self.blocks[-1] != "question"):
                raise CannotStrip(f"has a # BEGIN {block.upper()} within another block")
            self.blocks.append(block)
            if block == "question":
                self.prompted = self.answered = False
            self.prompted = self.prompted or block == "prompt"
        elif self.block != block:
            raise CannotStrip(f"has an # END {block.upper()} without its begin")
        else:
            self.blocks.pop()


def strip_notebook(content: bytes) -> bytes:
    """See `syncd.guards.solutions.strip`."""
    try:
        book = read_notebook(content)
        slots, changed = _slots(book)
        told = any(_holds_mark(piece.value) for key, piece in book.root.items())
        if not changed and not told:
            return content
        array = write_cells(book, _without_outputs(slots))
        text = splice(book.page.text, [Cut(book.array.start, book.array.end, array)])
        out = ((BOM if book.mark else "") + text).encode()
        left = read_notebook(out)
    except (BrokenJson, RecursionError) as problem:
        if any(word.encode() in content for word in FORBIDDEN) or b"# SOLUTION" in content:
            raise CannotStrip("is no notebook that can be read, and holds marks of solutions") from problem
        return content
    if any(_holds_mark(piece.value) for piece in left.root.values()):
        raise CannotStrip("holds marks of solutions where they can't be followed")
    return out


def _slots(book: Notebook) -> tuple[list[tuple[Cell, Slot, bool]], bool]:
    """What stays of the cells, and whether that is another notebook; the flag says that the source is new."""
    language = _language(book)
    names = [_otter_line(cell) for cell in book.cells]
    kind = Kind(
        language,
        nbgrader=any(isinstance(_metadata(cell).get("nbgrader"), dict) for cell in book.cells),
        otter=any(name is not None and (_boundary(name) or _config(name)) for name in names),
    )
    otter = _Otter()
    out: list[tuple[Cell, Slot, bool]] = []
    changed = False
    for index, (cell, name) in enumerate(zip(book.cells, names, strict=True)):
        if name is not None and (found := _boundary(name)):
            otter.pass_boundary(found[1].lower(), found[2].lower())
            changed = True
            continue
        if (name is not None and _config(name)) or _drops(cell, kind, otter):
            changed = True
            continue
        source = _student_source(cell, kind, otter)
        if source is None:
            changed = True
        elif source == cell.source:
            out.append((cell, Slot(cell.piece, index), False))
        else:
            changed = True
            out.append((cell, Slot(_with(cell, {cell.source_key: _as_written(cell, source)}), index), True))
    if otter.blocks:
        raise CannotStrip(f"has a # BEGIN {otter.blocks[-1].upper()} without its end")
    return out, changed


def _drops(cell: Cell, kind: Kind, otter: _Otter) -> bool:
    tags = _tags(cell)
    if tags & STAFF_TAGS:
        return True
    first = cell.source.partition("\n")[0]
    if kind.otter and _ignored(first):
        return True
    if otter.block == "tests":
        config = cell.source.partition("END TEST CONFIG")[0] if "BEGIN TEST CONFIG" in cell.source else ""
        shown_hidden = first.lstrip().startswith("#") and re.search(r"\bhidden\b", first, re.IGNORECASE)
        return bool(shown_hidden or _hidden_setting(config))
    return False


def _student_source(cell: Cell, kind: Kind, otter: _Otter) -> str | None:
    """What students see of a cell; None: nothing, not even the cell."""
    solution = otter.block == "solution" or _OTTER_SOLUTION in _tags(cell)
    if solution and cell.kind != "code":
        if otter.block != "solution" or otter.prompted or otter.answered:
            return None
        otter.answered = True
        return _ANSWER_HERE
    lines = cell.source.split("\n")
    stripped = strip_lines(lines, kind if cell.kind == "code" else Kind("text", kind.nbgrader))
    if stripped != lines:
        return "\n".join(stripped)
    if solution and cell.source.strip():
        return otter_prompt(kind.language)
    grader = _metadata(cell).get("nbgrader")
    if isinstance(grader, dict) and grader.get("solution") is True:
        return _nbgrader_answer(cell, kind)
    return cell.source


def _nbgrader_answer(cell: Cell, kind: Kind) -> str:
    """A cell for answers becomes the stub, unless it is one that nbgrader has released already."""
    stub = nbgrader_stub(kind.language if cell.kind == "code" else "text")
    bare = [line.strip() for line in cell.source.split("\n")]
    wanted = [line.strip() for line in stub.split("\n")]
    released = any(bare[at : at + len(wanted)] == wanted for at in range(len(bare)))
    if not cell.source.strip() or bare == wanted or (released and cell.kind == "code"):
        return cell.source
    return stub


def _without_outputs(slots: Iterable[tuple[Cell, Slot, bool]]) -> list[Slot]:
    """Outputs show what solutions give; both tools clear all of them."""
    out = []
    for cell, slot, _ in slots:
        value = cell.value
        empty: dict[str, Value] = {}
        if value.get("outputs"):
            empty["outputs"] = Strings(())
        for count in ("execution_count", "prompt_number"):
            if value.get(count) is not None:
                empty[count] = _NULL
        if empty:
            members = slot.value.members if isinstance(slot.value, Object) else cell.piece.members()
            slot = Slot(Object({**members, **empty}), slot.mine)
        out.append(slot)
    return out


def _with(cell: Cell, new: dict[str, Value]) -> Object:
    # Pictures that were pasted into an answer are part of it.
    return Object({**{key: piece for key, piece in cell.piece.members().items() if key != "attachments"}, **new})


def _as_written(cell: Cell, source: str) -> Value:
    return Strings(tuple(source.splitlines(keepends=True))) if isinstance(cell.value[cell.source_key], list) else source


def _otter_line(cell: Cell) -> str | None:
    """The first line of a cell that may be one of Otter's own: raw, or Markdown fenced as ```otter."""
    if cell.kind == "raw":
        return cell.source.partition("\n")[0].strip()
    if cell.kind == "markdown" and cell.source.lstrip().startswith("```otter"):
        return cell.source.strip().partition("\n")[2].partition("\n")[0].strip()
    return None


def _language(book: Notebook) -> str:
    metadata = book.root["metadata"].value if "metadata" in book.root else {}
    for key, name in (("kernelspec", "language"), ("language_info", "name")):
        found = metadata.get(key)
        if isinstance(found, dict) and isinstance(found.get(name), str):
            return str(found[name]).lower()
    return "python"


def _metadata(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = cell.value.get("metadata", {})
    return found


def _tags(cell: Cell) -> set[str]:
    tags = _metadata(cell).get("tags", ())
    return {tag.lower() for tag in tags if isinstance(tag, str)} if isinstance(tags, (list, tuple)) else set()


def _holds_mark(value: Any) -> bool:
    if isinstance(value, str):
        return any(word in value for word in FORBIDDEN)
    if isinstance(value, dict):
        return any(_holds_mark(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        if any(isinstance(part, str) for part in value):
            return _holds_mark("".join(part for part in value if isinstance(part, str))) or any(
                _holds_mark(part) for part in value if not isinstance(part, str)
            )
        return any(_holds_mark(part) for part in value)
    return False
