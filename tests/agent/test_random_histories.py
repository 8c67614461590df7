"""Random work of a student against random commits: the invariants hold after every update."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from classroom import Course, File, Student
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuse_mount import view as overlay
from syncd.agent import plain
from syncd.core.entry import Mode
from syncd.versions import Versions
from syncd.view import View

PATHS = ["a", "a/b", "a/b/c", "a/x.txt", "d.txt", "e", "e/x.txt", "a/b/y.ipynb"]
LINES = [b"1\n2\n3\n4\n5\n", b"1\n2\n3\n4\nV\n", b"I\n2\n3\n4\n5\n", b"1\nII\n3\n4\n5\n", b"", b"\0bin", b"not json"]

contents = st.sampled_from(LINES)
files = st.builds(File, contents, st.sampled_from([Mode.FILE, Mode.FILE, Mode.FILE, Mode.EXECUTABLE])) | st.builds(
    File, st.sampled_from([b"a", b"../out", b"d.txt"]), st.just(Mode.SYMLINK)
)


@dataclass(frozen=True)
class Saves:
    path: str
    file: File


@dataclass(frozen=True)
class Deletes:
    path: str


@dataclass(frozen=True)
class Renames:
    path: str
    to: str


@dataclass(frozen=True)
class Commits:
    tree: Mapping[str, File]


def without_clashes(tree: dict[str, File]) -> dict[str, File]:
    return {path: file for path, file in tree.items() if not any(other.startswith(path + "/") for other in tree)}


paths = st.sampled_from(PATHS)
commits = st.builds(Commits, st.dictionaries(paths, files, max_size=6).map(without_clashes))
works = st.one_of(st.builds(Saves, paths, files), st.builds(Deletes, paths), st.builds(Renames, paths, paths))
histories = st.lists(st.one_of(works, works, commits), max_size=14)


def work(student: Student, what: Saves | Deletes | Renames) -> None:
    """As any program would; what the folder does not allow is not done."""
    path = student.path(what.path)
    with suppress(OSError):
        match what:
            case Saves(_, file):
                path.parent.mkdir(parents=True, exist_ok=True)
                if os.path.islink(path) or file.mode is Mode.SYMLINK:
                    with suppress(FileNotFoundError):
                        path.unlink()
                if file.mode is Mode.SYMLINK:
                    path.symlink_to(os.fsdecode(file.content))
                else:
                    path.write_bytes(file.content)
                    path.chmod(0o755 if file.mode is Mode.EXECUTABLE else 0o644)
            case Deletes() if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            case Deletes():
                path.unlink()
            case Renames(_, to):
                student.path(to).parent.mkdir(parents=True, exist_ok=True)
                path.rename(student.path(to))


def live_through(first: dict[str, File], history: list[Saves | Commits], open_view: Callable[..., View]) -> None:
    where = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    try:
        course = Course(where / "store")
        student = Student(
            course,
            lambda: open_view(where / "folder", where / "state", course.snapshot, 0.0),
            Versions(where / "versions"),
        )
        try:
            student.update(first)
            for what in history:
                if isinstance(what, Commits):
                    student.update(what.tree)
                else:
                    work(student, what)
            student.reopen()
            student.update()
            student.restore(None)
            shown = student.files()
            assert student.view.base is not None
            for path, file in course.trees[student.view.base].items():
                assert shown[path] == file, f"{path} was not restored"
        finally:
            student.view.close()
        assert not (where / "out").exists()
    finally:
        shutil.rmtree(where)


started = st.dictionaries(paths, files, min_size=1, max_size=6).map(without_clashes)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(started, histories)
def test_invariants_hold_in_a_plain_folder(first: dict[str, File], history: list[Saves | Commits]) -> None:
    live_through(first, history, plain.open_view)


@pytest.mark.slow
@pytest.mark.fuse
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(started, histories)
def test_invariants_hold_in_an_overlay(first: dict[str, File], history: list[Saves | Commits]) -> None:
    live_through(first, history, overlay.open_view)
