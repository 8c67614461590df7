"""kill -9, or a full disk, at any change of the disk: the next start finishes or undoes, and nothing is lost."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom import Course, File, shown
from due import AFTER, BEFORE, everything, opened, prepared, update
from killing import before_change, changes_of, killed_before

from syncd.blobs import Snapshot
from syncd.core.errors import NeedsUser
from syncd.core.ignore import ASIDE


@pytest.fixture
def classroom(memory_path: Path) -> Iterator[tuple[Course, Path, Snapshot, dict[str, File], int]]:
    course = Course(memory_path / "store")
    start = memory_path / "start"
    prepared(start, course)
    snapshot = course.commit(AFTER)
    finished = memory_path / "finished"
    shutil.copytree(start, finished, symlinks=True)
    steps = changes_of(lambda: update(finished, course, snapshot))
    yield course, start, snapshot, shown(finished / "folder"), steps


@pytest.mark.slow
def test_an_update_killed_anywhere_ends_as_one_that_was_not(classroom, memory_path: Path) -> None:
    course, start, snapshot, expected, steps = classroom
    mine = {file.content for path, file in shown(start / "folder").items() if BEFORE.get(path) != file.content}
    assert steps > 50 and len(mine) == 7
    for step in range(1, steps + 1):
        where = memory_path / f"killed-{step}"
        shutil.copytree(start, where, symlinks=True)
        assert killed_before(step, lambda where=where: update(where, course, snapshot)), step
        opened(where, course).close()
        assert mine <= everything(where), f"killed before step {step}: a content of the student is lost"
        update(where, course, snapshot)
        assert shown(where / "folder") == expected, f"killed before step {step}"
        shutil.rmtree(where)


@pytest.mark.slow
def test_a_save_after_the_kill_is_never_overwritten(classroom, memory_path: Path) -> None:
    course, start, snapshot, _, steps = classroom
    for step in range(1, steps + 1, 2):
        where = memory_path / f"killed-{step}"
        shutil.copytree(start, where, symlinks=True)
        assert killed_before(step, lambda where=where: update(where, course, snapshot)), step
        saved = set()
        for path in shown(where / "folder"):
            if ASIDE in path:
                continue
            content = f"saved after the kill, {path}".encode()
            (where / "folder" / path).write_bytes(content)
            saved.add(content)
        opened(where, course).close()
        assert saved <= everything(where), f"killed before step {step}: a save is lost"
        update(where, course, snapshot)
        assert saved <= everything(where), f"killed before step {step}: a save is lost"
        shutil.rmtree(where)


@pytest.mark.slow
def test_a_finish_that_is_killed_as_well_is_finished_in_the_end(classroom, memory_path: Path) -> None:
    course, start, snapshot, expected, steps = classroom
    for step in range(5, steps + 1, 4):
        where = memory_path / f"killed-{step}"
        shutil.copytree(start, where, symlinks=True)
        assert killed_before(step, lambda where=where: update(where, course, snapshot)), step
        again = 1
        while killed_before(again, lambda where=where: opened(where, course).close()):
            again += 2
        update(where, course, snapshot)
        assert shown(where / "folder") == expected, f"killed before step {step}, and again"
        shutil.rmtree(where)


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_point_loses_nothing(classroom, memory_path: Path) -> None:
    course, start, snapshot, expected, steps = classroom
    mine = {file.content for path, file in shown(start / "folder").items() if BEFORE.get(path) != file.content}

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = 0
    for step in range(1, steps + 1):
        where = memory_path / f"full-{step}"
        shutil.copytree(start, where, symlinks=True)
        with before_change(step, full):
            try:
                update(where, course, snapshot)
            except NeedsUser as problem:
                assert "no room left" in str(problem)
                told += 1
            except OSError as problem:
                assert problem.errno == errno.ENOSPC
        assert mine <= everything(where), f"full at step {step}: a content of the student is lost"
        update(where, course, snapshot)
        assert shown(where / "folder") == expected, f"full at step {step}"
        shutil.rmtree(where)
    assert told > steps / 2
