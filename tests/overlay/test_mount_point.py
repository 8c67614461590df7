"""The folder below a mount: shut while nothing is mounted, and no reason to keep a student out."""

import os
from pathlib import Path

import pytest
from mounted import Mounted

from fuse_mount.kernel.mount import MountOptions, close_mount, mount_device
from fuse_mount.mount_point import prepare, shut
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


@pytest.mark.root
def test_what_is_written_at_the_moment_of_mounting_is_put_beside(tmp_path: Path) -> None:
    root = tmp_path / "ds8"
    prepare(root, known=False)
    with shut(root):
        root.chmod(0o755)  # as for fusermount3
        (root / "mine").mkdir()
        (root / "mine" / "late.txt").write_text("late")
        mount_device(bytes(root), os.geteuid(), os.getegid(), MountOptions())
    close_mount(root)
    assert list(root.iterdir()) == [] and root.stat().st_mode & 0o777 == 0o555
    (beside,) = tmp_path.glob("ds8 (written while it was not mounted, *")
    assert (beside / "mine" / "late.txt").read_text() == "late"
