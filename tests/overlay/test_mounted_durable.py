"""Databases, repositories and installed packages on the mount, through kills of those who write and of who serves."""

import base64
import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounted import Mounted

pytestmark = pytest.mark.fuse

WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=20)
database.execute("pragma synchronous=normal")
number = 0
while True:
    number += 1
    with database:
        database.execute("insert into t values (?, ?, ?)", (sys.argv[2], number, "x" * 3000))
    print(number, flush=True)
"""


def database_at(student: Mounted) -> str:
    """An empty table in WAL mode."""
    path = str(student.path("data.db"))
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("pragma journal_mode=wal").fetchone() == ("wal",)
        database.execute("create table t (who, number, filler)")
        database.commit()
    return path


@contextlib.contextmanager
def writing(path: str, who: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", WRITER, path, who]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        try:
            yield writer
        finally:
            writer.kill()


def committed(writer: subprocess.Popen[bytes], at_least: int) -> int:
    """Read until so many commits were acknowledged; the last of them."""
    assert writer.stdout
    return [int(writer.stdout.readline()) for _ in range(at_least)][-1]


def acknowledged(writer: subprocess.Popen[bytes], last: int) -> int:
    """All that a writer that is no more had still said."""
    assert writer.stdout
    return max([last, *(int(line) for line in writer.stdout.read().split())])


def check(path: str, last: dict[str, int]) -> None:
    """Everything that was acknowledged is there, without a gap; at most one more of each was under way."""
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        for who, number in last.items():
            found = [row[0] for row in database.execute("select number from t where who = ? order by number", (who,))]
            assert found == list(range(1, len(found) + 1))
            assert number <= len(found) <= number + 1


def test_a_killed_writer_loses_no_commit(student: Mounted) -> None:
    student.switch({"a": b"1"})
    path = database_at(student)
    last: dict[str, int] = {}
    for turn in range(3):
        with writing(path, f"a{turn}") as one, writing(path, f"b{turn}") as two:
            last[f"a{turn}"] = committed(one, 15 + turn)
            one.kill()
            last[f"a{turn}"] = acknowledged(one, last[f"a{turn}"])
            last[f"b{turn}"] = committed(two, 5)
            two.kill()
            last[f"b{turn}"] = acknowledged(two, last[f"b{turn}"])
        check(path, last)


def test_a_killed_server_loses_no_commit(student: Mounted) -> None:
    student.switch({"a": b"1"})
    path = database_at(student)
    last: dict[str, int] = {}
    for turn in range(3):
        with writing(path, f"a{turn}") as one, writing(path, f"b{turn}") as two:
            seen = {f"a{turn}": committed(one, 10 + turn), f"b{turn}": committed(two, 10)}
            student.kill()
            for who, writer in zip(seen, (one, two), strict=True):
                writer.kill()
                last[who] = acknowledged(writer, seen[who])
        student.start()
        check(path, last)
    student.restart()
    check(path, last)


def test_a_repository_is_packed_and_cloned_with_links(student: Mounted) -> None:
    student.switch({f"lab/{number}.py": b"print(%d)\n" % number for number in range(40)})

    def git(*words: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.check_output(["git", *who, *words], cwd=student.root, text=True)

    git("init", "-q")
    for turn in range(3):
        student.write("lab/1.py", b"turn %d\n" % turn)
        git("add", ".")
        git("commit", "-qm", f"turn {turn}")
    git("gc", "-q", "--aggressive", "--prune=now")
    packs = list(student.path(".git/objects/pack").glob("*.pack"))
    assert len(packs) == 1
    git("clone", "-q", "--local", ".", "copy")
    assert os.stat(packs[0]).st_nlink == 2, "a local clone shares its packs by links"
    assert git("-C", "copy", "fsck").strip() == "" and git("-C", "copy", "status", "--porcelain") == ""
    assert student.read("copy/lab/1.py") == b"turn 2\n"
    student.restart()
    git("-C", "copy", "gc", "-q")
    assert git("-C", "copy", "log", "--format=%s").splitlines() == ["turn 2", "turn 1", "turn 0"]
    assert git("fsck").strip() == "" and git("status", "--porcelain") == "?? copy/\n"


def wheel(folder: Path) -> Path:
    """A small wheel, made by hand: no network is needed for it."""
    files = {
        "greeting/__init__.py": b"from importlib.resources import files\nfrom greeting.words import word\n"
        b"def greet():\n    return word + files('greeting').joinpath('data.txt').read_text()\n",
        "greeting/words.py": b"word = 'hello '\n",
        "greeting/data.txt": b"from the mount",
        "greeting-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
        "greeting-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "greeting-1.0.dist-info/entry_points.txt": b"[console_scripts]\ngreet = greeting.words:word.strip\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in files.items()
    )
    files["greeting-1.0.dist-info/RECORD"] = (record + "greeting-1.0.dist-info/RECORD,,\n").encode()
    path = folder / "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


@pytest.mark.slow
def test_a_package_is_installed_and_imported(student: Mounted, tmp_path: Path) -> None:
    student.switch({"lab/use.py": b"import greeting\nprint(greeting.greet())\n"})
    target = student.path("packages")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--disable-pip-version-check"]
    subprocess.check_call([*install, "--target", target, wheel(tmp_path)])
    use = [sys.executable, student.path("lab/use.py")]
    environment = {**os.environ, "PYTHONPATH": str(target)}
    assert subprocess.check_output(use, env=environment, text=True) == "hello from the mount\n"
    assert list(student.path("packages/greeting/__pycache__").glob("words.*.pyc"))
    subprocess.check_call([*install, "--upgrade", "--target", target, wheel(tmp_path)])
    student.switch({"lab/use.py": b"import greeting\nprint(greeting.greet(), '2')\n"})
    student.restart()
    assert subprocess.check_output(use, env=environment, text=True) == "hello from the mount 2\n"
