"""Large and awkward inputs: right results, and time that grows with the size and not with its square."""

import gc
import json
import time
from collections.abc import Callable

import pytest
from notebook_writing import NOTEBOOK, Json, code, is_valid, notebook, printed, sources

from syncd.core.entry import RelPath
from syncd.merge.files import Merged, merge_file

pytestmark = pytest.mark.slow
NOTES = RelPath("data.csv")
Triple = tuple[bytes, bytes, bytes]


def merged(path: RelPath, triple: Triple) -> Merged:
    result = merge_file(path, *triple)
    assert result is not None
    return result


def grows_with_the_size(make: Callable[[int], Triple], size: int, path: RelPath = NOTEBOOK) -> bool:
    """Whether eight times the size takes about eight times as long (quadratic: 64); wide, as others use the machine."""
    times = []
    for n in (size, 8 * size):
        triple = make(n)
        best = float("inf")
        gc.collect()
        gc.disable()
        for _ in range(3):
            start = time.process_time()
            merged(path, triple)
            best = min(best, time.process_time() - start)
        gc.enable()
        times.append(best)
    return times[1] < 24 * times[0]


def question(n: int, answer: str = "...", hint: str = "") -> Json:
    return code(f"# Question {n}{hint}\nvalue_{n} = {answer}\nvalue_{n}")


def test_two_thousand_cells_without_ids_all_edited_by_both() -> None:
    def make(n: int) -> Triple:
        base = [question(i) for i in range(n)]
        mine = [question(i, answer=str(i)) for i in range(n)]
        theirs = [question(i, hint=" (2 points)") for i in range(n)]
        return notebook(*base), notebook(*mine), notebook(*theirs)

    result = merged(NOTEBOOK, make(2000))
    assert result.kept == ()
    assert result.content == notebook(*(question(i, str(i), " (2 points)") for i in range(2000)))
    assert grows_with_the_size(make, 250)


def test_two_thousand_cells_moved_inserted_and_deleted_with_ids() -> None:
    base = [{**question(i), "id": f"c{i}"} for i in range(2000)]
    mine = [cell for cell in base if int(cell["id"][1:]) % 7]
    mine[::100] = [code(f"scratch {i}", name=f"m{i}") for i in range(len(mine[::100]))]
    theirs = [*base[1000:], code("new", name="new"), *base[:1000]]
    result = merged(NOTEBOOK, tuple(notebook(*cells, minor=5) for cells in (base, mine, theirs)))  # type: ignore[arg-type]
    assert is_valid(result.content)
    now = sources(result.content)
    assert "new" in now and all(f"scratch {i}" in now for i in range(len(mine[::100])))


@pytest.mark.parametrize("source", ["", "x", "..."])
def test_thousands_of_equal_cells(source: str) -> None:
    def make(n: int) -> Triple:
        return (
            notebook(*[code(source)] * n),
            notebook(*[code(source)] * (n // 2), code("mine"), *[code(source)] * (n // 2)),
            notebook(*[code(source)] * (n - 5), code("theirs")),
        )

    now = sources(merged(NOTEBOOK, make(2000)).content)
    assert "mine" in now and "theirs" in now
    assert grows_with_the_size(make, 250)


def test_two_thousand_cells_that_have_nothing_in_common() -> None:
    def make(n: int) -> Triple:
        return tuple(notebook(*(code(f"{side}{i}()") for i in range(n))) for side in "bmt")  # type: ignore[return-value]

    assert len(sources(merged(NOTEBOOK, make(2000)).content)) == 4000
    assert grows_with_the_size(make, 250)


def test_a_cell_of_a_hundred_thousand_lines() -> None:
    def make(n: int) -> Triple:
        lines = [f"row {i} of the data\n" for i in range(n)]
        mine = [line.replace("of", "OF") if i % 10 == 0 else line for i, line in enumerate(lines)]
        theirs = [line.replace("row", "ROW") if i % 10 == 5 else line for i, line in enumerate(lines)]
        return tuple(notebook(code("".join(side)), code("end")) for side in (lines, mine, theirs))  # type: ignore[return-value]

    result = merged(NOTEBOOK, make(100_000))
    assert result.kept == ()
    now = sources(result.content)[0]
    assert now.count("OF") == now.count("ROW") == 10_000
    assert grows_with_the_size(make, 5_000)


def test_every_other_line_edited_here_and_the_others_there() -> None:
    def make(n: int) -> Triple:
        lines = [b"line %d\n" % i for i in range(n)]
        mine = [b"mine %d\n" % i if i % 2 else line for i, line in enumerate(lines)]
        theirs = [line if i % 2 else b"theirs %d\n" % i for i, line in enumerate(lines)]
        return b"".join(lines), b"".join(mine), b"".join(theirs)

    result = merged(NOTES, make(20_000))
    assert result.kept == ()
    assert result.content == b"".join(b"mine %d\n" % i if i % 2 else b"theirs %d\n" % i for i in range(20_000))


def test_fifty_megabytes_of_text() -> None:
    rows = [b"%d;some measurement;%d\n" % (i, i * 7919 % 10_007) for i in range(1_600_000)]
    base = b"".join(rows)
    mine, theirs = list(rows), list(rows)
    mine[3], theirs[-3] = b"mine\n", b"theirs\n"
    result = merged(NOTES, (base, b"".join(mine), b"".join(theirs)))
    assert result.kept == ()
    assert result.content.count(b"mine\n") == result.content.count(b"theirs\n") == 1
    assert len(result.content.splitlines()) == 1_600_000


def test_one_line_of_twenty_megabytes() -> None:
    base = b"x" * 20_000_000
    result = merged(NOTES, (base, base + b"\nmine", b"theirs\n" + base))
    assert result.content == b"theirs\n" + base + b"\nmine"


def test_a_notebook_of_five_megabytes_in_another_layout() -> None:
    pictures = [{"data": {"image/png": "iVBORw0KGgo" * 9000}, "metadata": {}, "output_type": "display_data"}]
    cells = [code(f"plot({i})", outputs=pictures if i % 5 == 0 else printed("ü\n" * 50)) for i in range(250)]
    mine = [*cells[:100], code("answer = 5"), *cells[100:]]
    theirs = [*cells[:200], code("plot('new')"), *cells[200:]]
    result = merged(NOTEBOOK, (notebook(*cells), notebook(*mine, indent=2), notebook(*theirs)))
    assert result.content == notebook(*theirs[:100], code("answer = 5"), *theirs[100:], indent=2)


def test_thousands_of_keys_and_deep_nesting() -> None:
    def make(n: int) -> Triple:
        keys = {f"key{i}": {"deep": [i]} for i in range(n)}
        mine = {**keys, **{f"mine{i}": i for i in range(n)}}
        theirs = {**{key: {"deep": ["t"]} for key in keys}, **{f"theirs{i}": i for i in range(n)}}
        return tuple(notebook(code("x", **settings)) for settings in (keys, mine, theirs))  # type: ignore[return-value]

    settings = json.loads(merged(NOTEBOOK, make(5000)).content)["cells"][0]["metadata"]
    assert len(settings) == 15_000
    assert grows_with_the_size(make, 1_000)
    deep = b'{"cells": [], "metadata": {"a": ' + b"[" * 500 + b"]" * 500 + b'}, "nbformat": 4, "nbformat_minor": 4}'
    changed = deep.replace(b'"a"', b'"b"')
    assert merge_file(NOTEBOOK, deep, deep.replace(b"[[", b"[1,[", 1), changed) is not None
