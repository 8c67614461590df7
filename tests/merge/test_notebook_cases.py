"""MERGE_SPEC N1-N13, and what Jupyter and other programs do to a notebook besides."""

import pytest
from notebook_writing import (
    NOTEBOOK,
    THREE_QUESTIONS,
    cells_of,
    code,
    merge,
    notebook,
    printed,
    prose,
    sources,
)

from syncd.merge.files import merge_file, same_work


def test_n01_their_change_to_a_cell_i_only_ran_comes_with_their_outputs() -> None:
    base = notebook(code("x = 1"), code("y = 1"))
    mine = notebook(code("x = 1", outputs=printed("mine\n"), count=7), code("y = 1"))
    theirs = notebook(code("x = 2", outputs=printed("theirs\n"), count=1), code("y = 1"))
    merged = merge(base, mine, theirs)
    assert merged.content == theirs
    assert merged.kept == ()


def test_n01_a_cell_i_did_not_touch_is_theirs_byte_for_byte() -> None:
    base = notebook(code("x = 1"), code("y = ..."))
    theirs = notebook(code("x = 2", outputs=printed("2\n"), count=3), code("y = ..."))
    mine = notebook(code("x = 1"), code("y = 5", outputs=printed("5\n"), count=9))
    expected = notebook(code("x = 2", outputs=printed("2\n"), count=3), code("y = 5", outputs=printed("5\n"), count=9))
    assert merge(base, mine, theirs).content == expected


def test_n02_my_answer_stays_with_my_outputs() -> None:
    answered = [*THREE_QUESTIONS]
    answered[1] = code("# Question 1\nx = 41\nx", outputs=printed("41\n"), count=3)
    changed = [prose("# Lab 1\nFill in the dots, please."), *THREE_QUESTIONS[1:]]
    merged = merge(notebook(*THREE_QUESTIONS), notebook(*answered), notebook(*changed))
    assert merged.content == notebook(changed[0], *answered[1:])
    assert merged.taken == ("cell 1 (# Lab 1)",)


def test_n03_other_lines_of_the_same_cell_merge_and_keep_my_outputs() -> None:
    base = notebook(code("# Question 1\nx = ...\nx"))
    mine = notebook(code("# Question 1\nx = 41\nx", outputs=printed("41\n"), count=2))
    theirs = notebook(code("# Question 1 (2 points)\nx = ...\nx", outputs=printed("?\n")))
    merged = merge(base, mine, theirs)
    assert merged.content == notebook(code("# Question 1 (2 points)\nx = 41\nx", outputs=printed("41\n"), count=2))
    assert merged.kept == ()


def test_n04_same_lines_of_a_cell_leave_mine_and_take_every_other_update() -> None:
    base = notebook(*THREE_QUESTIONS)
    answered, changed = [*THREE_QUESTIONS], [*THREE_QUESTIONS]
    answered[2] = code("# Question 2\ny = 5\ny", outputs=printed("5\n"))
    changed[2] = code("# Question 2 (hard)\ny = ...  # a number\ny")
    changed[3] = code("# Question 3\nz = ...  # a table\nz")
    changed.append(prose("The end"))
    merged = merge(base, notebook(*answered), notebook(*changed))
    assert merged.kept == ("cell 3 (# Question 2)",)
    assert merged.content == notebook(*answered[:3], *changed[3:])


@pytest.mark.parametrize("named", [True, False], ids=["with ids", "without ids"])
def test_n04_a_cell_that_both_rewrote_from_scratch_is_a_clash(named: bool) -> None:
    def book(text: str) -> bytes:
        cells = [code("import numpy"), code(text), code("the end")]
        return notebook(
            *({**cell, "id": f"c{n}"} if named else cell for n, cell in enumerate(cells)), minor=5 if named else 4
        )

    merged = merge(book("end = 0.5"), book("end = 3 * pi"), book("stop = len(t)"))
    assert merged.content == book("end = 3 * pi")
    assert merged.kept == ("cell 2 (end = 3 * pi)",)


