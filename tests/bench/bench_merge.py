"""Ours, `git merge-file --ours` and nbdime on the same three-way notebook merges.

    python -m tests.bench.bench_merge [REPOSITORY] [--triples 150] [--seed 1] [--without nbdime] [--notes]

Base and instructor's versions come from the history of a git repository of notebooks (any two
versions of a file that follow each other), the student's from seeded edits.  Without a repository
a seeded course is made up.  The last line is JSON.
"""

import argparse
import difflib
import gc
import json
import logging
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import nbformat

from syncd.core.entry import RelPath
from syncd.merge.files import merge_file
from tests.merge.made_notebooks import Json, Student, lab, next_version, saved, student_version


@dataclass(frozen=True)
class Triple:
    """One merge to do, and what a good result holds."""

    name: str
    base: bytes
    mine: bytes
    theirs: bytes
    student: Student
    base_cells: list[Json]
    """As nbformat 4, in the order that the student's `touched` counts them."""
    their_cells: list[Json]


@dataclass(frozen=True)
class Result:
    """What a tool gave; `content` None: it gave nothing."""

    content: bytes | None
    conflict: bool


@dataclass
class Tally:
    """What one tool did over all triples."""

    times: list[float] = field(default_factory=list)
    invalid: int = 0
    markers: int = 0
    answers_lost: int = 0
    updates_missed: int = 0
    conflicts: int = 0
    slowest: str = ""
    notes: list[str] = field(default_factory=list)

    def row(self) -> dict[str, float | int]:
        """The figures that are asked for."""
        times = sorted(self.times) or [0.0]
        return {
            "median_ms": round(statistics.median(times) * 1000, 2),
            "p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))] * 1000, 2),
            "worst_ms": round(times[-1] * 1000, 2),
            "invalid": self.invalid,
            "markers": self.markers,
            "answers_lost": self.answers_lost,
            "updates_missed": self.updates_missed,
            "conflicts": self.conflicts,
        }


def ours(triple: Triple) -> Result:
    """Our merge."""
    merged = merge_file(RelPath("lab.ipynb"), triple.base, triple.mine, triple.theirs)
    return Result(merged.content, bool(merged.kept)) if merged else Result(None, True)


def git_merge_file(triple: Triple) -> Result:
    """What nbgitpuller's `git merge -Xours` does to a file."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for name, content in (("mine", triple.mine), ("base", triple.base), ("theirs", triple.theirs)):
            path = Path(folder, name)
            path.write_bytes(content)
            names.append(str(path))
        run = subprocess.run(["git", "merge-file", "-p", "--ours", *names], capture_output=True, check=False)
    return Result(run.stdout, run.returncode != 0)


def nbdime_merge(triple: Triple) -> Result:
    """nbdime's merge with its defaults, in this process."""
    from nbdime.merging.notebooks import merge_notebooks

    sides = [nbformat.reads(side.decode(), as_version=4) for side in (triple.base, triple.mine, triple.theirs)]
    merged, decisions = merge_notebooks(*sides)
    return Result(nbformat.writes(merged).encode(), any(decision.conflict for decision in decisions))


TOOLS: dict[str, Callable[[Triple], Result]] = {"ours": ours, "git": git_merge_file, "nbdime": nbdime_merge}


def judge(tally: Tally, triple: Triple, result: Result) -> None:
    """Count what is wrong with a result; independent of how our merge matches cells."""
    tally.conflicts += result.conflict
    content = triple.mine if result.content is None else result.content  # nothing merged: mine stays
    inputs = triple.mine + triple.theirs
    if b"<<<<<<<" in content and b"<<<<<<<" not in inputs:
        tally.markers += 1
        tally.notes.append(f"{triple.name}: markers")
    cells = _cells(content)
    if cells is None or not (_valid(content) or not (_valid(triple.mine) and _valid(triple.theirs))):
        tally.invalid += 1
        tally.notes.append(f"{triple.name}: invalid")
    text = content.decode(errors="replace") if cells is None else "\n".join(_source(cell) for cell in cells)
    lost = sum(answer not in text for answer in triple.student.answers)
    missed = missed_updates(triple, cells or [])
    tally.answers_lost += lost
    tally.updates_missed += len(missed)
    tally.notes += [f"{triple.name}: {lost} answers lost"] * bool(lost) + [f"{triple.name}: {m}" for m in missed]


