"""The folder below a mount: shut while nothing is mounted, and no reason to keep a student out."""

from pathlib import Path

import pytest
from mounted import Mounted

from fuse_mount.kernel.mount import close_mount
from fuse_mount.mount_point import prepare
from syncd.core.errors import NeedsUser

pytestmark = pytest.mark.fuse


def _gone(student: Mounted) -> None:
    """The mount is away, as after a crash of the agent and of whoever keeps its mounts."""
    student.kill()
    close_mount(student.root)


def test_a_bare_folder_takes_no_writers(student: Mounted) -> None:
    student.switch({"f": b"1"})
    student.write("mine", b"mine")
    _gone(student)
    assert list(student.root.iterdir()) == [] and student.root.stat().st_mode & 0o777 == 0o555
    student.start()
    assert student.read("mine") == b"mine"
    student.switch({"f": b"2"})
    assert student.read("f") == b"2"


def test_what_got_into_the_bare_folder_is_put_beside_it_and_the_course_is_there(student: Mounted) -> None:
    student.switch({"f": b"1"})
    for number in (1, 2):
        _gone(student)
        (student.root / "late.txt").write_text(f"late {number}")
        student.start()
        assert student.read("f") == b"1" and not student.path("late.txt").exists()
    beside = sorted(student.root.parent.glob("student (written while it was not mounted, *"))
    assert sorted((each / "late.txt").read_text() for each in beside) == ["late 1", "late 2"]


def test_a_folder_of_somebody_s_own_is_not_touched_before_the_first_mount(tmp_path: Path) -> None:
    (tmp_path / "ds8").mkdir()
    (tmp_path / "ds8" / "own").write_text("own")
    with pytest.raises(NeedsUser, match="is not empty"):
        prepare(tmp_path / "ds8", known=False)
    assert (tmp_path / "ds8" / "own").read_text() == "own"
