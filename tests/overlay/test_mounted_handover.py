"""A process that serves a mount is killed: nobody who uses the folder notices."""

import errno
import mmap
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_commits import Store
from mounted import Mounted

from fuse_mount.kernel.mount import is_dead, is_mounted
from fuse_mount.kernel.operations import KernelOperations
from fuse_mount.kernel.session import Reply, Request, Session
from fuse_mount.syscalls import Rename, renameat2

pytestmark = [pytest.mark.fuse, pytest.mark.slow]

LARGE = b"0123456789abcdef" * 40_000
COURSE = {"a.txt": b"one", "big.bin": LARGE, "lab/one.txt": b"1", "lab/deep/two.txt": b"2", "gone.txt": b"g"}


@pytest.fixture
def engine() -> str:
    return "kernel"


@pytest.fixture
def home(student: Mounted) -> Iterator[Path]:
    student.switch(COURSE)
    yield student.root
    if not student.process:
        student.start()


def within(seconds: float, done: threading.Event) -> bool:
    return done.wait(seconds)


def test_files_go_on_without_their_process_and_with_the_next(home: Path, student: Mounted) -> None:
    student.kill()
    assert (home / "a.txt").read_text() == "one"
    (home / "new.txt").write_text("made without it")
    assert sorted(os.listdir(home / "lab")) == ["deep", "one.txt"]
    assert not is_dead(home)
    student.start()
    assert (home / "new.txt").read_text() == "made without it"
    student.switch({"a.txt": b"two", "new2.txt": b"2"})
    assert (home / "a.txt").read_text() == "two"
    assert student.names() == ["a.txt", "new.txt", "new2.txt"]


def test_whoever_takes_over_waits_for_one_that_takes_its_time_to_die(home: Path, student: Mounted) -> None:
    for _ in range(2):
        student.ask("linger", 0.5)
        student.kill()
        assert (home / "a.txt").read_text() == "one"
        student.start()


