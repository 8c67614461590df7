"""What a student sees side by side: lines, and cells of notebooks."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_plugin.differences import Part, Row, compare


def notebook(*cells: tuple[str, str], kind: str = "code") -> str:
    made = [{"id": name, "cell_type": kind, "source": text.splitlines(True), "outputs": []} for name, text in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def changed(part: Part) -> list[tuple[str | None, str | None]]:
    return [(row.before, row.now) for row in part.rows if row.changed]


def test_lines_that_changed_stand_beside_each_other_and_the_rest_is_a_gap() -> None:
    before = [f"line {n}" for n in range(30)]
    now = [*before[:20], "another", *before[21:]]
    (part,) = compare("a.md", "\n".join(before), "\n".join(now))
    assert changed(part) == [("line 20", "another")]
    assert [row.skipped for row in part.rows if row.skipped] == [17, 6]
    assert Row("line 19", "line 19") in part.rows


def test_cells_are_found_again_by_their_ids_wherever_they_are() -> None:
    before = notebook(("a", "x = 1"), ("b", "y = 2\nz = 3"), ("c", "gone"))
    now = notebook(("b", "y = 2\nz = 4"), ("n", "new one"), ("a", "x = 1"))
    parts = compare("lab.ipynb", before, now)
    assert [part.heading for part in parts] == ["Cell 1", "Cell 2, new", "Cell 3 of before, gone"]
    assert changed(parts[0]) == [("z = 3", "z = 4")]
    assert changed(parts[2]) == [("gone", None)]


def test_cells_without_ids_are_paired_where_they_are_alike() -> None:
    parts = compare("lab.ipynb", notebook(("", "a\nb\nc"), ("", "same")), notebook(("", "a\nB\nc"), ("", "same")))
    assert [(part.heading, changed(part)) for part in parts] == [("Cell 1", [("b", "B")])]


def test_outputs_are_not_compared() -> None:
    before = json.loads(notebook(("a", "x")))
    before["cells"][0]["outputs"] = [{"output_type": "stream", "text": "<script>"}]
    assert compare("lab.ipynb", json.dumps(before), notebook(("a", "x"))) == ()


@pytest.mark.parametrize("broken", ["{", '{"cells": 3}', '{"cells": [1]}', "[]", '{"worksheets": [{}]}', "[" * 100_000])
def test_a_notebook_that_is_none_is_compared_as_text(broken: str) -> None:
    parts = compare("lab.ipynb", broken, notebook(("a", "x")))
    assert parts and parts[0].heading == ""


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("x\n" * 4_000, "y\n" * 4_000, "too much"),
        (notebook(("a", "x\n" * 4_000)), notebook(("a", "y\n" * 4_000)), "too much"),
        ("a\r\nb", "a\nb", "can't be seen"),
    ],
)
def test_what_can_not_be_shown_is_said(before: str, now: str, said: str) -> None:
    (part,) = compare("a.ipynb" if before.startswith("{") else "a.txt", before, now)
    assert said in part.heading and part.rows == ()


def test_what_would_deceive_a_reader_is_not_shown() -> None:
    (part,) = compare("a.py", None, "access = '\u202eresu\u2066'\x1b[2J\tend")
    assert part.rows == (Row(None, "access = '\ufffdresu\ufffd'\ufffd[2J   end", changed=True),)


CELLS = st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.text("xy\n", max_size=6)), max_size=5)


@given(CELLS, CELLS)
def test_each_line_of_each_cell_that_differs_is_there(
    before: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]
) -> None:
    parts = compare("a.ipynb", notebook(*before), notebook(*now))
    shown = [row.now for part in parts for row in part.rows if row.now is not None and row.changed]
    assert len(parts) <= len(before) + len(now)
    if not before:
        assert shown == [line for _, text in now if text for line in text.split("\n")]
