"""Random operations through several handles of one file against bytes in memory, while other paths are switched.

`test_mounted_io` tells one long story of one file; this tells many short ones, for a file of the
course becomes the student's only once.  Both together take a minute; SYNCD_FSX_ALL_SECONDS prolongs this.
"""

import contextlib
import errno
import mmap
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_commits import Store
from mounted import Mounted

from fuse_mount.kernel.opening import LARGE
from fuse_mount.syscalls import fallocate

pytestmark = [pytest.mark.fuse, pytest.mark.slow]

SECONDS = float(os.environ.get("SYNCD_FSX_ALL_SECONDS", "54"))
SEED = int(os.environ.get("SYNCD_FSX_SEED", "1"))
FILES = 600
ROOM = 420_000
PAGE = 4096
KEEP_SIZE, PUNCH, ZERO = 1, 2, 16
STARTS = [
    ("lower", 0),
    ("lower", 10_000),
    ("lower", LARGE - 1),
    ("lower", 300_000),
    ("upper", 10_000),
    ("upper", 300_000),
]
SHARE = {"kernel": 0.75 / len(STARTS), "mfusepy": 0.25 / len(STARTS)}


FLAGS = {
    "both": os.O_RDWR,
    "read": os.O_RDONLY,
    "append": os.O_WRONLY | os.O_APPEND,
    "direct": os.O_RDONLY | os.O_DIRECT,
}


@dataclass
class Handle:
    fd: int
    kind: str
    is_old: bool
    """Opened when the file was the course's and large: it may go on to show that for good."""


@dataclass
class Mapping:
    pages: mmap.mmap
    size: int
    is_old: bool
    writable: bool