def test_open_files_and_mappings_go_on(home: Path, student: Mounted) -> None:
    with (
        open(home / "a.txt", "rb", buffering=0) as reader,
        open(home / "big.bin", "r+b", buffering=0) as writer,
        open(home / "big.bin", "rb") as large,
        open(home / "note.txt", "w+b", buffering=0) as note,
    ):
        note.write(b"before ")
        writer.write(b"BEFORE")
        with mmap.mmap(large.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            for step in range(4):
                student.kill()
                if step % 2:
                    student.start()
                assert os.pread(reader.fileno(), 9, 0) == b"one"
                note.write(b"after%d " % step)
                writer.write(b"AFTER%d" % step)
                assert mapped[-16:] == LARGE[-16:]
                if not student.process:
                    student.start()
        assert os.fstat(note.fileno()).st_size == 7 + 4 * 7
    assert (home / "note.txt").read_bytes() == b"before after0 after1 after2 after3 "
    assert (home / "big.bin").read_bytes()[:30] == b"BEFOREAFTER0AFTER1AFTER2AFTER3"
    assert student.busy("note.txt", "big.bin") == []
    assert student.observe() == ["big.bin", "note.txt"]


@pytest.mark.parametrize("written", [True, False])
def test_a_file_without_a_name_keeps_its_content(home: Path, student: Mounted, written: bool) -> None:
    with open(home / "gone.txt", "r+b", buffering=0) as course, open(home / "own.txt", "w+b", buffering=0) as own:
        own.write(b"mine")
        os.unlink(home / "gone.txt")
        os.unlink(home / "own.txt")
        if written:
            course.write(b"mine too")
        student.kill()
        own.write(b" and more")
        assert os.pread(own.fileno(), 20, 0) == b"mine and more"
        student.start()
        assert os.pread(own.fileno(), 20, 0) == b"mine and more"
        assert os.fstat(own.fileno()).st_nlink == os.fstat(course.fileno()).st_nlink == 0
        os.fsync(course.fileno())
        assert os.pread(course.fileno(), 20, 0) == (b"mine too" if written else b"g")
    assert student.names() == ["a.txt", "big.bin", "lab"]
    assert not list((student.state / "staging").glob("orphan*")), "nobody has it open any more"


def test_old_content_stays_with_who_has_it_open_over_a_switch_and_a_kill(home: Path, student: Mounted) -> None:
    with open(home / "a.txt", "rb", buffering=0) as small, open(home / "big.bin", "rb", buffering=0) as large:
        student.switch({"a.txt": b"two", "big.bin": LARGE[::-1]})
        student.kill()
        assert os.pread(small.fileno(), 9, 0) == b"one"
        os.posix_fadvise(large.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(large.fileno(), 16, 0) == LARGE[:16]
        assert (home / "a.txt").read_text() == "two"
        student.start()
        assert os.pread(large.fileno(), 16, 320) == LARGE[320:336]
        assert (home / "big.bin").read_bytes() == LARGE[::-1]


def test_a_shell_inside_a_folder_and_moved_folders_go_on(home: Path, student: Mounted) -> None:
    os.rename(home / "lab", home / "my lab")
    shell = subprocess.Popen(
        ["sh"], cwd=home / "my lab" / "deep", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    student.kill()
    out, _ = shell.communicate("cat two.txt; echo x > here.txt; ls; cat ../one.txt\n", timeout=20)
    assert out == "2here.txt\ntwo.txt\n1"
    student.start()
    assert sorted(os.listdir(home / "my lab" / "deep")) == ["here.txt", "two.txt"]


def test_a_process_in_a_very_deep_folder_goes_on(home: Path, student: Mounted) -> None:
    deep = "os.mkdir('d'); os.chdir('d')"
    words = f"import os\nfor _ in range(900): {deep}\nprint('in', flush=True)\ninput()\n"
    words += "open('f', 'w').write('x')\nprint(os.listdir('.'))"
    inside = subprocess.Popen(
        [sys.executable, "-c", words], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert inside.stdout is not None and inside.stdout.readline() == "in\n"
    student.kill()
    out, _ = inside.communicate("\n", timeout=30)
    assert out == "['f']\n"


def _hang(path: str, out: "multiprocessing.Queue[object]") -> None:
    try:
        os.mkdir(path)
        out.put(time.monotonic())
    except OSError as error:
        out.put(error.errno)


def test_a_caller_that_waits_gets_its_answer(home: Path, student: Mounted) -> None:
    answers: multiprocessing.Queue[object] = multiprocessing.Queue()
    os.kill(student.process, signal.SIGSTOP)
    callers = [multiprocessing.Process(target=_hang, args=(f"{home}/made{n}", answers)) for n in range(3)]
    for caller in callers:
        caller.start()
    time.sleep(0.3)
    assert answers.empty(), "somebody answered for a stopped process"
    killed = time.monotonic()
    student.kill()
    for _ in callers:
        answered = answers.get(timeout=10)
        assert isinstance(answered, float), f"errno {answered}"
        assert answered - killed < 2
    for caller in callers:
        caller.join()
    student.start()
    assert {f"made{n}" for n in range(3)} <= set(student.names())


def test_whoever_unmounts_ends_everything(home: Path, student: Mounted) -> None:
    student.kill()
    assert (home / "a.txt").read_text() == "one"
    subprocess.run(["umount", "-l", str(home)], check=True)
    deadline = time.monotonic() + 10
    while _serving(student) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _serving(student), "a process stays for a mount that is gone"
    student.start()
    assert (home / "a.txt").read_text() == "one"


def _serving(student: Mounted) -> bool:
    lock = os.open(student.state / "lock", os.O_RDWR)
    try:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


WORK = """
import os, random, sys
root, seed, log = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "w")
rng, mine = random.Random(seed), {}
def say(*what):
    print(*what, file=log, flush=True)
folder = f"{root}/w{seed}"
os.mkdir(folder)
held = {}
step = 0
while not os.path.exists(f"{root}/stop"):
    step += 1
    name = f"f{rng.randrange(12)}"
    path = f"{folder}/{name}"
    match rng.randrange(9):
        case 0 | 1:
            data = os.urandom(rng.choice((10, 5000)))
            with open(path, "wb") as out: out.write(data)
            mine[name] = data; held.pop(name, None)
        case 2 if name in mine:
            with open(path, "ab") as out: out.write(b"more")
            mine[name] += b"more"
        case 3 if name in mine:
            os.unlink(path); del mine[name]; held.pop(name, None)
        case 4 if name in mine:
            os.rename(path, path + "x")
            try:
                os.stat(path); raise SystemExit(f"{path} is still there")
            except FileNotFoundError: pass
            os.rename(path + "x", path)
        case 5:
            os.mkdir(path + ".d")
            os.symlink("x", path + ".d/l")
            os.unlink(path + ".d/l")
            os.rmdir(path + ".d")
        case 6 if name in mine:
            if name not in held: held[name] = open(path, "rb", buffering=0)
            assert os.pread(held[name].fileno(), 1 << 20, 0) == mine[name], f"{path} by its handle"
        case 7 if name in mine:
            assert open(path, "rb").read() == mine[name], path
        case _:
            try:
                fd = os.open(path + ".new", os.O_CREAT | os.O_EXCL | os.O_RDWR)
                os.unlink(path + ".new"); os.write(fd, b"tmp"); assert os.pread(fd, 9, 0) == b"tmp"; os.close(fd)
            finally: pass
assert sorted(os.listdir(folder)) == sorted(mine), (os.listdir(folder), sorted(mine))
for name, data in mine.items():
    assert open(f"{folder}/{name}", "rb").read() == data, name
print(step)
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_notices_a_sweep_of_kills(seed: int, home: Path, student: Mounted, tmp_path: Path) -> None:
    rng = random.Random(seed)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(home), str(10 * seed + n), str(tmp_path / f"log{n}")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    version = 0
    for _ in range(12):
        time.sleep(rng.uniform(0.02, 0.4))
        student.kill()
        time.sleep(rng.choice((0, 0, 0.2)))
        student.start()
        version += 1
        student.switch({"a.txt": b"v%d" % version, "lab/one.txt": b"1"})
    (home / "stop").write_text("")
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
        assert int(out) > 20, "the sweep left no time for work"
    assert (home / "a.txt").read_text() == f"v{version}"


def test_a_view_that_is_closed_in_order_leaves_nobody(store: Store, tmp_path: Path) -> None:
    mounted = Mounted(store, tmp_path, "kernel", "other")
    mounted.switch({"a.txt": b"one"})
    mounted.close()
    assert not is_mounted(mounted.root)
    assert not _serving(mounted)


DYING = ["_open", "_create", "_tmpfile", "_rename2", "_removexattr", "_release"]
DEATHS = ["carried out", "noted", "carried out, begun, noted", "noted, noted, begun", "begun, carried out, begun"]
"""At which points one process after the other dies: all before they answer one request."""


class Deaths:
    """Kills whichever process of a folder reaches the next point."""

    def __init__(self, still_to_come: Path) -> None:
        self._to_come = still_to_come
        self._is_asked = False

    def follow(self, deaths: str) -> None:
        self._to_come.write_text(deaths)

    def have_all_been(self) -> bool:
        return not self._to_come.read_text()

    def reach(self, point: str) -> None:
        first, _, rest = self._to_come.read_text().partition(", ")
        if first == point:
            self._to_come.write_text(rest)
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, handler: Callable[..., Reply]) -> Callable[..., Reply]:
        def carry_out(*arguments: object) -> Reply:
            self._is_asked = True
            reply = handler(*arguments)
            self.reach("carried out")
            return reply

        return carry_out

    def asked_again(self, operations: KernelOperations, request: Request, done: bool) -> Reply:
        self._is_asked = True
        return AGAIN(operations, request, done)

    def before_answer(self, session: Session, unique: int, code: int, reply: Reply) -> None:
        if self._is_asked:
            self.reach("noted")
        self._is_asked = False
        ANSWER(session, unique, code, reply)

    def at_start(self, session: Session) -> None:
        self.reach("begun")
        START(session)


AGAIN, ANSWER, START = KernelOperations.again, Session._answer, Session.start


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Path) -> Iterator[tuple[Mounted, Deaths]]:
    """A folder, and who kills its processes one after the other."""
    deaths = Deaths(tmp_path / "deaths")
    deaths.follow("")
    for name in DYING:
        monkeypatch.setattr(KernelOperations, name, deaths.after(getattr(KernelOperations, name)))
    monkeypatch.setattr(KernelOperations, "again", lambda *said: deaths.asked_again(*said))
    monkeypatch.setattr(Session, "_answer", lambda *said: deaths.before_answer(*said))
    monkeypatch.setattr(Session, "start", lambda session: deaths.at_start(session))
    student = Mounted(store, tmp_path, "kernel")
    student.switch(COURSE)
    yield student, deaths
    student.close()


OPENS = {
    "open": lambda home: os.open(home / "a.txt", os.O_RDWR),
    "create": lambda home: os.open(home / "new.txt", os.O_RDWR | os.O_CREAT, 0o644),
    "create alone": lambda home: os.open(home / "new.txt", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644),
    "without a name": lambda home: os.open(home, os.O_RDWR | os.O_TMPFILE, 0o644),
}


@pytest.mark.parametrize("deaths", DEATHS)
@pytest.mark.parametrize("opening", OPENS)
def test_kills_before_an_open_is_answered_leave_nothing_open(
    dies: tuple[Mounted, Deaths], opening: str, deaths: str
) -> None:
    student, killer = dies
    killer.follow(deaths)
    if deaths.startswith("begun"):
        student.kill()
    fd = OPENS[opening](student.root)
    assert killer.have_all_been()
    if student.process:
        student.kill()
    student.start()
    os.write(fd, b"x")
    name = "a.txt" if opening == "open" else "new.txt"
    assert opening == "without a name" or student.busy(name) == [name]
    os.close(fd)
    os.statvfs(student.root)  # a request later, the end of the file is known
    assert student.busy("a.txt", "new.txt") == []
    assert not list((student.state / "staging").iterdir()), "something hidden is left"


@pytest.mark.parametrize("deaths", DEATHS)
@pytest.mark.parametrize("one, other", [("lab", "own"), ("lab", "a.txt"), ("a.txt", "note.txt")])
def test_kills_before_an_exchange_is_answered_do_not_undo_it(
    dies: tuple[Mounted, Deaths], one: str, other: str, deaths: str
) -> None:
    student, killer = dies
    home = student.root
    (home / "own" / "deep").mkdir(parents=True)
    (home / "note.txt").write_text("note")
    names = [home / one, home / other]
    held = [os.open(path, os.O_RDONLY) for path in names]
    before = [os.stat(path).st_ino for path in names]
    killer.follow(deaths)
    if deaths.startswith("begun"):
        student.kill()
    renameat2(-100, os.fsencode(names[0]), -100, os.fsencode(names[1]), Rename.EXCHANGE)
    assert killer.have_all_been()
    if student.process:
        student.kill()
    student.start()
    assert [os.stat(path).st_ino for path in reversed(names)] == before
    assert [os.fstat(fd).st_ino for fd in held] == before
    for fd, path in zip(held, reversed(names), strict=True):
        if path.is_dir():
            assert os.listdir(fd) == os.listdir(path)
        os.close(fd)


@pytest.mark.parametrize("deaths", ["carried out", "carried out, begun", "noted, begun"])
@pytest.mark.parametrize("handles", [1, 2])
def test_kills_before_a_close_is_answered_do_not_close_twice(
    dies: tuple[Mounted, Deaths], handles: int, deaths: str
) -> None:
    student, killer = dies
    student.write("own.txt", b"mine")
    path = student.path("own.txt")
    os.statvfs(student.root)
    opened = [os.open(path, os.O_RDWR) for _ in range(handles)]
    killer.follow(deaths)
    os.close(opened.pop())
    os.statvfs(student.root)
    assert killer.have_all_been()
    if student.process:
        student.kill()
    student.start()
    for fd in opened:
        assert student.busy("own.txt") == ["own.txt"]
        os.close(fd)
    os.statvfs(student.root)
    assert student.busy("own.txt") == []
    with open(path, "r+b"):
        os.rename(path, student.path("other.txt"))
        assert student.busy("other.txt") == ["other.txt"]


@pytest.mark.parametrize("deaths", ["noted", "noted, begun"])
def test_what_failed_fails_though_a_kill_comes_before_the_answer(dies: tuple[Mounted, Deaths], deaths: str) -> None:
    student, killer = dies
    student.write("own.txt", b"mine")
    killer.follow(deaths)
    with pytest.raises(OSError) as problem:
        os.removexattr(student.path("own.txt"), "user.none")
    assert problem.value.errno == errno.ENODATA and killer.have_all_been()
    student.restart()
