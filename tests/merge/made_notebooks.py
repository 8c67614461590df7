"""Seeded notebooks: a course's lab, an instructor's next version of it, and what students and Jupyter make of one."""

import copy
import json
import random
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
WORDS = [
    "table",
    "array",
    "mean",
    "sample",
    "resample",
    "percentile",
    "birth",
    "weight",
    "plot",
    "histogram",
    "join",
    "group",
    "pivot",
    "apply",
    "column",
    "rows",
    "estimate",
    "parameter",
    "statistic",
    "bootstrap",
    "confidence",
    "interval",
    "regression",
    "residual",
    "slope",
    "correlation",
    "classify",
    "neighbour",
    "distance",
    "training",
    "proportion",
    "simulate",
    "probability",
    "hypothesis",
    "null",
    "permutation",
    "bins",
    "range",
    "legend",
]


def lab(rng: random.Random, cells: int = 30, minor: int = 4) -> Json:
    """A lab as instructors write it: prose, given code, questions with dots to fill in, tests."""
    made = [_lab_cell(rng, n) for n in range(cells)]
    if minor >= 5:
        for cell in made:
            cell["id"] = f"{rng.randrange(16**8):08x}"
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": "3.8.10"},
    }
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def _prose(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words)).capitalize() + "."


def _lab_cell(rng: random.Random, n: int) -> Json:
    kind = rng.choice(("prose", "given", "question", "question", "test"))
    if kind == "prose":
        text = [f"## Part {n}\n", "\n", *(_prose(rng, 12) + "\n" for _ in range(rng.randrange(1, 5))), _prose(rng, 6)]
        return {"cell_type": "markdown", "metadata": {}, "source": text}
    name = "_".join(rng.sample(WORDS, 2))
    if kind == "given":
        source = [f"{name} = Table.read_table('{rng.choice(WORDS)}.csv')\n", f"{name}.show({rng.randrange(3, 9)})"]
    elif kind == "question":
        source = [f"# Question {n}. {_prose(rng, 5)}\n", f"{name} = ...\n", name]
    else:
        source = [f"check('tests/q{n}.py', {rng.randrange(100)})"]
    cell: Json = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    if rng.random() < 0.2:
        cell["metadata"] = {"tags": [rng.choice(WORDS)]}
    return cell


def next_version(base: Json, rng: random.Random) -> Json:
    """What an instructor makes of it in the middle of the week."""
    new = copy.deepcopy(base)
    cells = new["cells"]
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(cells))
        change = rng.random()
        cell = cells[place]
        if change < 0.4:
            lines = "".join(cell["source"]).splitlines(keepends=True) or [""]
            at = rng.randrange(len(lines))
            lines[at] = lines[at].rstrip("\n") + f"  ({_prose(rng, 3)})" + "\n" * lines[at].endswith("\n")
            cell["source"] = lines
        elif change < 0.7:
            made = _lab_cell(rng, rng.randrange(100, 999))
            if new["nbformat_minor"] >= 5:
                made["id"] = f"{rng.randrange(16**8):08x}"
            cells.insert(place, made)
        elif change < 0.8 and len(cells) > 5:
            del cells[place]
        elif change < 0.9:
            cell["metadata"] = {**cell["metadata"], "deletable": False}
        else:
            cells.insert(rng.randrange(len(cells)), cells.pop(place))
    return new


@dataclass
class Student:
    """A student's version, and what must be found again after a merge."""

    notebook: Json
    answers: list[str] = field(default_factory=list)
    """Lines that stand nowhere else."""
    touched: set[int] = field(default_factory=set)
    """The base's cells that the student edited, ran or deleted, by index."""


def student_version(base: Json, rng: random.Random, upgrade: bool) -> Student:
    """A week of a student: answers and outputs in half of the code cells, scratch cells, deletions, a move."""
    made = Student(copy.deepcopy(base))
    book = made.notebook
    code = [n for n, cell in enumerate(book["cells"]) if cell["cell_type"] == "code"]
    for n in code:
        if rng.random() < 0.5:
            _answer(book["cells"][n], n, made, rng)
            made.touched.add(n)
    keyed = list(enumerate(book["cells"]))
    if len(keyed) > 4 and rng.random() < 0.5:
        free = [pair for pair in keyed if pair[0] not in made.touched]
        for pair in rng.sample(free, min(len(free), rng.randrange(1, 3))):
            keyed.remove(pair)
            made.touched.add(pair[0])
    if len(keyed) > 2 and rng.random() < 0.3:
        keyed.insert(rng.randrange(len(keyed)), keyed.pop(rng.randrange(len(keyed))))
    cells = [cell for _, cell in keyed]
    for _ in range(rng.randrange(0, 4)):
        line = f"scratch_{rng.randrange(10**9)} = {_prose(rng, 2)!r}"
        made.answers.append(line)
        scratch = {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": [line]}
        if book["nbformat_minor"] >= 5:
            scratch["id"] = f"{rng.randrange(16**8):08x}"
        cells.insert(rng.randrange(len(cells) + 1), scratch)
    book["cells"] = cells
    if upgrade and book["nbformat_minor"] < 5:
        book["nbformat_minor"] = 5
        for cell in cells:
            cell["id"] = f"{rng.randrange(16**8):08x}"
    return made


def _answer(cell: Json, n: int, made: Student, rng: random.Random) -> None:
    lines = "".join(cell["source"]).splitlines(keepends=True)
    line = f"answer_{n}_{rng.randrange(10**9)} = {rng.randrange(1000)}"
    made.answers.append(line)
    dots = [at for at, text in enumerate(lines) if "..." in text]
    if dots:
        lines[dots[0]] = lines[dots[0]].replace("...", str(rng.randrange(100)), 1)
        lines.insert(dots[0] + 1, line + "\n") if lines[dots[0]].endswith("\n") else lines.append("\n" + line)
    else:
        lines += ["\n" if lines and not lines[-1].endswith("\n") else "", line]
    cell["source"] = "".join(lines).splitlines(keepends=True)
    cell["execution_count"] = rng.randrange(1, 200)
    cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": [f"{_prose(rng, 4)}\n"] * rng.randrange(5)}]


def saved(notebook: Json) -> bytes:
    """As Jupyter writes it."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8") + b"\n"
