"""What holds of every merge, whatever the inputs are."""

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from notebook_writing import NOTEBOOK, Json, is_valid, sources

from syncd.core.entry import RelPath
from syncd.merge.files import Merged, merge_file, same_work

NOTES = RelPath("notes.txt")
MODEST = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

LINES = st.sampled_from(
    ["a", "b", "c", "x = ...", "import numpy", "", "# Question", "check('q1')", "check('q2')", "é😀"]
)
OWN_LINES = st.integers(0, 9).map(lambda n: f"own {n}")
TEXTS = st.lists(LINES, max_size=8)


@st.composite
def edited(draw: st.DrawFn, lines: list[str]) -> list[str]:
    """A few lines replaced, deleted or put in."""
    out = list(lines)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(out)))
        out[at : at + draw(st.integers(0, 2))] = draw(st.lists(st.one_of(LINES, OWN_LINES), max_size=2))
    return out


@st.composite
def text_triples(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    base = draw(TEXTS)
    sides = []
    for lines in (base, draw(edited(base)), draw(edited(base))):
        end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]))
        sides.append((end.join(lines) + draw(st.sampled_from(["", end]))).encode())
    return sides[0], sides[1], sides[2]


def lines_of(content: bytes) -> list[bytes]:
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def merged_text(base: bytes, mine: bytes, theirs: bytes) -> Merged:
    merged = merge_file(NOTES, base, mine, theirs)
    assert merged is not None
    return merged


@MODEST
@given(text_triples())
def test_no_line_of_mine_is_lost_and_none_is_made_up(triple: tuple[bytes, bytes, bytes]) -> None:
    base, mine, theirs = triple
    merged = merged_text(base, mine, theirs)
    before, here, there, now = (Counter(lines_of(side)) for side in (base, mine, theirs, merged.content))
    for line, count in here.items():
        assert not line or now[line] >= count - before[line], f"{line!r} of mine is lost"
    for line, count in now.items():
        assert not line or count <= here[line] + there[line], f"{line!r} is made up"
    if not merged.kept:
        for line, count in there.items():
            assert not line or now[line] >= count - before[line] - here[line], f"{line!r} of theirs is lost in silence"


@MODEST
@given(text_triples())
def test_a_text_merge_run_again_changes_nothing(triple: tuple[bytes, bytes, bytes]) -> None:
    base, mine, theirs = triple
    merged = merged_text(base, mine, theirs)
    assert merged_text(theirs, merged.content, theirs).content == merged.content


@st.composite
def distinct_triples(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """No line stands twice, but that both sides may have put in the same one."""
    base = [f"line {n}" for n in range(draw(st.integers(0, 8)))]
    sides = [base]
    for side in range(2):
        lines = list(base)
        for step in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(lines)))
            new = [f"new {side} {step} {n}" for n in range(draw(st.integers(0, 2)))]
            lines[at : at + draw(st.integers(0, 2))] = [*new, *draw(st.sampled_from([[], [], [f"same {step}"]]))]
        sides.append(lines)
    texts = ["".join(f"{line}\n" for line in lines).encode() for lines in sides]
    return texts[0], texts[1], texts[2]


@MODEST
@given(distinct_triples())
@example((b"0\n1\n2\n3\n4\n5\n", b"0\nmine\n4\n5\n", b"t0\nt1\n2\n3\nt2\n4\n5\n"))
def test_a_text_merge_run_again_with_the_old_base_changes_nothing(triple: tuple[bytes, bytes, bytes]) -> None:
    """As after a crash before the new base was noted."""
    base, mine, theirs = triple
    merged = merged_text(base, mine, theirs)
    assert merged_text(base, merged.content, theirs).content == merged.content


