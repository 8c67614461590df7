"""Random reads, writes, truncations and mappings of one file against bytes in memory, as fsx does."""

import mmap
import os
import random
import time
from pathlib import Path

import pytest
from made_commits import Store
from mounted import Mounted

from fuse_mount.kernel import mount
from fuse_mount.kernel.mount import MountOptions, close_mount, is_mounted

pytestmark = pytest.mark.fuse

ROOM = 400_000
SECONDS = float(os.environ.get("SYNCD_FSX_SECONDS", "3"))


class Exercise:
    """One file, and what must be in it."""

    def __init__(self, path: Path, known: bytes, seed: int) -> None:
        self.path, self.known = path, bytearray(known)
        self.random = random.Random(seed)
        self.fd = os.open(path, os.O_RDWR)
        self.said: list[str] = []

    def step(self) -> None:
        kinds = [self.read, self.write, self.truncate, self.map_read, self.map_write, self.reopen, self.append]
        self.random.choices(kinds, [6, 6, 2, 3, 3, 1, 2])[0]()

    def place(self) -> tuple[int, int]:
        at = self.random.randrange(len(self.known) + 1)
        return at, self.random.choice([1, 100, 5000, 70_000])

    def say(self, what: str) -> None:
        self.said = [*self.said[-30:], what]

    def read(self) -> None:
        at, size = self.place()
        self.say(f"read {at}+{size}")
        assert os.pread(self.fd, size, at) == self.known[at : at + size], self.said

    def write(self) -> None:
        at, size = self.place()
        at = min(at + self.random.choice([0, 0, 5000]), ROOM)
        data = self.random.randbytes(size)
        self.say(f"write {at}+{size}")
        assert os.pwrite(self.fd, data, at) == size
        self.known.extend(bytes(max(0, at - len(self.known))))
        self.known[at : at + size] = data

    def append(self) -> None:
        if len(self.known) > ROOM:
            return self.truncate()
        self.say("append")
        with open(self.path, "ab") as out:
            out.write(b"appended")
        self.known += b"appended"
        return None

    def truncate(self) -> None:
        size = self.random.randrange(ROOM)
        self.say(f"truncate {size}")
        if self.random.random() < 0.5:
            os.ftruncate(self.fd, size)
        else:
            os.truncate(self.path, size)
        self.known = self.known[:size] + bytes(max(0, size - len(self.known)))

    def map_read(self) -> None:
        if self.known:
            at, size = self.place()
            self.say(f"map read {at}+{size}")
            with mmap.mmap(self.fd, 0, prot=mmap.PROT_READ) as mapped:
                assert len(mapped) == len(self.known), self.said
                assert mapped[at : at + size] == self.known[at : at + size], self.said

    def map_write(self) -> None:
        if self.known:
            at, size = self.place()
            size = min(size, len(self.known) - at)
            self.say(f"map write {at}+{size}")
            data = self.random.randbytes(size)
            with mmap.mmap(self.fd, 0) as mapped:
                mapped[at : at + size] = data
            self.known[at : at + size] = data

    def reopen(self) -> None:
        self.say("reopen")
        os.close(self.fd)
        assert self.path.read_bytes() == self.known, self.said
        assert os.stat(self.path).st_size == len(self.known)
        self.fd = os.open(self.path, os.O_RDWR)


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 10_000, 300_000])
def test_random_io_on_a_file_of_the_course(student: Mounted, size: int) -> None:
    first = random.Random(size).randbytes(size)
    student.switch({"f": first, "other": b"1"})
    exercise = Exercise(student.path("f"), first, seed=size)
    until = time.monotonic() + SECONDS / 3
    turn = 0
    while time.monotonic() < until:
        exercise.step()
        turn += 1
        if turn % 100 == 0:
            student.switch({"f": first, "other": b"%d" % turn})
    exercise.reopen()
    os.close(exercise.fd)
    assert turn > 20


@pytest.mark.root
def test_a_mount_by_fusermount_serves_as_well(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an account without root uses; root may use it too."""

    def refused(*_: object) -> int:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(mount, "mount_device", refused)
    student = Mounted(store, tmp_path, "kernel")
    try:
        student.switch({"a": b"1"})
        assert student.read("a") == b"1"
        student.write("a", b"mine")
        assert student.observe() == ["a"]
    finally:
        student.close()


def test_a_mount_is_found_in_the_kernels_table_whatever_its_name(tmp_path: Path) -> None:
    point = tmp_path / "with space"
    point.mkdir()
    assert not is_mounted(point)
    fd = mount.open_mount(point, MountOptions())
    try:
        assert is_mounted(point)
    finally:
        os.close(fd)
        assert mount.is_dead(point)
        close_mount(point)
    assert not is_mounted(point)