def missed_updates(triple: Triple, merged: list[Json]) -> list[str]:
    """The instructor's changes to cells that the student did not touch, as far as they are not in the result."""
    old, new = ([_key(cell) for cell in cells] for cells in (triple.base_cells, triple.their_cells))
    have = Counter(map(_key, merged))
    touched = {old[n] for n in triple.student.touched}
    expected: Counter[str] = Counter()
    missed = []
    for tag, i, i_end, j, j_end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal" and not any(key in touched for key in old[i:i_end]):
            expected.update(key for key in new[j:j_end] if key not in touched)  # a touched one that moved is not new
            if tag == "delete":
                gone = [key for key in old[i:i_end] if key not in new and have[key]]
                missed += [f"still there: {key[:60]!r}" for key in gone]
        elif tag == "equal":
            settings = {_key(cell): cell.get("metadata") for cell in merged}
            for n, m in zip(range(i, i_end), range(j, j_end), strict=True):
                before, now = (
                    side[at].get("metadata") for side, at in ((triple.base_cells, n), (triple.their_cells, m))
                )
                once = old.count(old[n]) == 1 == new.count(new[m])
                if once and n not in triple.student.touched and before != now and settings.get(new[m], now) != now:
                    missed.append(f"settings of {new[m][:60]!r}")
    for key, n in expected.items():
        moved = any(gone not in new and _resembles(gone, key) for gone in touched)  # then it is a touched cell, too
        if have[key] < min(n, new.count(key)) and not moved and not _inside(key, merged):
            missed.append(f"not there: {key[:60]!r}")
    return missed


def _resembles(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() > 0.6


def _inside(key: str, merged: list[Json]) -> bool:
    """Whether one cell holds all of its lines: it took the place of a cell that the student had added to."""
    lines = {line.strip() for line in key.partition(" ")[2].splitlines()}
    return any(lines <= {line.strip() for line in _source(cell).splitlines()} for cell in merged)


def _key(cell: Json) -> str:
    return cell["cell_type"] + " " + _source(cell)


def _source(cell: Json) -> str:
    source = cell.get("source", cell.get("input", ""))
    return source if isinstance(source, str) else "".join(source)


def _as_four(content: bytes) -> Json:
    """Parsed and upgraded to nbformat 4; raises what nbformat raises."""
    book = nbformat.reads(content.decode(), nbformat.NO_CONVERT)
    if book["nbformat"] < 4:
        book = nbformat.convert(book, 4)
        for cell in book["cells"]:
            cell.pop("id", None)
        book["nbformat_minor"] = 4
    parsed: Json = json.loads(json.dumps(book))
    return parsed


def _cells(content: bytes) -> list[Json] | None:
    try:
        cells: list[Json] = _as_four(content)["cells"]
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError):
        return None
    return cells


def _valid(content: bytes) -> bool:
    try:
        book = json.loads(content)
        nbformat.validate(nbformat.from_dict(book))
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError):
        return False
    names = [cell.get("id") for cell in book.get("cells", [])]
    return len(set(names)) == len(names) or book.get("nbformat_minor", 0) < 5


def _triple(name: str, base: bytes, theirs: bytes, seed: str) -> Triple | None:
    rng = random.Random(seed)
    try:
        before, after = _as_four(base), _as_four(theirs)
        student = student_version(before, rng, upgrade=rng.random() < 0.5)
        mine = saved(student.notebook)
    except (ValueError, KeyError, AttributeError, IndexError, nbformat.ValidationError):
        return None  # not a notebook in one of the versions
    return Triple(name, base, mine, theirs, student, before["cells"], after["cells"])


