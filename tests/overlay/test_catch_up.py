"""A view that goes over to a new version at the moment at which somebody looks; nobody tells its agent."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest
from made_commits import Store
from mounted import Mounted
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

pytestmark = pytest.mark.fuse

ONE = {"a.txt": b"1", "lab/x.txt": b"1", "lab/y.txt": b"1", "lab/old/z.txt": b"1", "data/d.csv": b"1"}
TWO = {"a.txt": b"2", "lab/x.txt": b"22", "lab/y.txt": b"1", "lab/new/n.txt": b"n", "data/d.csv": b"1"}


@pytest.fixture(params=["kernel"])
def engine(request: pytest.FixtureRequest) -> str:
    """The one that is asked before it answers; the other goes over when its agent is woken."""
    name: str = request.param
    return name


@pytest.fixture
def follower(student: Mounted) -> Mounted:
    student.switch(ONE)
    student.follow()
    return student


def _walked(root: Path) -> dict[str, bytes]:
    found = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_whoever_looks_sees_the_new_version_and_the_agent_is_not_asked(follower: Mounted) -> None:
    assert _walked(follower.root) == ONE  # the kernel has all of it in its caches
    follower.post(TWO, ONE)
    assert follower.read("lab/x.txt") == b"22"
    assert _walked(follower.root) == TWO
    assert follower.names("lab") == ["new", "x.txt", "y.txt"]
    assert follower.went_over() == ((1, True), [])


def test_whoever_stands_in_a_folder_sees_it_change(follower: Mounted) -> None:
    assert _walked(follower.root) == ONE
    shell = subprocess.Popen(
        ["sh", "-c", "ls; echo; read go; ls; cat x.txt; ls -d old; stat -c %h ."],
        cwd=follower.path("lab"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert shell.stdout is not None and [shell.stdout.readline() for _ in range(4)] == [
        "old\n",
        "x.txt\n",
        "y.txt\n",
        "\n",
    ]
    follower.post(TWO, ONE)
    said, _ = shell.communicate("go\n")
    assert said == "new\nx.txt\ny.txt\n221\n"


@pytest.fixture
def listed_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer to a listing can be under way any more."""
    monkeypatch.setattr("fuse_mount.kernel.listings._READ_WITHIN_S", 0.0)