@MODEST
@given(distinct_triples())
@example((b"line 0\n", b"same 0\n", b"same 0\nline 0\nsame 1\n"))
@example((b"a\n", b"b\na\n", b"b\n"))
def test_without_a_clash_the_sides_of_a_text_may_be_swapped(triple: tuple[bytes, bytes, bytes]) -> None:
    base, mine, theirs = triple
    one, other = merged_text(base, mine, theirs), merged_text(base, theirs, mine)
    assert bool(one.kept) == bool(other.kept)
    if not one.kept:
        assert one.content == other.content


def cells() -> st.SearchStrategy[Json]:
    return st.builds(
        lambda kind, lines, output: _cell(kind, lines, output),
        st.sampled_from(["code", "code", "markdown", "raw"]),
        st.lists(LINES, max_size=4),
        st.integers(0, 2),
    )


def _cell(kind: str, lines: list[str], output: int) -> Json:
    cell: Json = {"cell_type": kind, "metadata": {}, "source": "\n".join(lines).splitlines(keepends=True)}
    if kind == "code":
        shown = [{"name": "stdout", "output_type": "stream", "text": f"{output}\n"}] if output else []
        cell.update(execution_count=output or None, outputs=shown)
    return cell


@st.composite
def next_cells(draw: st.DrawFn, cells_before: list[Json]) -> list[Json]:
    """Cells edited, run, deleted, moved, put in, tagged."""
    out = [json.loads(json.dumps(cell)) for cell in cells_before]
    for _ in range(draw(st.integers(0, 4))):
        what = draw(st.sampled_from(["edit", "edit", "run", "delete", "move", "insert", "tag", "double"]))
        if what == "insert" or not out:
            out.insert(draw(st.integers(0, len(out))), draw(cells()))
            continue
        at = draw(st.integers(0, len(out) - 1))
        if what == "edit":
            lines = draw(edited("".join(out[at]["source"]).split("\n")))
            out[at]["source"] = "\n".join(lines).splitlines(keepends=True)
        elif what == "run" and out[at]["cell_type"] == "code":
            out[at]["execution_count"] = draw(st.integers(1, 9))
        elif what == "delete":
            del out[at]
        elif what == "move":
            out.insert(draw(st.integers(0, len(out) - 1)), out.pop(at))
        elif what == "tag":
            out[at]["metadata"]["tags"] = draw(st.lists(st.sampled_from(["t1", "t2", "t3"]), unique=True))
        elif what == "double":
            out.insert(at, {**out[at]})
    return out