class Story:
    """One file, what must be in it, and the handles and mappings through which it is seen."""

    def __init__(self, path: Path, known: bytes, seed: str, may_lag: bool, other: Path) -> None:
        self.path, self.known, self.first, self.other = path, bytearray(known), known, other
        self.random = random.Random(seed)
        self.handles: list[Handle] = []
        self.mappings: list[Mapping] = []
        self.may_lag = may_lag and len(known) >= LARGE
        self.said = [f"seed {seed}"]
        self.steps = [
            (self.read, 8),
            (self.write, 8),
            (self.append, 3),
            (self.truncate, 3),
            (self.map, 4),
            (self.through_map, 6),
            (self.allocate, 4),
            (self.copy_range, 3),
            (self.copy_in, 1),
            (self.seek, 3),
            (self.direct, 3),
            (self.close_one, 4),
            (self.close_all, 1),
            (self.rename, 1),
            (self.chmod, 1),
            (self.sync, 1),
            (self.look, 3),
        ]

    def play(self, length: int) -> None:
        try:
            for step in self.random.choices(*zip(*self.steps, strict=True), k=length):
                step()
            self.look()
            self.close_all()
            self.judge(self.path.read_bytes(), self.known, "all of it")
        except OSError as error:
            pytest.fail(f"{error}, after\n" + "\n".join(self.said[-60:]))
        finally:
            self.drop_maps()
            for handle in self.handles:
                os.close(handle.fd)

    # Judging

    def say(self, what: str) -> None:
        self.said.append(what)

    def judge(self, got: bytes, wanted: bytes, what: str) -> None:
        if got != wanted:
            at = next(
                (n for n, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted))
            )
            story = "\n".join(self.said[-60:])
            pytest.fail(
                f"{what}: byte {at} of {len(wanted)} (there are {len(got)}) is wrong, after\n{story}", pytrace=False
            )

    def judge_at(self, got: bytes, at: int, size: int, is_old: bool, what: str) -> None:
        if not (is_old and got == self.first[at : at + size]):
            self.judge(got, self.known[at : at + size], f"{what} of {at}+{size}")

    # Handles

    def handle(self, *kinds: str) -> Handle:
        fitting = [handle for handle in self.handles if handle.kind in kinds]
        if fitting and self.random.random() < 0.8:
            return self.random.choice(fitting)
        while len(self.handles) >= 3:
            self.close(self.handles[0])
        kind = self.random.choice(kinds)
        self.say(f"open for {kind}")
        handle = Handle(os.open(self.path, FLAGS[kind]), kind, self.may_lag and kind in ("read", "direct"))
        self.handles.append(handle)
        return handle

    def close(self, handle: Handle) -> None:
        self.say(f"close one for {handle.kind}")
        self.handles.remove(handle)
        os.close(handle.fd)

    def close_one(self) -> None:
        if self.handles:
            self.close(self.random.choice(self.handles))

    def close_all(self) -> None:
        self.drop_maps()
        while self.handles:
            self.close(self.handles[-1])

    def drop_maps(self) -> None:
        while self.mappings:
            self.say("unmap")
            self.mappings.pop().pages.close()

    def changing(self, what: str) -> None:
        self.say(what)
        self.may_lag = False

    # Places

    def size(self) -> int:
        return self.random.choice([1, 100, PAGE, 5000, 70_000])

    def within(self) -> tuple[int, int]:
        at = self.random.randrange(len(self.known) + 1)
        if self.random.random() < 0.3:
            at -= at % PAGE
        return at, self.size()

    def beyond(self) -> tuple[int, int]:
        at, size = self.within()
        return min(at + self.random.choice([0, 0, 0, PAGE, 50_000]), ROOM - size), size

    def put(self, at: int, data: bytes) -> None:
        self.known.extend(bytes(max(0, at - len(self.known))))
        self.known[at : at + len(data)] = data

    # Steps

    def read(self) -> None:
        handle, (at, size) = self.handle("both", "read"), self.within()
        self.say(f"read {at}+{size}")
        self.judge_at(os.pread(handle.fd, size, at), at, size, handle.is_old, "read")

    def direct(self) -> None:
        handle = self.handle("direct")
        at = self.random.randrange(len(self.known) // PAGE + 1) * PAGE
        size = PAGE * self.random.choice([1, 3, 20])
        self.say(f"direct read {at}+{size}")
        with mmap.mmap(-1, size) as room:
            count = os.preadv(handle.fd, [room], at)
            self.judge_at(room[:count], at, size, handle.is_old, "direct read")

    def write(self) -> None:
        handle, (at, size) = self.handle("both"), self.beyond()
        self.changing(f"write {at}+{size}")
        data = self.random.randbytes(size)
        assert os.pwrite(handle.fd, data, at) == size
        self.put(at, data)

    def append(self) -> None:
        data = self.random.randbytes(self.size())
        if len(self.known) + len(data) > ROOM:
            return
        handle = self.handle("append")
        self.changing(f"append {len(data)}")
        assert os.write(handle.fd, data) == len(data)
        self.known += data

    def truncate(self) -> None:
        size = self.random.choice([self.random.randrange(ROOM), len(self.known) // 2, 0])
        if size < len(self.known):
            self.drop_maps()
        if self.random.random() < 0.5:
            handle = self.handle("both")
            self.changing(f"ftruncate {size}")
            os.ftruncate(handle.fd, size)
        else:
            self.changing(f"truncate {size}")
            os.truncate(self.path, size)
        self.known = self.known[:size] + bytes(max(0, size - len(self.known)))

    def map(self) -> None:
        handle = self.handle("both", "read")
        writable, size = handle.kind == "both", os.fstat(handle.fd).st_size
        if size == 0:
            return
        self.say(f"map {size} of one for {handle.kind}")
        pages = mmap.mmap(handle.fd, size, prot=mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0))
        self.mappings.append(Mapping(pages, size, handle.is_old, writable))
        if len(self.mappings) > 2:
            self.mappings.pop(0).pages.close()

    def through_map(self) -> None:
        if not self.mappings:
            return
        mapping = self.random.choice(self.mappings)
        at = self.random.randrange(mapping.size)
        size = min(self.size(), mapping.size - at)
        if mapping.writable and self.random.random() < 0.6:
            self.changing(f"write through a map {at}+{size}")
            data = self.random.randbytes(size)
            mapping.pages[at : at + size] = data
            self.known[at : at + size] = data
            if self.random.random() < 0.3:
                mapping.pages.flush()
        else:
            self.say(f"read through a map {at}+{size}")
            self.judge_at(mapping.pages[at : at + size], at, size, mapping.is_old, "read through a map")

    def allocate(self) -> None:
        mode = self.random.choice([0, KEEP_SIZE, PUNCH | KEEP_SIZE, ZERO, ZERO | KEEP_SIZE])
        handle, (at, size) = self.handle("both"), self.beyond()
        self.changing(f"fallocate {mode} {at}+{size}")
        try:
            fallocate(handle.fd, mode, at, size)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP or not mode & ZERO:
                raise
            return  # the disk behind can't do it either
        if not mode & KEEP_SIZE and at + size > len(self.known):
            self.known.extend(bytes(at + size - len(self.known)))
        if mode & (PUNCH | ZERO):
            end = min(at + size, len(self.known))
            if at < end:
                self.known[at:end] = bytes(end - at)

    def copy_range(self) -> None:
        source, target = self.handle("both"), self.handle("both")
        (at, size), (to, _) = self.within(), self.beyond()
        if source not in self.handles or abs(at - to) < size:
            return
        self.changing(f"copy_file_range {at}+{size} to {to}")
        data = bytes(self.known[at : at + size])
        count = os.copy_file_range(source.fd, target.fd, size, at, to)
        assert count == len(data) or count > 0, self.said[-5:]
        if count:
            self.put(to, data[:count])

    def copy_in(self) -> None:
        """From another file of the course."""
        target, (to, size) = self.handle("both"), self.beyond()
        self.changing(f"copy {size} from another file to {to}")
        with open(self.other, "rb") as source:
            count = os.copy_file_range(source.fileno(), target.fd, size, 0, to)
        assert count > 0
        self.put(to, self.other.read_bytes()[:count])

    def seek(self) -> None:
        handle, (at, _) = self.handle("both", "read"), self.within()
        if at >= len(self.known) or handle.is_old:
            return
        self.say(f"seek data and holes from {at}")
        try:
            data = os.lseek(handle.fd, at, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO, self.said[-5:]
            data = len(self.known)
        assert at <= data <= len(self.known), self.said[-5:]
        self.judge(bytes(data - at), self.known[at:data], f"a hole at {at}")
        hole = os.lseek(handle.fd, at, os.SEEK_HOLE)
        # A disk may take for data what it took for a hole, while it writes back.
        assert at <= hole <= len(self.known), self.said[-5:]

    def rename(self) -> None:
        self.changing("rename")
        new = self.path.with_name(self.path.name + "+")
        os.rename(self.path, new)
        self.path = new

    def chmod(self) -> None:
        self.changing("chmod")
        os.chmod(self.path, self.random.choice([0o600, 0o644, 0o755]))

    def sync(self) -> None:
        handle = self.handle("both", "read")
        self.say("sync")
        self.random.choice([os.fsync, os.fdatasync])(handle.fd)

    def look(self) -> None:
        self.say("stat")
        assert os.stat(self.path).st_size == len(self.known), self.said
        for handle in self.handles:
            size = os.fstat(handle.fd).st_size
            assert size == len(self.known) or (handle.is_old and size == len(self.first)), self.said


@contextlib.contextmanager
def switching(student: Mounted, commits: list[str]) -> Iterator[None]:
    """Switch to one commit after another: all that differs in them are paths that nobody looks at."""
    stop = threading.Event()
    refused: list[object] = []

    def go() -> None:
        number = 0
        while not stop.wait(0.1):
            number += 1
            refused.extend(student.ask("switch", commits[number % len(commits)], {}))

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert refused == []


@pytest.mark.parametrize(("layer", "size"), STARTS)
def test_random_stories_of_a_file(student: Mounted, store: Store, layer: str, size: int) -> None:
    until = time.monotonic() + SECONDS * SHARE[student.engine]
    first = random.Random(size).randbytes(size)
    names = [f"d{number % 7}/f{number}" for number in range(FILES)] if layer == "lower" else []
    course = dict.fromkeys(names, first) | {"source": os.urandom(100_000)}
    commits = [store.commit(course | {"x": b"%d" % n, f"d{n}/x{n}": b"%d" % n}).commit for n in range(4)]
    student.ask("switch", commits[0], {})
    known: dict[Path, bytes] = {}
    told = 0
    with switching(student, commits):
        while told < 4 or (time.monotonic() < until and told < FILES):
            path = student.path(names[told] if names else f"own{told}")
            if not names:
                path.write_bytes(first)
            seed = f"{SEED} {layer} {size} {told}"
            story = Story(path, first, seed, student.engine == "kernel" and layer == "lower", student.path("source"))
            story.play(random.Random(seed).choice([10, 40, 150]))
            known[story.path] = bytes(story.known)
            told += 1
    student.restart()
    for path, wanted in known.items():
        assert path.read_bytes() == wanted, f"{path.name} is another one after a restart"


def test_the_stories_hold_on_a_disk(tmp_path: Path) -> None:
    """So that it is not the stories that are wrong."""
    (tmp_path / "source").write_bytes(os.urandom(100_000))
    for told in range(20):
        path = tmp_path / f"{told}"
        size = STARTS[told % len(STARTS)][1]
        path.write_bytes(os.urandom(size))
        Story(path, path.read_bytes(), f"{SEED} disk {told}", False, tmp_path / "source").play(60)
