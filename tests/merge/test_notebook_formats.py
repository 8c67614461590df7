"""MERGE_SPEC N12: what notebooks are written in, and that a merge keeps to it."""

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
