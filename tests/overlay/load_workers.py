"""Who is at work in the folder while it is switched: processes that each judge all they see."""

import errno
import mmap
import os
import pickle
import random
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from load_course import ALWAYS, COMING, EDITED, INSIDE, LARGES, MOVED, READ, REMOVED, Wrong, judged, size, version


@dataclass
class Clock:
    """Which commit is being switched to, and which one every new look must show; shared by all processes."""

    shared: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 16))

    def tell(self, at: int, commit: int) -> None:
        self.shared[at : at + 8] = commit.to_bytes(8, "little")

    @property
    def started(self) -> int:
        return int.from_bytes(self.shared[0:8], "little")

    @property
    def done(self) -> int:
        return int.from_bytes(self.shared[8:16], "little")


@dataclass
class Result:
    turns: int = 0
    wrong: list[str] = field(default_factory=list)
    mine: dict[str, bytes | None] = field(default_factory=dict)
    """What the student has at paths from now on; None: nothing."""
    versions: int = 0
    """How many versions were seen of all paths together."""


class Worker:
    """One process' eyes and hands."""

    def __init__(self, root: Path, clock: Clock, name: str) -> None:
        self.root, self.clock, self.name = root, clock, name
        self.random = random.Random(name)
        self.seen: dict[str, int] = {}
        self.result = Result()
        self.role: Iterator[None] = getattr(self, name.rpartition("-")[0])()

    def at(self, path: str) -> Path:
        return self.root / path

    def saw(self, path: str, of: int, since: int) -> None:
        """A fresh look showed a version; `since` was done before the look began."""
        oldest = max(version(path, since), self.seen.get(path, 0))
        newest = version(path, self.clock.started)
        if not oldest <= of <= newest:
            raise Wrong(f"{path} shows {of}, it must be {oldest} to {newest}")
        self.result.versions += self.seen.get(path) != of
        self.seen[path] = of

    def pause(self) -> None:
        time.sleep(self.random.choice([0, 0, 0.001, 0.02, 0.3]))

    def slowly(self, fd: int, length: int) -> bytes:
        """All bytes of a handle in pieces, with switches between them."""
        parts = []
        while part := os.read(fd, length):
            parts.append(part)
            if self.random.random() < 0.05:
                self.pause()
        return b"".join(parts)

    # Roles: each turn is one `yield`

    def reader(self) -> Iterator[None]:
        """Reads whole files through one open each; what may be missing may be missing."""
        while True:
            path, since = self.random.choice([*READ, *COMING]), self.clock.done
            try:
                fd = os.open(self.at(path), os.O_RDONLY)
            except FileNotFoundError:
                if path in READ:
                    raise
                yield
                continue
            try:
                data = self.slowly(fd, self.random.choice([300, 1 << 16]))
                if os.fstat(fd).st_size != len(data):
                    raise Wrong(f"{path} has {os.fstat(fd).st_size} bytes by stat, {len(data)} by reading")
                os.lseek(fd, 0, os.SEEK_SET)
                again = os.read(fd, 1 << 20)
            finally:
                os.close(fd)
            if again != data:
                raise Wrong(f"{path} is another one when it is read again through the same handle")
            self.saw(path, judged(path, data), since)
            yield

    def large_reader(self) -> Iterator[None]:
        """Reads large files at any place, directly too."""
        while True:
            path, since = self.random.choice(LARGES), self.clock.done
            fd = os.open(self.at(path), os.O_RDONLY | self.random.choice([0, os.O_DIRECT]))
            try:
                pieces = {}
                offsets = list(range(0, os.fstat(fd).st_size, 65536))
                self.random.shuffle(offsets)
                with mmap.mmap(-1, 65536) as room:
                    for offset in offsets:
                        pieces[offset] = room[: os.preadv(fd, [room], offset)]
                self.pause()
            finally:
                os.close(fd)
            self.saw(path, judged(path, b"".join(pieces[at] for at in sorted(pieces))), since)
            yield

    def mapper(self) -> Iterator[None]:
        """Keeps mappings over many switches, the handle closed."""
        held: list[tuple[str, int, mmap.mmap]] = []
        while True:
            path, since = self.random.choice([*READ, *LARGES]), self.clock.done
            with open(self.at(path), "rb") as opened:
                mapped = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
            of = judged(path, mapped[:])
            self.saw(path, of, since)
            held.append((path, of, mapped))
            if len(held) > 12:
                path, of, mapped = held.pop(0)
                if judged(path, mapped[:]) != of:
                    raise Wrong(f"a mapping of {path} changed its version")
                mapped.close()
            self.pause()
            yield

    def looker(self) -> Iterator[None]:
        """A shell that stands in a folder: lists, stats and reads there, and beside it."""
        os.chdir(self.at("read/d1"))
        here = os.open(".", os.O_RDONLY)
        while True:
            number = self.random.randrange(4)
            self.list(f"read/d{number}", os.listdir(here) if number == 1 else os.listdir(f"../d{number}"))
            self.stat(f"read/d{number}", Path("..", f"d{number}"))
            for path in READ:
                since = self.clock.done
                self.saw(path, judged(path, Path("..", path.removeprefix("read/")).read_bytes()), since)
            if os.getcwd() != str(self.at("read/d1")):
                raise Wrong(f"standing in {os.getcwd()}")
            if self.random.random() < 0.1:
                for _ in os.walk(self.root):
                    pass
            time.sleep(0.002)
            yield

    def list(self, folder: str, names: list[str]) -> None:
        """Nothing twice, nothing missing that always was there, nothing that never was."""
        there = {path.rpartition("/")[2] for path in READ if path.startswith(folder + "/")}
        known = there | {path.rpartition("/")[2] for path in COMING if path.startswith(folder + "/")}
        if len(set(names)) != len(names):
            raise Wrong(f"{folder} lists a name twice: {sorted(names)}")
        if not there <= set(names) or not {name for name in names if "own" not in name} <= known:
            raise Wrong(f"{folder} lists {sorted(names)}")

    def stat(self, folder: str, at: Path) -> None:
        """No size that no version has."""
        for path in READ:
            if path.startswith(folder + "/"):
                since = self.clock.done
                found = os.stat(at / path.rpartition("/")[2]).st_size
                if found not in {size(path, of) for of in range(version(path, since), self.clock.started + 1)}:
                    raise Wrong(f"{path} has {found} bytes")

    def writer(self) -> Iterator[None]:
        """Makes, appends to, maps, renames and deletes files of its own among the course's."""
        turn = 0
        while True:
            turn += 1
            folder = self.at(f"read/d{self.random.randrange(4)}")
            own, there = folder / f"own-{self.name}", folder / f"own-{self.name}.there"
            data = b"%s turn %d;" % (self.name.encode(), turn) * self.random.choice([1, 100, 20_000])
            own.write_bytes(data)
            with open(own, "ab") as out:
                out.write(b"appended")
            data += b"appended"
            with open(own, "r+b") as out, mmap.mmap(out.fileno(), 0) as mapped:
                mapped[0:3] = b"MAP"
            data = b"MAP" + data[3:]
            with open(own, "rb") as held:
                os.rename(own, there)
                if held.read() != data or there.read_bytes() != data or own.exists():
                    raise Wrong(f"{there} is not what was written")
            own.write_bytes(b"second")
            os.replace(own, there)
            if there.read_bytes() != b"second":
                raise Wrong(f"{there} is not what replaced it")
            there.unlink()
            if there.exists():
                raise Wrong(f"{there} is there though it was removed")
            if there.name in os.listdir(folder) and there.name in os.listdir(folder):
                # Once it may be: the kernel lets the end of our listing come from what another one had begun before.
                raise Wrong(f"{there} is listed though it was removed")
            deep = folder / f"own-{self.name}.d/a/b"
            deep.mkdir(parents=True)
            (deep / "x").write_bytes(b"x")
            shutil.rmtree(folder / f"own-{self.name}.d")
            yield

    def editor(self) -> Iterator[None]:
        """Makes files of the course the student's, in every way: what he sees when he opens it is what he keeps."""
        ways: list[Callable[[str], bytes]] = [self.in_place, self.appending, self.replacing, self.truncating]
        for path in self.random.sample(EDITED, len(EDITED)):
            self.result.mine[path] = None
            data = self.random.choice(ways)(path)
            self.result.mine[path] = data
            if self.at(path).read_bytes() != data:
                raise Wrong(f"{path} is not what was written")
            self.check_mine()
            self.pause()
            yield
        while True:
            self.check_mine()
            time.sleep(0.005)
            yield

    def in_place(self, path: str) -> bytes:
        since = self.clock.done
        with open(self.at(path), "r+b", buffering=0) as held:
            data = held.readall()
            self.saw(path, judged(path, data), since)
            self.pause()
            held.write(b" and mine")
            held.seek(5)
            self.pause()
            held.write(b"HERE")
        return data[:5] + b"HERE" + data[9:] + b" and mine"

    def appending(self, path: str) -> bytes:
        since = self.clock.done
        with open(self.at(path), "ab", buffering=0) as held:
            held.write(b" and mine")
        data = self.at(path).read_bytes()
        if not data.endswith(b" and mine"):
            raise Wrong(f"{path} lost what was appended")
        self.saw(path, judged(path, data[:-9]), since)
        return data

    def replacing(self, path: str) -> bytes:
        aside = self.at(path + ".tmp")
        aside.write_bytes(b"saved anew")
        self.pause()
        os.replace(aside, self.at(path))
        return b"saved anew"

    def truncating(self, path: str) -> bytes:
        self.at(path).write_bytes(b"saved in place")
        return b"saved in place"

    def check_mine(self) -> None:
        for path in self.random.sample(sorted(self.result.mine), min(5, len(self.result.mine))):
            wanted = self.result.mine[path]
            try:
                data = self.at(path).read_bytes()
            except FileNotFoundError:
                data = None
            if data != wanted:
                raise Wrong(f"{path}, the student's, is {(data or b'nothing')[:60]!r} instead of {wanted!r:.60}")

    def remover(self) -> Iterator[None]:
        """Deletes files of the course, and makes some of them anew."""
        for path in self.random.sample(REMOVED, len(REMOVED)):
            os.unlink(self.at(path))
            self.result.mine[path] = None
            self.pause()
            self.check_mine()
            again = self.random.choice(self.random.sample(REMOVED, 5))
            if self.result.mine.get(again, b"") is None:
                self.at(again).write_bytes(b"made anew")
                self.result.mine[again] = b"made anew"
            yield
        while True:
            self.check_mine()
            time.sleep(0.005)
            yield

    def mover(self) -> Iterator[None]:
        """Moves folders of the course: what is in them goes along, and nothing stays behind."""
        os.makedirs(self.at("moved"), exist_ok=True)
        moved: list[str] = []
        for folder in self.random.sample(MOVED, len(MOVED)):
            since = self.clock.done
            os.rename(self.at(folder), self.at("moved/" + folder[5:]))
            moved.append(folder)
            if self.at(folder).exists():
                raise Wrong(f"{folder} is there though it was moved")
            for name in INSIDE:
                path = f"{folder}/{name}"
                self.saw(path, judged(path, self.at("moved/" + path[5:]).read_bytes()), since)
            self.pause()
            for folder in self.random.sample(moved, min(3, len(moved))):
                self.look_in(folder)
            yield
        while True:
            self.look_in(self.random.choice(moved))
            time.sleep(0.005)
            yield

    def look_in(self, folder: str) -> None:
        for name in INSIDE:
            path = f"{folder}/{name}"
            of = judged(path, self.at("moved/" + path[5:]).read_bytes())
            if of < self.seen[path]:
                raise Wrong(f"{path}, moved, went back from {self.seen[path]} to {of}")
            self.seen[path] = of

    # Running

    def work(self, until: float) -> Result:
        while time.monotonic() < until and len(self.result.wrong) < 5:
            try:
                next(self.role)
                self.result.turns += 1
            except Wrong as wrong:
                self.result.wrong.append(f"{self.name}: {wrong.what}")
                break
            except OSError as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                code = errno.errorcode.get(error.errno or 0)
                self.result.wrong.append(f"{self.name}: {code} {error.filename} at {where.name}:{where.lineno}")
                break
        return self.result


@dataclass
class Running:
    """A worker's process."""

    pid: int
    hear: int

    def result(self) -> Result:
        with os.fdopen(self.hear, "rb") as answers:
            said = answers.read()
        os.waitpid(self.pid, 0)
        if not said:
            return Result(wrong=["a worker died"])
        result = pickle.loads(said)
        assert isinstance(result, Result)
        return result


def start(root: Path, clock: Clock, name: str, until: float) -> Running:
    """A worker at work in a process of its own: its mappings and handles must not wait for anybody's interpreter."""
    hear, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = pickle.dumps(Worker(root, clock, name).work(until))
        except BaseException:  # noqa: BLE001  (a child of the test: it must not go on into pytest)
            said = pickle.dumps(Result(wrong=[traceback.format_exc()]))
        with os.fdopen(say, "wb") as out:
            out.write(said)
        os._exit(0)
    os.close(say)
    return Running(pid, hear)


def untouched(mine: set[str]) -> set[str]:
    """The files of the course that nobody made his own."""
    return {path for path in ALWAYS if path not in mine and not path.startswith("fold/")}
