"""A commit arrives while the folder is in use."""

import mmap
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Queue

import pytest
from made_commits import Store
from mounted import Mounted
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

pytestmark = pytest.mark.fuse

BIG = b"old!" * 100_000
kernel_only = pytest.mark.parametrize("engine", ["kernel"], indirect=True)


def test_a_commit_shows_at_once(student: Mounted) -> None:
    student.switch({"a": b"1", "gone": b"x", "lab/a": b"1", "lab/same": b"same"})
    assert student.read("a") == b"1" and not student.path("new").exists() and student.names("lab") == ["a", "same"]
    kept = os.stat(student.path("lab/same")).st_ino
    student.switch({"a": b"22", "new": b"n", "lab/a": b"2", "lab/same": b"same", "lab/deep/x": b"x"})
    assert student.read("a") == b"22" and os.stat(student.path("a")).st_size == 2
    assert student.read("new") == b"n" and not student.path("gone").exists()
    assert student.names() == ["a", "lab", "new"] and student.names("lab") == ["a", "deep", "same"]
    assert student.read("lab/deep/x") == b"x"
    assert os.stat(student.path("lab/same")).st_ino == kept


@kernel_only
@pytest.mark.parametrize("size", [10, 400_000])
def test_open_handles_and_mappings_keep_the_old_bytes(student: Mounted, size: int) -> None:
    old, new = b"o" * size, b"n" * size
    student.switch({"f": old, "gone": old})
    with open(student.path("f"), "rb") as held, open(student.path("gone"), "rb") as gone:
        assert held.read(3) == b"ooo"
        with mmap.mmap(held.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            student.switch({"f": new})
            assert student.read("f") == new, "a fresh open sees the new content"
            assert held.read() == old[3:] and mapped[:] == old and gone.read() == old
            assert os.fstat(held.fileno()).st_size == size
    assert student.read("f") == new and not student.path("gone").exists()


@kernel_only
@pytest.mark.parametrize("holder", ["nobody", "somebody"])
@pytest.mark.parametrize(
    ("script", "kept"),
    [
        ("echo late >> f; echo later >> f", b"mine\nand theirs\nlate\nlater\n"),
        ("exec 3<> f; echo late >&3", b"late\nand theirs\n"),
        (": > f", b""),
        ("truncate -s 4 f", b"mine"),
    ],
)
def test_what_is_written_before_the_kernel_hears_of_a_switch_is_in_the_new_file(
    student: Mounted, script: str, kept: bytes, holder: str
) -> None:
    student.switch({"f": b"base\n"})
    student.write("f", b"mine\n")
    with open(student.path("f") if holder == "somebody" else os.devnull, "rb") as held:
        assert student.switch_while(script, {"f": b"theirs\n"}, write={"f": "mine\nand theirs\n"}) == []
        assert student.read("f") == kept
        if holder == "somebody":
            assert held.read() == b"mine\n"
    subprocess.run(["sh", "-c", "echo after >> f"], cwd=student.root, check=True)
    assert student.read("f") == kept + b"after\n"


@kernel_only
@pytest.mark.parametrize("size", [10, 400_000])
def test_what_is_added_to_the_course_s_file_before_the_kernel_hears_of_a_switch_is_in_the_new_one(
    student: Mounted, size: int
) -> None:
    student.switch({"f": b"o" * size})
    with open(student.path("f"), "rb") as held:
        assert student.switch_while("echo late >> f; head -c 1 f > seen", {"f": b"n" * size}) == []
        assert student.read("f") == b"n" * size + b"late\n" and student.read("seen") == b"n"
        assert held.read() == b"o" * size


@kernel_only
def test_rights_given_before_the_kernel_hears_of_a_switch_are_those_of_the_new_file(student: Mounted) -> None:
    student.switch({"f": b"base\n"})
    student.write("f", b"mine\n")
    assert student.switch_while("chmod 600 f; touch -d @5 f", {"f": b"theirs\n"}, write={"f": "both\n"}) == []
    found = os.stat(student.path("f"))
    assert (found.st_mode & 0o777, int(found.st_mtime)) == (0o600, 5)


_EXCHANGE = "import ctypes; ctypes.CDLL(None).renameat2(-100, b'g', -100, b'f', 2)"
_EXCHANGED = f'echo > g; {sys.executable} -c "{_EXCHANGE}"'


@kernel_only
@pytest.mark.parametrize("script", ["mv f g", "ln f g", "ln f g; rm f", "mv f g; ln g h; rm h", _EXCHANGED])
@pytest.mark.parametrize("held", [True, False])
def test_names_given_before_the_kernel_hears_of_a_switch_are_those_of_the_new_file(
    student: Mounted, script: str, held: bool
) -> None:
    student.switch({"f": b"base\n", "a": b"1"})
    with open(student.path("f" if held else "a"), "rb") as opened:
        opened.read()
        os.stat(student.path("f"))
        assert student.switch_while(script, {"f": b"and theirs\n", "a": b"1"}) == []
        until = time.monotonic() + 5
        while os.stat(student.path("g")).st_size != 11 and time.monotonic() < until:
            time.sleep(0.01)
        assert os.stat(student.path("g")).st_size == 11 and student.read("g") == b"and theirs\n"
        assert student.names() == (["a", "f", "g"] if script in ("ln f g", _EXCHANGED) else ["a", "g"])


def test_the_path_engine_may_mix_old_and_new_while_a_handle_is_open(student: Mounted, engine: str) -> None:
    """The limit of libfuse's path interface, and that it ends with the handle."""
    student.switch({"f": b"old"})
    with open(student.path("f"), "rb") as held:
        student.switch({"f": b"new"})
        assert held.read() in ({b"old"} if engine == "kernel" else {b"old", b"new"})
    assert student.read("f") == b"new"


def test_a_shell_standing_inside_sees_the_new_files(student: Mounted) -> None:
    student.switch({"lab/a": b"1", "lab/b": b"b"})
    script = "ls; cat a; echo ready; read x; ls; cat a"
    with subprocess.Popen(
        ["sh", "-c", script], cwd=student.path("lab"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdin and shell.stdout
        before = [shell.stdout.readline() for _ in range(3)]
        student.switch({"lab/a": b"2", "lab/c": b"c"})
        after, _ = shell.communicate("\n")
    assert before == ["a\n", "b\n", "1ready\n"] and after == "a\nc\n2"


def test_the_students_files_stay(student: Mounted) -> None:
    student.switch({"edited": b"1", "deleted": b"1", "other": b"1", "lab/x": b"1"})
    student.write("edited", b"mine")
    student.write("own", b"own")
    student.path("deleted").unlink()
    student.switch({"edited": b"2", "deleted": b"2", "other": b"2"})
    assert student.read("edited") == b"mine" and student.read("own") == b"own" and student.read("other") == b"2"
    assert not student.path("deleted").exists() and not student.path("lab").exists()
    student.switch({"edited": b"3", "deleted": b"3"}, take=["edited", "deleted"])
    assert student.read("edited") == b"3" and student.read("deleted") == b"3"
    assert student.names() == ["deleted", "edited", "own"]


def test_a_merged_file_replaces_the_students(student: Mounted) -> None:
    student.switch({"f": b"1"})
    student.write("f", b"mine")
    with open(student.path("f"), "rb") as held:
        student.switch({"f": b"2"}, write={"f": "merged"})
        assert student.read("f") == b"merged" or student.engine == "mfusepy"
        assert held.read() == b"mine" or student.engine == "mfusepy"
    assert student.read("f") == b"merged"


def test_an_unedited_file_that_waits_keeps_showing(student: Mounted) -> None:
    student.switch({"f": b"1", "g": b"1"})
    student.switch({"g": b"2"}, wait=["f"])
    assert student.read("f") == b"1" and student.observe() == []
    student.restart()
    assert student.read("f") == b"1" and student.observe() == []
    student.switch({"g": b"2"}, take=["f"])
    assert not student.path("f").exists()


def test_a_file_open_for_writing_keeps_its_content(student: Mounted) -> None:
    """It is not known to the plan yet: what is written after the switch must not be lost."""
    student.switch({"f": b"old"})
    with open(student.path("f"), "r+b") as writing:
        assert student.busy("f") == ["f"]
        assert student.switch({"f": b"new"}) == ["f"]
        writing.seek(0, os.SEEK_END)
        writing.write(b" and mine")
    assert student.read("f") == b"old and mine" and student.observe() == ["f"]
    student.restart()
    assert student.read("f") == b"old and mine"


def test_many_changes_at_once(student: Mounted) -> None:
    first = {f"d{n % 7}/{n}": b"1" for n in range(900)}
    second = {f"d{n % 7}/{n}": b"2" for n in range(900) if n % 3} | {"d0/new": b"n"}
    student.switch(first)
    for path in first:
        assert student.read(path) == b"1"
    for folder in range(7):
        student.names(f"d{folder}")
    assert not student.path("d0/new").exists()
    student.switch(second)
    assert all(student.read(path) == data for path, data in second.items())
    assert sorted(os.listdir(student.path("d0"))) == sorted(p[3:] for p in second if p.startswith("d0/"))
    assert not any(student.path(path).exists() for path in first.keys() - second.keys())


@kernel_only
def test_a_warm_find_asks_us_nothing(student: Mounted) -> None:
    student.switch({f"d{n % 5}/{n}": b"1" for n in range(100)})
    counted = []
    for _ in range(3):
        for here, _, names in os.walk(student.root):
            for name in names:
                os.lstat(os.path.join(here, name))
        counted.append(student.ask("requests"))
    assert counted[2] == counted[1]


@kernel_only
def test_a_second_mount_shares_the_page_cache(student: Mounted, store: Store, tmp_path: Path) -> None:
    big = os.urandom(24 << 20)
    student.switch({"big": big})
    other = Mounted(store, tmp_path, "kernel", "other")
    try:
        other.switch({"big": big})
        assert student.read("big") == big
        before = cached_kb()
        assert other.read("big") == big
        assert cached_kb() - before < 12 << 10
    finally:
        other.close()


def cached_kb() -> int:
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Cached:"))


@pytest.mark.slow
def test_switches_under_load_give_no_wrong_byte(student: Mounted) -> None:
    """Readers see whole versions only, writers lose nothing, and nobody gets an error that a disk would not give."""
    versions = [{f"d{n % 4}/{n}": b"%04d" % turn * (20 + 3 * n) for n in range(40)} for turn in range(12)]
    student.switch(versions[0])
    stop = threading.Event()
    wrong: list[str] = []

    def read() -> None:
        number = 0
        while not stop.is_set():
            number = (number + 1) % 40
            try:
                data = student.read(f"d{number % 4}/{number}")
            except FileNotFoundError as error:
                wrong.append(str(error))
                continue
            if len(data) != 4 * (20 + 3 * number) or data != data[:4] * (20 + 3 * number):
                wrong.append(f"{number}: {data[:12]!r}")

    def write(name: str) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            folder = student.path(f"d{turn % 4}")
            mine, there = folder / name, folder / f"{name}.there"
            mine.write_bytes(b"%d" % turn)
            mine.rename(there)
            if there.read_bytes() != b"%d" % turn:
                wrong.append(f"{there} is not what was written")
            there.unlink()

    workers = [threading.Thread(target=read) for _ in range(3)]
    workers += [threading.Thread(target=write, args=(f"w{n}",)) for n in range(3)]
    for worker in workers:
        worker.start()
    for version in versions[1:]:
        student.switch(version)
    stop.set()
    for worker in workers:
        worker.join()
    if student.engine == "mfusepy":
        wrong = [what for what in wrong if "written" in what]
    assert wrong == []
    assert all(student.read(path) == data for path, data in versions[-1].items())


def test_programs_that_watch_a_folder_are_told(student: Mounted, engine: str) -> None:
    if engine == "mfusepy":
        return  # it tells nobody
    student.switch({"a.txt": b"1", "lab/x.txt": b"1", "lab/y.txt": b"1", "other/z.txt": b"1"})
    heard: Queue[str] = Queue()

    class Ears(FileSystemEventHandler):
        def on_closed(self, event: FileSystemEvent) -> None:
            heard.put(os.fsdecode(event.src_path))

    observer = Observer()
    observer.schedule(Ears(), str(student.path("lab")))
    observer.schedule(Ears(), str(student.root))
    observer.start()
    try:
        student.switch({"a.txt": b"1", "lab/x.txt": b"2", "lab/y.txt": b"1", "lab/new.txt": b"n", "other/z.txt": b"2"})
        told = {heard.get(timeout=10), heard.get(timeout=10)}
        assert told == {str(student.path("lab/x.txt")), str(student.path("lab/new.txt"))}
    finally:
        observer.stop()
        observer.join()
    assert student.observe() == [] and student.busy("lab/x.txt") == [], "telling them changed something"