def made_up(count: int, seed: int) -> Iterator[Triple]:
    """A seeded course."""
    for n in range(count):
        rng = random.Random(f"{seed} {n}")
        base = lab(rng, cells=rng.choice((8, 20, 40, 80)), minor=rng.choice((2, 4, 5)))
        triple = _triple(f"made {n}", saved(base), saved(next_version(base, rng)), f"{seed} student {n}")
        if triple:
            yield triple


def from_history(repository: Path, count: int, seed: int) -> Iterator[Triple]:
    """Pairs of versions that follow each other, from all the history of a git repository."""
    log = ["log", "--all", "--raw", "--no-renames", "--no-abbrev", "--diff-filter=M", "--format=", "--", "*.ipynb"]
    lines = _git(repository, *log).decode(errors="surrogateescape").splitlines()
    pairs = sorted({(fields[2], fields[3], name) for fields, name in map(_raw_line, lines)})
    random.Random(seed).shuffle(pairs)
    for old, new, name in pairs:
        if count == 0:
            return
        try:
            base, theirs = _git(repository, "cat-file", "blob", old), _git(repository, "cat-file", "blob", new)
        except subprocess.CalledProcessError:
            continue  # a stored repository may lack its largest blobs
        triple = _triple(f"{name} {old[:8]}..{new[:8]}", base, theirs, f"{seed} {old} {new}")
        if triple:
            count -= 1
            yield triple


def _raw_line(line: str) -> tuple[list[str], str]:
    fields, _, name = line.partition("\t")
    return fields.split(), name


def _git(repository: Path, *arguments: str) -> bytes:
    command = ["git", "-c", "safe.directory=*", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _is_repository(path: Path) -> bool:
    try:
        _git(path, "rev-parse", "--git-dir")
    except subprocess.CalledProcessError:
        return False
    return True


def main() -> int:
    """Measure, print a table and the line of JSON; ends with 1 if ours broke one of its promises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", type=Path, help="a git repository with notebooks")
    parser.add_argument("--triples", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", action="append", default=[], choices=["git", "nbdime"])
    parser.add_argument("--notes", action="store_true", help="name every loss")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if find_spec("nbdime") is None:
        print("nbdime is left out: it is not installed (pip install 'synced-folders[bench]').")
        options.without.append("nbdime")
    tools = {name: tool for name, tool in TOOLS.items() if name not in options.without}
    tallies = {name: Tally() for name in tools}
    if options.repository and not _is_repository(options.repository):
        parser.error(f"{options.repository} is not a git repository: give the path of one that holds notebooks.")
    make = from_history(options.repository, options.triples, options.seed) if options.repository else None
    for tool in tools.values():
        tool(next(made_up(1, 0)))  # what is imported at the first use is not a merge's time
    gc.freeze()
    total = 0
    for triple in make or made_up(options.triples, options.seed):
        total += 1
        for name, tool in tools.items():
            tally = tallies[name]
            gc.collect()  # no tool pays for another's garbage
            start = time.perf_counter()
            try:
                result = tool(triple)
            except Exception as error:
                if name == "ours":
                    raise
                tally.notes.append(f"{triple.name}: {error!r}")
                result = Result(None, True)
            tally.times.append(time.perf_counter() - start)
            tally.slowest = triple.name if tally.times[-1] == max(tally.times) else tally.slowest
            judge(tally, triple, result)
    rows = {name: tally.row() for name, tally in tallies.items()}
    print_table(rows)
    for name, tally in tallies.items():
        print(f"{name}: slowest {tally.slowest}")
        if options.notes:
            print("\n".join(f"  {name}: {note}" for note in tally.notes))
    print(json.dumps({"triples": total, **rows}))
    mine = tallies["ours"]
    return 1 if mine.invalid or mine.markers or mine.answers_lost or mine.updates_missed else 0


def print_table(rows: dict[str, dict[str, float | int]]) -> None:
    """One line a tool."""
    for n, (name, row) in enumerate(rows.items()):
        if n == 0:
            print(f"{'':8}" + "".join(f"{key:>15}" for key in row))
        print(f"{name:8}" + "".join(f"{value:>15}" for value in row.values()))


if __name__ == "__main__":
    sys.exit(main())