def test_n04_without_ids_my_rewritten_cell_still_takes_their_settings() -> None:
    base = [code("a"), prose("*Write your answer here.*"), code("b")]
    mine = [code("a"), prose("Because it rains."), code("b")]
    theirs = [code("a"), {**base[1], "metadata": {"deletable": False}}, code("b")]
    merged = merge(notebook(*base), notebook(*mine), notebook(*theirs))
    assert merged.content == notebook(code("a"), {**mine[1], "metadata": {"deletable": False}}, code("b"))


def test_n08_a_cell_that_replaces_the_one_i_edited_stands_beside_it() -> None:
    question, end = code("# Question 1\nx = ...\nx"), code("end")
    mine = code("# Question 1\nx = 41\nx")
    other = code("plot(table, colour='red')")
    merged = merge(notebook(question, end), notebook(mine, end), notebook(other, end))
    assert sorted(sources(merged.content)) == sorted(["# Question 1\nx = 41\nx", "plot(table, colour='red')", "end"])
    assert merged.kept == ()


def test_n05_outputs_counts_and_widgets_of_both_sides_never_conflict() -> None:
    widgets = "application/vnd.jupyter.widget-state+json"

    def state(**models: str) -> dict:
        return {"widgets": {widgets: {"state": {k: {"model_name": v} for k, v in models.items()}, "version_major": 2}}}

    base = notebook(code("x"), code("y"), metadata=state(a="Old"))
    mine = notebook(code("x", outputs=printed("m\n"), count=5), code("y"), metadata=state(a="Mine", b="Mine"))
    theirs = notebook(
        code("x", outputs=printed("t\n"), count=2), code("y", outputs=printed("t\n")), metadata=state(a="T")
    )
    merged = merge(base, mine, theirs)
    assert merged.kept == ()
    assert merged.content == notebook(
        code("x", outputs=printed("m\n"), count=5),
        code("y", outputs=printed("t\n")),
        metadata=state(a="Mine", b="Mine"),
    )


def test_n05_a_cell_i_only_ran_goes_when_they_delete_it() -> None:
    base = notebook(code("x"), code("y"))
    mine = notebook(code("x", outputs=printed("1\n"), count=1), code("y"))
    assert merge(base, mine, notebook(code("y"))).content == notebook(code("y"))


def test_n06_new_cells_in_the_same_place_stand_theirs_first() -> None:
    first, *rest = THREE_QUESTIONS
    mine = notebook(first, code("my scratch 1"), code("my scratch 2"), *rest)
    theirs = notebook(first, prose("A hint"), code("given = 1"), *rest)
    merged = merge(notebook(first, *rest), mine, theirs)
    expected = [first, prose("A hint"), code("given = 1"), code("my scratch 1"), code("my scratch 2"), *rest]
    assert merged.content == notebook(*expected)
    assert merged.kept == ()


def test_n06_new_cells_at_both_ends_keep_their_neighbours() -> None:
    base = notebook(code("a"), code("b"))
    mine = notebook(code("m0"), code("a"), code("b"), code("m1"))
    theirs = notebook(code("t0"), code("a"), code("b"), code("t1"))
    assert sources(merge(base, mine, theirs).content) == ["t0", "m0", "a", "b", "t1", "m1"]


def test_n06_the_same_new_cell_of_both_is_one_cell() -> None:
    base = notebook(code("a"), code("b"))
    both = notebook(code("a"), code("new"), code("b"), code("mine"))
    theirs = notebook(code("a"), code("new"), code("b changed"))
    assert sources(merge(base, both, theirs).content) == ["a", "new", "b changed", "mine"]


