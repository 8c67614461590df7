"""A student's plain folder on a disk that takes several names of the course for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom import NOON, Course
from folding_disk import folding_disk

from syncd.agent import plain
from syncd.agent.update import Report, State, bring_up_to_date
from syncd.versions import Versions

pytestmark = pytest.mark.fuse


class Ada:
    def __init__(self, place: Path, root: Path) -> None:
        self.course, self.root = Course(place / "store"), root
        self.view = plain.open_view(root, place / "state", self.course.snapshot, 0.0)
        self._versions = Versions(place / "versions")

    def update(self, tree: dict[str, bytes]) -> Report:
        snapshot = self.course.commit(tree)
        return bring_up_to_date(self.view, snapshot, self.course.snapshot, self._versions, lambda: NOON)

    def files(self) -> dict[str, bytes]:
        return {each.relative_to(self.root).as_posix(): each.read_bytes() for each in self.root.rglob("*.txt")}


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[Ada]:
    with folding_disk(tmp_path, "both") as disk:
        ada = Ada(tmp_path, disk)
        yield ada
        ada.view.close()


def test_twin_in_the_course_waits_and_says_so(ada: Ada) -> None:
    assert ada.update({"lab.txt": b"1", "x.txt": b"x"}).state is State.UP_TO_DATE
    report = ada.update({"lab.txt": b"1", "Lab.txt": b"2", "x.txt": b"y"})
    assert (report.state, report.waiting) == (State.WAITING, ("Lab.txt",))
    assert "can't lie beside “lab.txt”" in report.sentence
    assert ada.files() == {"lab.txt": b"1", "x.txt": b"y"}
    report = ada.update({"lab.txt": b"1, edited", "Lab.txt": b"2, edited", "x.txt": b"y"})
    assert ada.files() == {"lab.txt": b"1, edited", "x.txt": b"y"}
    report = ada.update({"Lab.txt": b"2, edited", "x.txt": b"y"})
    assert ada.files() == {"Lab.txt": b"2, edited", "x.txt": b"y"}
    assert report.state is State.UP_TO_DATE, report


@pytest.mark.parametrize(("mine", "theirs"), [("Lab.txt", "lab.txt"), ("caf\u00e9.txt", "cafe\u0301.txt")])
def test_students_file_is_not_taken_for_the_courses(ada: Ada, mine: str, theirs: str) -> None:
    ada.update({"x.txt": b"x"})
    (ada.root / mine).write_bytes(b"the student's")
    report = ada.update({"x.txt": b"y", theirs: b"the course's"})
    assert ada.files() == {"x.txt": b"y", mine: b"the student's"}
    assert f"can't lie beside “{mine}”" in report.sentence
    (ada.root / mine).rename(ada.root / "kept.txt")
    assert ada.update({"x.txt": b"y", theirs: b"the course's"}).state is State.UP_TO_DATE
    assert ada.files() == {"x.txt": b"y", theirs: b"the course's", "kept.txt": b"the student's"}


def test_course_that_renames_by_case_alone_is_followed(ada: Ada) -> None:
    ada.update({"lab.txt": b"1", "x.txt": b"x"})
    report = ada.update({"Lab.txt": b"1", "x.txt": b"x"})
    assert ada.files() == {"Lab.txt": b"1", "x.txt": b"x"}
    assert report.state is State.UP_TO_DATE
