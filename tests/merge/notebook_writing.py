"""Short ways to write notebooks down, and the judge of a result."""

import json
from typing import Any

import nbformat

from syncd.core.entry import RelPath
from syncd.merge.files import Merged, merge_file

Json = dict[str, Any]
NOTEBOOK = RelPath("lab01.ipynb")


def code(
    source: str, *, name: str = "", outputs: list[Json] | None = None, count: int | None = None, **settings: Any
) -> Json:
    cell: Json = {
        "cell_type": "code",
        "execution_count": count,
        "metadata": settings,
        "outputs": outputs or [],
        "source": source.splitlines(keepends=True),
    }
    return {**cell, "id": name} if name else cell


def prose(source: str, *, name: str = "", **extra: Any) -> Json:
    cell: Json = {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True), **extra}
    return {**cell, "id": name} if name else cell


def printed(text: str) -> list[Json]:
    return [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}]


def notebook(*cells: Json, minor: int = 4, metadata: Json | None = None, indent: int | str = 1) -> bytes:
    """As Jupyter writes it."""
    book = {"cells": list(cells), "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": minor}
    return json.dumps(book, indent=indent, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def cells_of(content: bytes) -> list[Json]:
    cells: list[Json] = json.loads(content)["cells"]
    return cells


def sources(content: bytes) -> list[str]:
    return ["".join(cell["source"]) for cell in cells_of(content)]


def is_valid(content: bytes) -> bool:
    """nbformat's judgement, and unique ids, which it would quietly repair."""
    try:
        book = json.loads(content)
        nbformat.validate(nbformat.from_dict(book))
    except (ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError):
        return False
    names = [cell.get("id") for cell in book.get("cells", [])]
    return len(set(names)) == len(names) or book["nbformat"] < 4 or book.get("nbformat_minor", 0) < 5


def merge(base: bytes, mine: bytes, theirs: bytes) -> Merged:
    """Merge notebooks that must be mergeable; a result is valid if both inputs were, and has no markers."""
    merged = merge_file(NOTEBOOK, base, mine, theirs)
    assert merged is not None
    if is_valid(mine) and is_valid(theirs):
        assert is_valid(merged.content), merged.content.decode()
    assert b"<<<<<<<" not in merged.content
    again = merge_file(NOTEBOOK, base, merged.content, theirs)
    assert again is not None
    assert sources(again.content) == sources(merged.content), "running the merge again changes it"
    return merged


THREE_QUESTIONS = [
    prose("# Lab 1\nFill in the dots."),
    code("# Question 1\nx = ...\nx"),
    code("# Question 2\ny = ...\ny"),
    code("# Question 3\nz = ...\nz"),
]
