"""What public test-suites of file systems found, each as a test of our own."""

import errno
import mmap
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mounted import Mounted

from fuse_mount.syscalls import fallocate

pytestmark = pytest.mark.fuse

NOBODY = 65534
SETID = 0o6000


@pytest.fixture
def engine() -> str:
    return "kernel"


@pytest.fixture
def home(student: Mounted) -> Path:
    student.switch({"lower": b"lower"})
    os.chmod(student.root, 0o755)
    return student.root


def as_nobody(folder: Path, act: Callable[[int], object]) -> None:
    """In a process that may not keep set-id bits; it reaches the folder by its descriptor alone."""
    at = os.open(folder, os.O_PATH)
    process = os.fork()
    if process == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            act(at)
            code = 0
        finally:
            os._exit(code)
    os.close(at)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def write_a_byte(at: int) -> None:
    with open(os.open("file", os.O_WRONLY, dir_fd=at), "wb") as out:
        out.write(b"x")


def empty_it(at: int) -> None:
    os.close(os.open("file", os.O_WRONLY | os.O_TRUNC, dir_fd=at))


def allocate(at: int) -> None:
    with open(os.open("file", os.O_WRONLY, dir_fd=at), "wb") as out:
        fallocate(out.fileno(), 0, 0, 8192)


def copy_a_range(at: int) -> None:
    with (
        open(os.open("lower", os.O_RDONLY, dir_fd=at), "rb") as source,
        open(os.open("file", os.O_WRONLY, dir_fd=at), "wb") as out,
    ):
        os.copy_file_range(source.fileno(), out.fileno(), 5)


def alone(what: str, path: Path) -> str:
    """One attribute as `stat` asks for it: without others, whose change would make the kernel ask for all."""
    return subprocess.check_output(["stat", "-c", what, path], text=True)


def mode_alone(path: Path) -> int:
    return int(alone("%a", path), 8)


@pytest.mark.parametrize("act", [write_a_byte, empty_it, allocate, copy_a_range])
def test_set_id_bits_go_when_somebody_else_writes(home: Path, act: Callable[[int], None]) -> None:
    file = home / "file"
    file.write_bytes(b"opened before, so it is handed to the file behind")
    os.chmod(file, 0o777 | SETID)
    assert mode_alone(file) & SETID == SETID
    as_nobody(home, act)
    assert os.stat(file).st_mode & SETID == 0


def test_they_go_from_a_file_whose_bits_were_set_while_it_was_open(home: Path) -> None:
    file = home / "file"
    with open(file, "wb") as out:
        out.write(b"x")
        os.chmod(file, 0o777 | SETID)
    as_nobody(home, write_a_byte)
    assert os.stat(file).st_mode & SETID == 0


@pytest.mark.parametrize("act", [write_a_byte, empty_it])
def test_whoever_asks_for_the_mode_alone_sees_them_gone(home: Path, act: Callable[[int], None]) -> None:
    file = home / "file"
    file.write_bytes(b"x")
    os.chmod(file, 0o777 | SETID)
    assert mode_alone(file) & SETID == SETID
    as_nobody(home, act)
    end = time.monotonic() + 5
    while mode_alone(file) & SETID and time.monotonic() < end:
        time.sleep(0.02)
    assert mode_alone(file) & SETID == 0


def test_a_mapping_that_is_written_moves_the_time_while_it_is_open(home: Path) -> None:
    file = home / "file"
    file.write_bytes(bytes(4096))
    time.sleep(0.1)
    before = alone("%y", file)
    with open(file, "r+b") as both:
        time.sleep(0.1)
        with mmap.mmap(both.fileno(), 4096) as mapped:
            mapped[0] = 65
            during = alone("%y", file)
    assert before < during <= alone("%y", file)


@pytest.mark.parametrize("whence", [os.SEEK_DATA, os.SEEK_HOLE])
def test_there_is_neither_data_nor_a_hole_before_the_start(home: Path, whence: int) -> None:
    for name in ("lower", "file"):
        with open(home / name, "a+b") as file, pytest.raises(OSError) as problem:
            os.lseek(file.fileno(), -1, whence)
        assert problem.value.errno == errno.ENXIO


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another group")
def test_a_file_without_a_name_belongs_to_its_folders_group(home: Path) -> None:
    os.mkdir(home / "folder")
    os.chown(home / "folder", 0, NOBODY)
    os.chmod(home / "folder", 0o2777)
    with open(os.open(home / "folder", os.O_TMPFILE | os.O_RDWR, 0o644), "rb") as nameless:
        assert os.fstat(nameless.fileno()).st_gid == NOBODY
        assert os.fstat(nameless.fileno()).st_mode & 0o7777 == 0o644


def test_folders_may_lie_a_thousand_deep(home: Path, student: Mounted) -> None:
    was = os.open(".", os.O_PATH)
    try:
        os.chdir(home)
        for _ in range(1100):
            os.mkdir("d")
            os.chdir("d")
        Path("file").write_bytes(b"deep down")
        os.rename(home / "d", home / "e")  # and every path below is another one
        os.mkdir(home / "away")
        os.rmdir(home / "away")
        assert Path("file").read_bytes() == b"deep down" and os.listdir() == ["file"]
        assert student.observe() == ["e" + 1099 * "/d" + "/file"]
        os.unlink("file")
        for _ in range(1099):
            os.chdir("..")
            os.rmdir("d")
        os.rmdir(home / "e")
        assert student.observe() == [] and student.names() == ["lower"]
    finally:
        os.fchdir(was)
        os.close(was)