@st.composite
def notebook_triples(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    base = draw(st.lists(cells(), max_size=6))
    if draw(st.booleans()):
        for n, cell in enumerate(base):
            cell["id"] = f"base-{n}"
    has_ids = bool(base) and "id" in base[0]
    sides = []
    for number, side in enumerate((base, draw(next_cells(base)), draw(next_cells(base)))):
        minor = 5 if has_ids else draw(st.sampled_from([2, 4, 5]))
        cells_now = [{k: v for k, v in cell.items() if k != "id" or minor == 5} for cell in side]
        used: set[str] = set()
        for n, cell in enumerate(cells_now):
            if minor == 5 and ("id" not in cell or cell["id"] in used):
                cell["id"] = f"side{number}-{n}"
            used.add(cell.get("id", ""))
        book = {"cells": cells_now, "metadata": draw(METADATA), "nbformat": 4, "nbformat_minor": minor}
        indent = draw(st.sampled_from([1, 1, 1, 2, None]))
        sides.append(json.dumps(book, indent=indent, ensure_ascii=draw(st.booleans())).encode())
    return sides[0], sides[1], sides[2]


METADATA = st.fixed_dictionaries(
    {},
    optional={
        "kernelspec": st.sampled_from([{"name": "python3", "display_name": n} for n in ("Python 3", "Data 8")]),
        "language_info": st.sampled_from([{"name": "python", "version": v} for v in ("3.6", "3.11")]),
        "title": st.sampled_from(["A", "B"]),
    },
)


def cell_lines(content: bytes) -> Counter[str]:
    return Counter(line for source in sources(content) for line in source.split("\n") if line)


@MODEST
@given(notebook_triples())
def test_a_notebook_merge_loses_and_invents_nothing_and_stays_valid(triple: tuple[bytes, bytes, bytes]) -> None:
    base, mine, theirs = triple
    assert is_valid(mine) and is_valid(theirs)
    merged = merge_file(NOTEBOOK, base, mine, theirs)
    assert merged is not None
    assert is_valid(merged.content), merged.content.decode()
    before, here, there, now = (cell_lines(side) for side in (base, mine, theirs, merged.content))
    for line, count in here.items():
        assert now[line] >= min(1, count - before[line]), f"{line!r} of mine is lost"
    for line, count in now.items():
        assert count <= here[line] + there[line], f"{line!r} is made up"
    if not merged.kept:
        for line in there - before - here:
            assert now[line], f"{line!r} of theirs is lost in silence"


@MODEST
@given(notebook_triples())
def test_a_notebook_merge_settles(triple: tuple[bytes, bytes, bytes]) -> None:
    base, mine, theirs = triple
    merged = merge_file(NOTEBOOK, base, mine, theirs)
    assert merged is not None
    after = merge_file(NOTEBOOK, theirs, merged.content, theirs)
    assert after is not None and after.content == merged.content
    once_more = merge_file(NOTEBOOK, base, mine, theirs)
    assert once_more == merged


@MODEST
@given(notebook_triples())
def test_what_is_the_same_work_takes_their_bytes(triple: tuple[bytes, bytes, bytes]) -> None:
    base, mine, theirs = triple
    if same_work(NOTEBOOK, base, mine) and base != theirs and mine != theirs:
        merged = merge_file(NOTEBOOK, base, mine, theirs)
        assert merged is not None
        assert merged.content in (theirs, mine)
        assert merged.content == theirs or same_work(NOTEBOOK, base, theirs)


HOSTILE_KEYS = ["cells", "cell_type", "source", "outputs", "metadata", "id", "attachments", "tags", "", "nbgrader"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(HOSTILE_KEYS), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def hostile_notebooks(draw: st.DrawFn) -> bytes:
    cell = st.fixed_dictionaries(
        {"cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON},
        optional={
            key: JSON | st.just("x\ny") | st.just(["x\n", "y"]) | st.just({})
            for key in HOSTILE_KEYS
            if key != "cell_type"
        },
    )
    book = draw(
        st.fixed_dictionaries(
            {
                "cells": st.lists(cell, max_size=3) | JSON,
                "nbformat": st.sampled_from([4, 4, 3, 2]) | JSON,
                "nbformat_minor": st.sampled_from([0, 4, 5]) | JSON,
            },
            optional={"metadata": JSON | st.just({}), "worksheets": JSON, "extra": JSON},
        )
    )
    if draw(st.booleans()):
        book["worksheets"] = [{"cells": book.get("cells")}]
    text = json.dumps(book, indent=draw(st.sampled_from([None, 1])))
    cut = draw(st.sampled_from([len(text)] * 5 + [len(text) // 2]))
    return text[:cut].encode()


@pytest.mark.slow
@settings(MODEST, max_examples=60)
@given(hostile_notebooks(), hostile_notebooks(), hostile_notebooks())
def test_no_json_makes_a_merge_raise(base: bytes, mine: bytes, theirs: bytes) -> None:
    for triple in ((base, mine, theirs), (base, base, theirs), (b"", mine, theirs), (mine, theirs, mine)):
        merged = merge_file(NOTEBOOK, *triple)
        if merged is not None and merged.content not in triple:
            json.loads(merged.content)
    same_work(NOTEBOOK, base, mine)


@settings(MODEST, max_examples=100)
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_make_a_text_merge_raise(base: bytes, mine: bytes, theirs: bytes) -> None:
    merged = merge_file(NOTES, base, mine, theirs)
    assert merged is not None or any(b"\0" in side for side in (base, mine, theirs))