@pytest.mark.parametrize("minor", [4, 5])
def test_n07_a_cell_i_deleted_comes_back_when_they_change_it(minor: int) -> None:
    def cell(source: str, name: str) -> dict:
        return code(source, name=name if minor == 5 else "")

    a, b, c = cell("a = 1", "a"), cell("# Question\nb = ...", "b"), cell("c = 1", "c")
    changed = cell("# Question\nb = ...  # fixed", "b")
    merged = merge(notebook(a, b, c, minor=minor), notebook(a, c, minor=minor), notebook(a, changed, c, minor=minor))
    assert merged.content == notebook(a, changed, c, minor=minor)
    assert merged.taken == ("cell 2 (# Question), which is back",)


def test_n07_a_cell_i_deleted_stays_away_when_they_only_ran_it() -> None:
    theirs = notebook(code("a"), code("b", outputs=printed("1\n"), count=4), code("c changed"))
    merged = merge(notebook(code("a"), code("b"), code("c")), notebook(code("a"), code("c")), theirs)
    assert sources(merged.content) == ["a", "c changed"]


def test_n08_my_edited_cell_stays_when_they_delete_it() -> None:
    answered = [*THREE_QUESTIONS]
    answered[2] = code("# Question 2\ny = 5\ny")
    theirs = [THREE_QUESTIONS[0], THREE_QUESTIONS[1], code("# Question 3 was 4\nz = ...\nz")]
    merged = merge(notebook(*THREE_QUESTIONS), notebook(*answered), notebook(*theirs))
    assert sources(merged.content)[2] == "# Question 2\ny = 5\ny"
    assert merged.kept == ()


def test_n09_a_cell_i_moved_takes_their_change() -> None:
    a, b, c, d = (code(f"{name} = load('{name}')\n{name}.show()") for name in "abcd")
    changed = code("b = load('b', header=True)\nb.show()")
    merged = merge(notebook(a, b, c, d), notebook(b, a, c, d), notebook(a, changed, c, d))
    assert merged.content == notebook(changed, a, c, d)


def test_n09_a_cell_they_moved_keeps_my_change() -> None:
    a, b, c, d = (code(f"{name} = load('{name}')\n{name}.show()") for name in "abcd")
    mine = code("b = load('b')\nb.show(5)")
    merged = merge(notebook(a, b, c, d), notebook(a, mine, c, d), notebook(a, c, d, b))
    assert merged.content == notebook(a, c, d, mine)
    assert merged.taken == ("cell 4 (b = load('b')), moved",)


def test_n09_moves_of_different_cells_both_count() -> None:
    a, b, c, d, e = (code(f"{name} = load('{name}')") for name in "abcde")
    merged = merge(notebook(a, b, c, d, e), notebook(b, a, c, d, e), notebook(a, b, c, e, d))
    assert merged.content == notebook(b, a, c, e, d)


def test_n09_an_empty_cell_i_moved_goes_when_they_delete_it() -> None:
    a, b, empty = code("a = 1"), code("b = 2"), code("")
    assert sources(merge(notebook(a, b, empty), notebook(empty, a, b), notebook(a, b)).content) == ["a = 1", "b = 2"]


def test_n10_their_tags_and_grading_settings_come_in_beside_my_answer() -> None:
    grader = {"grade": True, "grade_id": "q1", "locked": False, "points": 1, "schema_version": 3, "solution": True}
    base = notebook(code("x = ...", nbgrader=grader, tags=["q"]))
    mine = notebook(code("x = 5", nbgrader=grader, tags=["q", "mine"], outputs=printed("5\n"), collapsed=True))
    theirs = notebook(code("x = ...", nbgrader={**grader, "points": 2}, tags=["q", "otter"], deletable=False))
    merged = merge(base, mine, theirs)
    assert merged.kept == ()
    (cell,) = cells_of(merged.content)
    assert cell["metadata"] == {
        "collapsed": True,
        "deletable": False,
        "nbgrader": {**grader, "points": 2},
        "tags": ["q", "mine", "otter"],
    }
    assert cell["source"] == ["x = 5"]
    assert cell["outputs"] == printed("5\n")


