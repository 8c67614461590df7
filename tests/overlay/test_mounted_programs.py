"""Programs that students use, on the mount."""

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from mounted import Mounted

pytestmark = pytest.mark.fuse

WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=20)
for number in range(40):
    with database:
        database.execute("insert into t values (?, ?)", (sys.argv[2], number))
print("done", flush=True)
sys.stdin.read()
"""


def test_sqlite_in_wal_mode_with_two_processes_and_a_kill(student: Mounted) -> None:
    student.switch({"a": b"1"})
    path = str(student.path("data.db"))
    database = sqlite3.connect(path)
    assert database.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    database.execute("create table t (who, number)")
    database.commit()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for who in "ab"
    ]
    for writer in writers:
        assert writer.stdout and writer.stdout.readline() == b"done\n"
    writers[0].kill()
    writers[1].communicate()
    writers[0].communicate()
    assert database.execute("select who, count(*) from t group by who").fetchall() == [("a", 40), ("b", 40)]
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


def test_git_works_in_the_folder(student: Mounted) -> None:
    student.switch({"lab/a.py": b"print(1)\n", "README.md": b"hello\n"})

    def git(*words: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.check_output(["git", *who, *words], cwd=student.root, text=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    student.write("lab/a.py", b"print(2)\n")
    assert git("status", "--porcelain") == " M lab/a.py\n"
    git("commit", "-qam", "second")
    git("gc", "-q")
    assert git("log", "--format=%s").split() == ["second", "first"]
    git("clone", "-q", ".", "copy")
    assert student.read("copy/lab/a.py") == b"print(2)\n"
    git("checkout", "-q", "HEAD~1")
    assert student.read("lab/a.py") == b"print(1)\n"
    assert git("fsck").strip() == ""


def test_jupyter_saves_in_place_after_a_copy(student: Mounted) -> None:
    student.switch({"nb.ipynb": b'{"cells": []}', "lab/nb.ipynb": b'{"cells": []}'})
    for name in ("nb.ipynb", "lab/nb.ipynb"):
        path = student.path(name)
        for turn in range(3):
            aside = path.with_name(f".~{path.name}")
            shutil.copy2(path, aside)
            with open(path, "w", encoding="utf-8") as out:
                out.write(f'{{"cells": [{turn}]}}')
                out.flush()
                os.fsync(out.fileno())
            aside.unlink()
        assert path.read_bytes() == b'{"cells": [2]}'
    student.restart()
    assert student.observe() == ["lab/nb.ipynb", "nb.ipynb"]


def test_saving_by_a_temporary_file_and_a_rename(student: Mounted) -> None:
    student.switch({"a": b"1"})
    for turn in range(3):
        student.write("a.tmp", b"%d" % turn)
        with open(student.path("a.tmp"), "rb") as held:
            os.fsync(held.fileno())
        os.replace(student.path("a.tmp"), student.path("a"))
        assert student.read("a") == b"%d" % turn
    assert student.names() == ["a"] and student.observe() == ["a"]


def test_tar_out_and_in(student: Mounted) -> None:
    student.switch({f"lab/{number}/x": b"%d" % number for number in range(30)})
    subprocess.check_call(["tar", "cf", "all.tar", "lab"], cwd=student.root)
    shutil.rmtree(student.path("lab"))
    subprocess.check_call(["tar", "xf", "all.tar"], cwd=student.root)
    assert student.read("lab/7/x") == b"7"
    student.path("all.tar").unlink()
    assert student.observe() == []
