"""MERGE_SPEC N1-N13, and what Jupyter and other programs do to a notebook besides."""

import json

import pytest
from notebook_writing import (
    NOTEBOOK,
    THREE_QUESTIONS,
    cells_of,
    code,
    is_valid,
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


def test_n12_attachments_of_both_sides_come_together() -> None:
    def picture(data: str) -> dict:
        return {"image/png": data}

    base = notebook(prose("see", attachments={"a.png": picture("AA==")}))
    mine = notebook(
        prose("see\n![m](attachment:m.png)", attachments={"a.png": picture("AA=="), "m.png": picture("BB==")})
    )
    theirs = notebook(prose("see", attachments={"a.png": picture("CC=="), "t.png": picture("DD==")}))
    (cell,) = cells_of(merge(base, mine, theirs).content)
    assert cell["attachments"] == {"a.png": picture("CC=="), "m.png": picture("BB=="), "t.png": picture("DD==")}


def test_n12_raw_cells_merge_by_lines() -> None:
    def raw(text: str) -> dict:
        return {"cell_type": "raw", "metadata": {"format": "text/latex"}, "source": text.splitlines(keepends=True)}

    merged = merge(notebook(raw("a\nb\nc")), notebook(raw("A\nb\nc")), notebook(raw("a\nb\nC")))
    assert sources(merged.content) == ["A\nb\nC"]


def test_n12_a_cell_that_becomes_prose_loses_what_only_code_has() -> None:
    base = notebook(code("title"), code("x"))
    mine = notebook(code("title", outputs=printed("1\n"), count=1), code("x = 5"))
    merged = merge(base, mine, notebook(prose("title"), code("x")))
    assert cells_of(merged.content)[0] == {"cell_type": "markdown", "metadata": {}, "source": ["title"]}


def _three(*cells: dict, **metadata: str) -> bytes:
    book = {
        "metadata": {"name": "", **metadata},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": list(cells), "metadata": {}}],
    }
    return json.dumps(book, indent=1).encode()


def _old_code(source: str, outputs: list | None = None) -> dict:
    return {
        "cell_type": "code",
        "collapsed": False,
        "input": source.splitlines(keepends=True),
        "language": "python",
        "metadata": {},
        "outputs": outputs or [],
    }


def _heading(text: str, level: int = 2) -> dict:
    return {"cell_type": "heading", "level": level, "metadata": {}, "source": [text]}


def test_n12_nbformat_3_merges_as_nbformat_3() -> None:
    base = _three(_heading("Lab"), _old_code("x = ...\nx"), _old_code("y"))
    mine = _three(_heading("Lab"), _old_code("x = 5\nx"), _old_code("y"), _old_code("scratch"))
    theirs = _three(_heading("Lab 1"), _old_code("x = ...\nx"), _old_code("given"), _old_code("y"))
    merged = merge_file(NOTEBOOK, base, mine, theirs)
    assert merged is not None and merged.kept == ()
    expected = _three(
        _heading("Lab 1"), _old_code("x = 5\nx"), _old_code("given"), _old_code("y"), _old_code("scratch")
    )
    assert merged.content == expected
    assert is_valid(merged.content)


def test_n12_a_notebook_that_jupyter_upgraded_from_3_is_not_edited() -> None:
    import nbformat

    output = {"output_type": "pyout", "metadata": {}, "prompt_number": 2, "text": ["5"]}
    base = _three(_heading("Lab"), _old_code("x = ...\nx", [output]))
    upgraded = nbformat.writes(nbformat.convert(nbformat.reads(base.decode(), nbformat.NO_CONVERT), 4)).encode()
    assert same_work(NOTEBOOK, base, upgraded)
    mine = upgraded.replace(b"x = ...", b"x = 5")
    theirs = _three(_heading("Lab 1"), _old_code("x = ...\nx", [output]), _old_code("new"))
    merged = merge_file(NOTEBOOK, base, mine, theirs)
    assert merged is not None
    assert sources(merged.content) == ["## Lab 1", "x = 5\nx", "new"]
    assert is_valid(merged.content)


def test_n12_ids_that_jupyter_made_up_on_save_do_not_count_as_edits() -> None:
    base = notebook(*THREE_QUESTIONS)
    saved = notebook(*({**cell, "id": f"id{n}"} for n, cell in enumerate(THREE_QUESTIONS)), minor=5)
    assert same_work(NOTEBOOK, base, saved)
    theirs = notebook(*THREE_QUESTIONS[:3], code("z = 1"))
    merged = merge_file(NOTEBOOK, base, saved, theirs)
    assert merged is not None and merged.content == theirs


def test_n12_both_upgraded_with_other_ids_still_match() -> None:
    def named(prefix: str, cells: list) -> bytes:
        return notebook(*({**cell, "id": f"{prefix}{n}"} for n, cell in enumerate(cells)), minor=5)

    answered, changed = [*THREE_QUESTIONS], [*THREE_QUESTIONS]
    answered[1] = code("# Question 1\nx = 5\nx")
    changed[3] = code("# Question 3\nz = ...  # a table\nz")
    changed.insert(1, code("import numpy"))
    merged = merge(notebook(*THREE_QUESTIONS), named("m", answered), named("t", changed))
    texts = ["".join(cell["source"]) for cell in (changed[0], changed[1], answered[1], answered[2], changed[4])]
    assert sources(merged.content) == texts
    assert [cell["id"] for cell in cells_of(merged.content)] == [f"t{n}" for n in range(5)]


def test_n12_new_cells_get_ids_where_mine_has_them_and_theirs_has_not() -> None:
    mine = [{**cell, "id": f"m{n}"} for n, cell in enumerate(THREE_QUESTIONS)]
    mine[1] = code("# Question 1\nx = 5\nx", name="m1")
    theirs = notebook(*THREE_QUESTIONS, code("a new question"))
    merged = merge(notebook(*THREE_QUESTIONS), notebook(*mine, minor=5), theirs)
    ids = [cell["id"] for cell in cells_of(merged.content)]
    assert ids[:4] == ["m0", "m1", "m2", "m3"]
    assert len(set(ids)) == 5


def test_n12_their_upgrade_gives_all_my_cells_ids() -> None:
    mine = notebook(*THREE_QUESTIONS, code("scratch"))
    theirs = notebook(
        *({**cell, "id": f"t{n}"} for n, cell in enumerate(THREE_QUESTIONS)), code("new", name="t4"), minor=5
    )
    merged = merge(notebook(*THREE_QUESTIONS), mine, theirs)
    assert json.loads(merged.content)["nbformat_minor"] == 5
    assert [cell["id"] for cell in cells_of(merged.content)][:5] == ["t0", "t1", "t2", "t3", "t4"]
    assert sources(merged.content)[4:] == ["new", "scratch"]


def test_n12_two_cells_with_one_id_become_two_ids() -> None:
    base = notebook(code("a", name="a"), code("b", name="b"), minor=5)
    mine = notebook(code("a", name="a"), code("copy of a", name="a"), code("b", name="b"), minor=5)
    theirs = notebook(code("a", name="a"), code("b = 2", name="b"), minor=5)
    merged = merge_file(NOTEBOOK, base, mine, theirs)
    assert merged is not None
    assert is_valid(merged.content)
    assert sources(merged.content) == ["a", "copy of a", "b = 2"]


def test_n12_two_new_cells_that_happen_to_bear_one_id_both_stay() -> None:
    base = notebook(code("a", name="a"), minor=5)
    mine = notebook(code("a", name="a"), code("scratch = 1", name="new"), minor=5)
    theirs = notebook(code("a", name="a"), prose("A hint for all", name="new"), minor=5)
    merged = merge(base, mine, theirs)
    assert sources(merged.content) == ["a", "A hint for all", "scratch = 1"]
    assert cells_of(merged.content)[1]["id"] == "new"
    assert merged.kept == ()


def test_n09_an_empty_cell_i_moved_goes_when_they_delete_it() -> None:
    a, b, empty = code("a = 1"), code("b = 2"), code("")
    assert sources(merge(notebook(a, b, empty), notebook(empty, a, b), notebook(a, b)).content) == ["a = 1", "b = 2"]


def test_n12_ids_that_only_count_the_cells_do_not_mislead() -> None:
    def counted(*texts: str) -> bytes:
        return notebook(*(code(text, name=f"cell-{n}") for n, text in enumerate(texts)), minor=5)

    texts = [f"# Question {n}\nanswer_{n} = ..." for n in range(8)]
    answered = [text.replace("...", "5") if n == 6 else text for n, text in enumerate(texts)]
    merged = merge(counted(*texts), counted(*answered), counted("import numpy", *texts))
    assert sources(merged.content) == ["import numpy", *answered]
    assert merged.kept == ()


@pytest.mark.parametrize("indent", [1, 2, 4, "\t"])
def test_n12_what_did_not_change_keeps_my_bytes_and_the_rest_my_indentation(indent: int | str) -> None:
    base = notebook(code("a"), code("b"), prose("c"))
    theirs = notebook(code("a"), code("b = 'é'"), prose("c"), prose("d\ne"))
    mine = notebook(code("a = 5"), code("b"), prose("c"), indent=indent)
    expected = notebook(code("a = 5"), code("b = 'é'"), prose("c"), prose("d\ne"), indent=indent)
    assert merge(base, mine, theirs).content == expected


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_n12_a_notebook_on_one_line_stays_on_one_line(separators: tuple[str, str]) -> None:
    def flat(*cells: dict) -> bytes:
        book = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        return json.dumps(book, separators=separators).encode()

    base = notebook(code("a"), code("b"))
    theirs = notebook(code("a"), code("b = 2"), code("c"))
    assert merge(base, flat(code("a = 5"), code("b")), theirs).content == flat(code("a = 5"), code("b = 2"), code("c"))


def test_n12_crlf_no_last_line_end_and_a_byte_order_mark_stay() -> None:
    base = notebook(code("a"), code("b"))
    theirs = notebook(code("a"), code("b\nc"))
    mine = b"\xef\xbb\xbf" + notebook(code("a = 5"), code("b")).replace(b"\n", b"\r\n").rstrip()
    expected = b"\xef\xbb\xbf" + notebook(code("a = 5"), code("b\nc")).replace(b"\n", b"\r\n").rstrip()
    assert merge_file(NOTEBOOK, base, mine, theirs).content == expected  # type: ignore[union-attr]


def test_n12_escaped_and_raw_letters_follow_my_file() -> None:
    def ascii_only(*cells: dict) -> bytes:
        book = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        return json.dumps(book, indent=1, sort_keys=True).encode() + b"\n"

    base = [code("'ä'"), code("b")]
    mine, theirs = [code("'ä'"), code("b = 'ö'")], [code("'ü😀'"), code("b")]
    both = [theirs[0], mine[1]]
    assert merge(notebook(*base), ascii_only(*mine), notebook(*theirs)).content == ascii_only(*both)
    assert merge(notebook(*base), notebook(*mine), ascii_only(*theirs)).content == notebook(*both)


def test_n12_source_as_one_string_stays_one_string() -> None:
    def joined(*cells: dict) -> bytes:
        return notebook(*({**cell, "source": "".join(cell["source"])} for cell in cells))

    base = [code("a\nb\nc"), code("d")]
    mine, theirs = [code("A\nb\nc"), code("d")], [code("a\nb\nC"), code("d\ne"), code("f\ng")]
    expected = joined(code("A\nb\nC"), code("d\ne"), code("f\ng"))
    assert merge(joined(*base), joined(*mine), notebook(*theirs)).content == expected


def test_n12_odd_numbers_escapes_and_double_keys_survive() -> None:
    odd = (
        '{"a": 1.0, "b": 1e5, "c": 123456789012345678901234567890, "d": NaN, "e": "\\ud83d", "f": "\\/", '
        '"g": 1, "g": 2, "h": -0.0, "i": 1E400}'
    )
    text = '{"cells": [%s, %s], "metadata": {"odd": %s}, "nbformat": 4, "nbformat_minor": 4}'

    def cell(source: str, settings: str) -> str:
        return (
            f'{{"cell_type": "code", "source": "{source}", "metadata": {settings}, '
            '"outputs": [], "execution_count": null}'
        )

    def book(one: str, two: str) -> bytes:
        return (text % (cell(one, odd), cell(two, odd), odd)).encode()

    merged = merge_file(NOTEBOOK, book("a", "b"), book("a = 5", "b"), book("a", "b = 2"))
    assert merged is not None
    assert merged.content == book("a = 5", "b = 2")


def test_n12_hand_made_white_space_stays_around_what_did_not_change() -> None:
    def book(middle: str) -> bytes:
        cells = [f'{{"cell_type":"raw",  "metadata":{{}},"source":"{s}"}}' for s in ("a = 5", middle, "c")]
        return (
            '{ "nbformat":4,"nbformat_minor" : 4,\n\n"metadata":{},"cells":[\n' + "  ,\n\n".join(cells) + " ] }"
        ).encode()

    def raw(source: str) -> dict:
        return {"cell_type": "raw", "metadata": {}, "source": source}

    merged = merge(notebook(raw("a"), raw("b"), raw("c")), book("b"), notebook(raw("a"), raw("b"), raw("c"), raw("d")))
    assert merged.content.startswith(book("b")[:-4])


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


def test_without_a_base_the_cells_of_both_come_together() -> None:
    merged = merge(b"", notebook(code("a"), code("b")), notebook(code("a"), code("c")))
    assert sorted(sources(merged.content)) == ["a", "b", "c"]
    assert merged.kept == ()


def test_a_stream_that_jupyter_wrote_as_one_string_is_no_change() -> None:
    base = notebook(code("a", outputs=printed("1\n2\n")))
    joined = notebook(code("a", outputs=[{"name": "stdout", "output_type": "stream", "text": "1\n2\n"}]))
    assert same_work(NOTEBOOK, base, joined)