def test_n10_settings_that_both_changed_stay_mine_and_are_told() -> None:
    merged = merge(notebook(code("x", level=1)), notebook(code("x", level=2)), notebook(code("x", level=3)))
    assert cells_of(merged.content)[0]["metadata"] == {"level": 2}
    assert merged.kept == ("cell 1 (x), its settings",)


def test_n11_their_kernel_comes_in_and_what_only_jupyter_wrote_stays() -> None:
    def book(kernel: str, version: str, text: str = "x", **extra: str) -> bytes:
        spec = {"display_name": kernel, "language": "python", "name": "python3"}
        return notebook(
            code(text), metadata={"kernelspec": spec, "language_info": {"name": "python", "version": version}, **extra}
        )

    merged = merge(book("Python 3", "3.6"), book("Python 3", "3.11"), book("Data 8", "3.6", "y", title="Lab"))
    assert merged.content == book("Data 8", "3.11", "y", title="Lab")
    both = merge(book("A", "3.6"), book("B", "3.11"), book("C", "3.8", "y"))
    assert both.content == book("C", "3.8", "y")
    assert both.kept == ()


BROKEN = [
    b"not JSON", b"[]", b"{}", b"null", b'{"cells": 5, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    b'{"cells": [5], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    b'{"cells": [{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    b'{"cells": [{"cell_type": "code", "source": [1]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    b'{"cells": [{"cell_type": "code", "source": 1}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    b'{"cells": [{"cell_type": ["x"], "source": ""}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    b'{"cells": [], "metadata": [], "nbformat": 4, "nbformat_minor": 4}',
    b'{"cells": [], "metadata": {}, "nbformat": "4", "nbformat_minor": 4}',
    b'{"cells": [], "metadata": {}, "nbformat": 9, "nbformat_minor": 4}',
    b'{"worksheets": [{}], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}',
    b'{"worksheets": 7, "metadata": {}, "nbformat": 3, "nbformat_minor": 0}',
    b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4} trailing',
    b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4,}',
    b'{"cells": [', b'\xff\xfe{', b'{"a": ' + b"[" * 100_000, b'{"cells": [], "n": ' + b"1" * 10_000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_n13_a_broken_notebook_on_any_side_is_not_merged(broken: bytes) -> None:
    base, edited = notebook(code("a")), notebook(code("b"))
    assert merge_file(NOTEBOOK, base, edited, broken) is None
    assert merge_file(NOTEBOOK, base, broken, edited) is None
    assert not same_work(NOTEBOOK, base, broken)
    assert not same_work(NOTEBOOK, broken, base)


def test_nothing_of_theirs_leaves_my_bytes_and_nothing_of_mine_takes_theirs() -> None:
    base = notebook(code("a"), code("b"))
    mine = notebook(code("a = 5"), code("b"), indent=3)
    reindented = notebook(code("a"), code("b"), indent=2)
    theirs = notebook(code("a"), code("b = 2"))
    assert merge_file(NOTEBOOK, base, mine, reindented).content == mine  # type: ignore[union-attr]
    assert merge_file(NOTEBOOK, base, reindented, theirs).content == theirs  # type: ignore[union-attr]
    assert merge_file(NOTEBOOK, b"", b"", theirs).content == theirs  # type: ignore[union-attr]


def test_without_a_base_the_cells_of_both_come_together() -> None:
    merged = merge(b"", notebook(code("a"), code("b")), notebook(code("a"), code("c")))
    assert sorted(sources(merged.content)) == ["a", "b", "c"]
    assert merged.kept == ()


def test_a_stream_that_jupyter_wrote_as_one_string_is_no_change() -> None:
    base = notebook(code("a", outputs=printed("1\n2\n")))
    joined = notebook(code("a", outputs=[{"name": "stdout", "output_type": "stream", "text": "1\n2\n"}]))
    assert same_work(NOTEBOOK, base, joined)
