"""A commit each 200 ms while eight processes work in the folder: no wrong byte, no error that a disk would not give.

SYNCD_LOAD_SECONDS says for how long.
"""

import hashlib
import os
import time
from pathlib import Path

import pytest
from load_course import content, course, version
from load_workers import Clock, start, untouched
from made_commits import Store
from mounted import Mounted

pytestmark = [pytest.mark.fuse, pytest.mark.slow]

SECONDS = float(os.environ.get("SYNCD_LOAD_SECONDS", "15"))
SEED = os.environ.get("SYNCD_LOAD_SEED", "1")
EACH_S = 0.2

ALL = ["reader", "large_reader", "mapper", "looker", "writer", "editor", "remover", "mover"]
OWN = ["writer", "writer", "remover"]
"""With libfuse's paths an open handle may show old and new mixed (see `mfusepy_engine`): the student's are judged."""


def run(student: Mounted, store: Store, roles: list[str], seconds: float) -> dict[str, bytes | None]:
    """Switch and work; what the student has made his own."""
    clock = Clock()
    student.ask("switch", store.commit(course(0)).commit, {})
    until = time.monotonic() + seconds
    workers = [start(student.root, clock, f"{role}-{SEED}{n}", until) for n, role in enumerate(roles)]
    commit = 0
    while time.monotonic() < until:
        began = time.monotonic()
        commit += 1
        made = store.commit(course(commit)).commit
        clock.tell(0, commit)
        student.ask("switch", made, {})
        clock.tell(8, commit)
        time.sleep(max(0.0, EACH_S - (time.monotonic() - began)))
    results = [worker.result() for worker in workers]
    print({role: (result.turns, result.versions) for role, result in zip(roles, results, strict=True)}, commit)
    assert [what for result in results for what in result.wrong] == []
    assert all(result.turns > 5 for result in results), [result.turns for result in results]
    assert commit >= seconds
    mine = {path: data for result in results for path, data in result.mine.items()}
    judge_all(student, mine, commit)
    student.restart()
    judge_all(student, mine, commit)
    return mine


def judge_all(student: Mounted, mine: dict[str, bytes | None], commit: int) -> None:
    for path, data in mine.items():
        assert (student.read(path) if student.path(path).exists() else None) == data, path
    for path in untouched(set(mine)):
        assert student.read(path) == content(path, version(path, commit)), path


def blobs_are_whole(root: Path) -> bool:
    for path in root.rglob("*/*"):
        data = path.read_bytes()
        if hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() != path.parent.name + path.name:
            return False
    return True


@pytest.mark.parametrize("engine", ["kernel"], indirect=True)
def test_eight_processes_at_work_see_no_wrong_byte(student: Mounted, store: Store) -> None:
    mine = run(student, store, ALL, SECONDS)
    assert len(mine) > 20
    assert blobs_are_whole(store.blobs.root), "a write reached a blob, which all students share"


@pytest.mark.parametrize("engine", ["mfusepy"], indirect=True)
def test_the_path_engine_loses_nothing_of_the_students_under_load(student: Mounted, store: Store) -> None:
    run(student, store, OWN, SECONDS / 4)
    assert blobs_are_whole(store.blobs.root)
