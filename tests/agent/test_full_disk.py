"""A really full disk: said in a sentence, nothing is lost, and the update follows when there is room."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom import NOON, Course, File, Student

from syncd.agent import plain
from syncd.agent.update import bring_up_to_date
from syncd.core.errors import NeedsUser
from syncd.versions import Versions


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.root
@pytest.mark.parametrize("free", [0, 4_096, 100_000, 400_000, 800_000])
def test_a_full_disk_is_said_and_nothing_is_lost(small_disk: Path, course: Course, free: int) -> None:
    student = Student(
        course,
        lambda: plain.open_view(small_disk / "folder", small_disk / "state", course.snapshot, 0.0),
        Versions(small_disk / "versions"),
    )
    before = {f"f{number}": b"%d" % number * 20_000 for number in range(10)}
    student.update(before)
    student.write("f0", b"mine")
    ballast = small_disk / "ballast"
    fill(ballast, free)
    snapshot = course.commit({f"f{number}": b"%d" % (number + 1) * 90_000 for number in range(10)})
    with pytest.raises(NeedsUser, match="no room left"):
        bring_up_to_date(student.view, snapshot, course.snapshot, student.versions, lambda: NOON)
    assert student.files() == {path: File(content) for path, content in before.items()} | {"f0": File(b"mine")}
    student.reopen()
    ballast.unlink()
    bring_up_to_date(student.view, snapshot, course.snapshot, student.versions, lambda: NOON)
    assert student.read("f0") == b"mine" and student.read("f9") == b"10" * 90_000
    student.view.close()


def fill(path: Path, free: int) -> None:
    with open(path, "wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 4_096)
        except OSError:
            out.truncate(max(out.tell() // 4_096 * 4_096 - free, 0))