@pytest.mark.parametrize("made", ["mkdir own && mv own new", "mkdir new"])
def test_whoever_stands_in_a_folder_of_their_own_sees_what_the_course_adds_to_it(
    listed_long_ago: None, follower: Mounted, made: str
) -> None:
    subprocess.run(["sh", "-c", made], cwd=follower.root, check=True)
    shell = subprocess.Popen(
        ["sh", "-c", "ls; ls; echo; read go; ls"],
        cwd=follower.path("new"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None and shell.stdout.readline() == "\n"
    follower.post({**ONE, "new/n.txt": b"n"}, ONE)
    assert follower.read("a.txt") == b"1" and follower.went_over()[0] == (1, True)
    said, _ = shell.communicate("go\n")
    assert said == "n.txt\n"


def test_open_files_keep_what_they_were(follower: Mounted) -> None:
    with open(follower.path("lab/x.txt"), "rb") as opened:
        follower.post(TWO, ONE)
        assert follower.read("lab/x.txt") == b"22"
        assert opened.read() == b"1"


@pytest.mark.parametrize("how", ["still", "not yet followed"])
def test_what_was_looked_up_before_the_view_could_go_over_is_looked_up_again(student: Mounted, how: str) -> None:
    student.switch(ONE)
    if how == "still":
        student.follow()
        student.post_while_still(TWO, ONE)
    else:
        student.follow(student.version(TWO, ONE))
    assert student.names("lab") == ["new", "x.txt", "y.txt"] and student.went_over()[0] == (1, True)
    assert not student.path("lab/old/z.txt").exists()
    assert {path: os.stat(student.path(path)).st_size for path in TWO} == {
        path: len(data) for path, data in TWO.items()
    }
    assert _walked(student.root) == TWO


_LIST = """
import ctypes, mmap, os, sys
folder, page = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_RDWR)
room = (ctypes.c_char * 4096).from_buffer(mmap.mmap(page, 4096))
print("ready", flush=True)
input()
assert ctypes.CDLL(None).syscall(ctypes.c_long(getdents64), folder, room, ctypes.c_long(4096)) > 0
"""


@contextlib.contextmanager
def _held_up_listing(student: Mounted, folder: str, store: Store, where: Path) -> Iterator[None]:
    """Within it, the answer to somebody who lists a folder can't be used by the kernel: nobody serves their page."""
    numbers = {"x86_64": "217", "aarch64": "61"}
    if (number := numbers.get(os.uname().machine)) is None:
        pytest.skip("a system call's number is not known here")
    slow = Mounted(store, where, "kernel", "slow")
    slow.switch({"page": b" " * 4096})
    words = [sys.executable, "-c", _LIST.replace("getdents64", number), student.path(folder), slow.path("page")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as lister:
        assert lister.stdin is not None and lister.stdout is not None and lister.stdout.readline() == b"ready\n"
        os.kill(slow.process, signal.SIGSTOP)
        try:
            asked = student.ask("requests")
            lister.stdin.write(b"\n")
            lister.stdin.flush()
            _wait(lambda: student.ask("requests") > asked)
            time.sleep(0.05)  # the answer is short
            yield
        finally:
            os.kill(slow.process, signal.SIGCONT)
    assert lister.returncode == 0
    slow.close()


def test_an_answer_that_is_read_late_brings_no_old_names(follower: Mounted, store: Store, tmp_path: Path) -> None:
    with _held_up_listing(follower, "lab", store, tmp_path):
        follower.post(TWO, ONE)
        assert follower.path("lab").is_dir() and follower.went_over()[0] == (1, True)
    _wait(lambda: follower.path("lab/x.txt").stat().st_size == 2)
    assert _walked(follower.root) == TWO


def test_a_process_that_is_killed_while_somebody_lists_is_gone_at_once(
    follower: Mounted, store: Store, tmp_path: Path
) -> None:
    with _held_up_listing(follower, "lab", store, tmp_path):
        follower.post(TWO, ONE)
        assert follower.path("lab").is_dir() and follower.went_over()[0] == (1, True)
        time.sleep(0.2)  # by now it is being waited for the folder
        os.kill(follower.process, signal.SIGKILL)
        _wait(lambda: os.waitid(os.P_PID, follower.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
        follower.restart()
        assert follower.read("a.txt") == b"2"
    assert _walked(follower.root) == TWO


def _wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("size", [1, 300_000])
def test_what_is_open_for_writing_is_left_to_the_agent_though_nothing_is_written_yet(
    follower: Mounted, size: int
) -> None:
    old, new = {**ONE, "lab/x.txt": b"1" * size}, {**TWO, "lab/x.txt": b"2" * size}
    follower.switch(old)
    with open(follower.path("lab/x.txt"), "ab", buffering=0) as opened:
        follower.post(new, old)
        assert follower.read("lab/y.txt") == b"1" and follower.went_over() == ((0, False), [1])
        opened.write(b" mine")
    assert follower.read("lab/x.txt") == b"1" * size + b" mine"
    assert follower.observe() == ["lab/x.txt"]


def test_what_the_student_has_is_left_to_the_agent(follower: Mounted) -> None:
    follower.write("lab/x.txt", b"mine")
    follower.post(TWO, ONE)
    assert follower.read("a.txt") == b"1" and follower.read("lab/x.txt") == b"mine"
    assert follower.went_over() == ((0, False), [1])
    assert follower.switch(TWO, take=["lab/x.txt"]) == []
    assert _walked(follower.root) == TWO
    # From there on it goes by itself again.
    follower.post(ONE, TWO)
    assert _walked(follower.root) == ONE
    assert follower.went_over() == ((2, True), [1])


@pytest.mark.parametrize("name", ["mine.txt", "lab/mine.txt", "lab/y.txt", "data/d.csv"])
def test_what_a_version_does_not_change_may_be_the_students(follower: Mounted, name: str) -> None:
    kept = {path: data for path, data in TWO.items() if path != name}
    follower.write(name, b"mine")
    follower.post({**kept, name: ONE[name]} if name in ONE else kept, ONE)
    assert _walked(follower.root) == {**kept, name: b"mine"}
    assert follower.went_over() == ((1, True), [])
    assert follower.observe() == [name]


@pytest.mark.parametrize(
    "deed",
    ["rm lab/x.txt", "mv lab work", "mv lab/y.txt y2.txt", "mkdir lab/new", "ln -s y.txt lab/new", "rm -r lab/old"],
)
def test_what_was_removed_renamed_or_stands_in_the_way_is_left_to_the_agent(follower: Mounted, deed: str) -> None:
    subprocess.run(deed.split(), cwd=follower.root, check=True)
    before = _walked(follower.root)
    changed = {**TWO, "lab/y.txt": b"2"}
    if deed == "mkdir lab/new":
        changed["lab/new"] = changed.pop("lab/new/n.txt")
    follower.post(changed, ONE)
    assert _walked(follower.root) == before
    assert follower.went_over() == ((0, False), [1])


def test_a_version_that_does_not_follow_the_one_that_shows_is_left_to_the_agent(follower: Mounted) -> None:
    follower.post(ONE, TWO)
    follower.post({**TWO, "a.txt": b"3"}, TWO)
    assert _walked(follower.root) == ONE
    assert follower.went_over() == ((0, False), [2])


def test_a_course_without_files_any_more_is_left_to_the_agent(follower: Mounted) -> None:
    follower.post({}, ONE)
    assert _walked(follower.root) == ONE
    assert follower.went_over()[1] == [1]


def test_it_is_the_same_version_after_a_crash(follower: Mounted) -> None:
    follower.post(TWO, ONE)
    assert follower.read("a.txt") == b"2"
    follower.restart()
    assert _walked(follower.root) == TWO


def test_no_look_ever_gets_anything_but_the_newest_of_many_versions(follower: Mounted) -> None:
    dice = random.Random(7)
    names = [f"{folder}{name}" for folder in ("", "lab/", "lab/deep/er/", "data/") for name in ("a", "b", "c", "d")]
    before: dict[str, bytes] = dict(ONE)
    for turn in range(60):
        now = dict(before)
        for name in dice.sample(names, 4):
            if name in now and dice.random() < 0.4:
                del now[name]
            else:
                now[name] = b"%d" % turn * dice.randrange(1, 40)
        now["turn"] = b"%d" % turn
        follower.post(now, before)
        look = dice.randrange(3)
        if look == 0:
            assert _walked(follower.root) == now
        elif look == 1:
            assert follower.read("turn") == b"%d" % turn
        before = now if look < 2 else before  # nobody looked: the next one follows a version that never showed
        if look == 2:
            assert follower.read("turn") == b"%d" % turn
            before = now
    assert _walked(follower.root) == before
    assert follower.went_over()[1] == []


def test_programs_that_watch_a_folder_are_told_when_somebody_asks_for_it(follower: Mounted) -> None:
    heard: Queue[str] = Queue()

    class Ears(FileSystemEventHandler):
        def on_closed(self, event: FileSystemEvent) -> None:
            heard.put(os.fsdecode(event.src_path))

    observer = Observer()
    observer.schedule(Ears(), str(follower.path("lab")))
    observer.start()
    try:
        follower.post({**ONE, "lab/x.txt": b"2"}, ONE)
        assert follower.read("lab/x.txt") == b"2"
        follower.ask("nudge")
        assert heard.get(timeout=10) == str(follower.path("lab/x.txt"))
    finally:
        observer.stop()
        observer.join()
