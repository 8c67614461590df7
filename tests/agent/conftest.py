"""A course, and a student's folder of either kind: every story is told through both."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from classroom import Course, Student

from fuse_mount import view as overlay
from syncd.agent import plain
from syncd.versions import Versions
from syncd.view import View

KINDS = ["plain", pytest.param("overlay", marks=pytest.mark.fuse)]
OPENERS = {"plain": plain.open_view, "overlay": overlay.open_view}


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: tests that update hundreds of times don't wait for a disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="syncd-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def course(memory_path: Path) -> Course:
    return Course(memory_path / "store")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


Students = Callable[..., Student]


@pytest.fixture
def students(course: Course, kind: str, memory_path: Path) -> Iterator[Students]:
    made: list[Student] = []

    def make(name: str = "ada", quiet_s: float = 0.0) -> Student:
        def opening() -> View:
            return OPENERS[kind](memory_path / name, memory_path / f"{name}.state", course.snapshot, quiet_s)

        made.append(Student(course, opening, Versions(memory_path / f"{name}.versions")))
        return made[-1]

    yield make
    for student in made:
        student.view.close()


@pytest.fixture
def student(students: Students) -> Student:
    return students()
