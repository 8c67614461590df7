"""A small course to begin with, and the edits that the story makes to it."""

import json
import os
from pathlib import Path
from typing import Any

COURSE = "Data Stories"


def notebook(*cells: tuple[str, str]) -> str:
    """A notebook as Jupyter writes it, from (cell type, source) pairs."""
    made: list[dict[str, Any]] = []
    for number, (kind, source) in enumerate(cells, 1):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": lines(source)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return as_text({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def as_text(document: dict[str, Any]) -> str:
    """A notebook's text in Jupyter's formatting."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def lines(source: str) -> list[str]:
    """A cell's source as notebooks store it: a list of lines that keep their ends."""
    return source.splitlines(keepends=True)


LAB = notebook(
    ("markdown", "# Lab 1: Tables\n\nRead the city's data and answer three questions."),
    ("code", 'import csv\nrows = list(csv.DictReader(open("../data/cities.csv")))'),
    ("markdown", "**Question 1.** How many cities are there?"),
    ("code", "cities = ..."),
    ("markdown", "**Question 2.** Which one is the largest?"),
    ("code", "largest = ..."),
)

FILES: dict[str, str] = {
    "README.md": "# Data Stories\n\nEvery week has a lab. Open it, and start typing.\n",
    "labs/lab01.ipynb": LAB,
    "labs/hints.md": "Hint 1: count the rows.\n\nHint 2: sort them.\n",
    "data/cities.csv": "city,people\nBerkeley,124321\nOakland,440646\nAlbany,20271\n",
    "tools/check.sh": "#!/bin/sh\necho checked\n",
    "notes/week1.md": "Tables are lists of rows.\n",
}


def plant(folder: Path) -> None:
    """Put the sample course into an empty folder: notebooks, data, a program, a link."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "tools/check.sh").chmod(0o755)
    os.symlink("../data/cities.csv", folder / "labs/cities.csv")


def edited(text: str, cell: int, source: str, output: str | None = None) -> str:
    """A notebook's text with one cell's source replaced and, if given, its printed output."""
    document = json.loads(text)
    document["cells"][cell]["source"] = lines(source)
    if output is not None:
        document["cells"][cell]["execution_count"] = 1
        document["cells"][cell]["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines(output)}]
    return as_text(document)


def source(text: str, cell: int) -> str:
    """One cell's source."""
    return "".join(json.loads(text)["cells"][cell]["source"])
