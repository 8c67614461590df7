"""What is held before it leaves the machine, and goes out when the person says so by name."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from classroom_side import Course, Publisher, add, everything, fill

from syncd.cli.publisher_client import ask_publisher
from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser
from syncd.core.staff import Allowed
from syncd.publisher.guard_control import set_allowed
from syncd.publisher.registry import Folder, Registry, Students
from syncd.publisher.settings import Settings

pytestmark = pytest.mark.slow

TOKEN_LINE = "token = 'ghp" + "_0123456789abcdefghijABCDEFGHIJ012345'\n"
SOLUTION = "def f():\n    ### BEGIN SOLUTION\n    return 42\n    ### END SOLUTION\n"


def held(status: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: each["guard"] for each in status["left_out"]}


async def answer(state: Path, what: str, **body: str) -> str:
    id = Registry(state).folders()[0].id
    found = await asyncio.to_thread(ask_publisher, state, "POST", f"/v1/folders/{id}/{what}", body)
    return str(found["sentence"])


async def test_each_guard_holds_its_file_and_lets_it_go_by_name(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a.txt": "a", "key.py": "x = 1\n"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(
            folder,
            {
                "key.py": TOKEN_LINE,
                "lab.py": SOLUTION,
                "private/exam.txt": "secret questions",
                "lab.solution.md": "it is 42",
                "b.txt": "b",
            },
        )
        expected = {"key.py": "secret", "lab.py": "solution", "private/exam.txt": "staff", "lab.solution.md": "staff"}
        status = await publisher.until(
            lambda now: now["state"] == "up_to_date" and held(now) == expected and "b.txt" in course.files()
        )
        assert course.files() == {"a.txt": b"a", "b.txt": b"b", "key.py": b"x = 1\n"}  # the former version stays
        secret = next(each for each in status["left_out"] if each["guard"] == "secret")
        assert "GitHub Token" in secret["sentence"] and secret["command"].endswith("key.py --guard secret")
        with pytest.raises(NeedsUser, match="no guard"):
            await answer(state, "allow", path="key.py", guard="sekret")
        with pytest.raises(NeedsUser, match="no path"):
            await answer(state, "allow", path="../key.py", guard="secret")
        await answer(state, "allow", path="key.py", guard="secret")
        await answer(state, "allow", path="lab.py", guard="solution")
        await answer(state, "allow", path="private")
        await publisher.until(lambda now: set(held(now)) == {"lab.solution.md"} and now["state"] == "up_to_date")
        assert course.files()["key.py"] == TOKEN_LINE.encode() and "private/exam.txt" in course.files()
        await answer(state, "disallow", path="lab.py", guard="solution")
        fill(folder, {"lab.py": SOLUTION + "# more\n"})
        await publisher.until(lambda now: held(now).get("lab.py") == "solution")
        assert course.files()["lab.py"] == SOLUTION.encode()
    async with Publisher(state) as publisher:  # it is known after a restart
        status = await publisher.until(lambda now: now["state"] == "up_to_date")
        assert held(status) == {"lab.py": "solution", "lab.solution.md": "staff"}


async def test_the_first_upload_is_guarded_too(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a.txt": "a", "key.py": TOKEN_LINE, "private/x": "x", ".gitignore": "*.log\n", "b.log": "b"})
    assert "key" in await add(state, folder, course.url)
    assert course.files() == {"a.txt": b"a", ".gitignore": b"*.log\n"}


async def test_patterns_keep_files_out_as_git_does(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"sub/kept.log": "was there before"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {".gitignore": "*.log\nbuild/\n", "sub/.syncignore": "!wanted.log\nlocal.*\n"})
        fill(folder, {"build/a/b.txt": "b", "x.log": "x", "sub/wanted.log": "w", "sub/local.txt": "l", "z.txt": "z"})
        fill(folder, {"sub/kept.log": "changed"})
        wanted = {".gitignore", "sub/.syncignore", "sub/kept.log", "sub/wanted.log", "z.txt"}
        await publisher.until(lambda now: set(course.files()) == wanted and now["state"] == "up_to_date")
        assert course.files()["sub/kept.log"] == b"changed"
        (folder / ".gitignore").write_text("build/\n")
        await publisher.until(lambda now: "x.log" in course.files())
        await answer(state, "allow", path="build/a/b.txt", guard="ignored")
        await publisher.until(lambda now: "build/a/b.txt" in course.files())
        (folder / "sub/kept.log").unlink()
        await publisher.until(lambda now: "sub/kept.log" not in course.files())


async def test_large_files_warn_and_larger_ones_stay_out_until_allowed(
    state: Path, folder: Path, course: Course
) -> None:
    Settings(state).set("size.warn", "1")
    Settings(state).set("size.most", "2")
    fill(folder, {"a.txt": "a"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"large.csv": b"1" * 1_500_000, "larger.csv": b"2" * 2_500_000})
        status = await publisher.until(
            lambda now: held(now) == {"larger.csv": "size"} and "large.csv" in course.files()
        )
        assert any("large.csv" in each and "2 MB" in each for each in status["warnings"])
        with pytest.raises(NeedsUser, match="a number of MB"):
            Settings(state).set("size.most", "much")
        assert "link" in status["left_out"][0]["sentence"] and "git-lfs" in status["left_out"][0]["sentence"]
        await answer(state, "allow", path="larger.csv")
        await publisher.until(lambda now: "larger.csv" in course.files() and not held(now))


async def test_with_a_students_branch_staff_files_go_to_colleagues(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"lab.py": SOLUTION, "private/x": "x", "key.py": TOKEN_LINE})
    await add(state, folder, course.url)
    assert not course.files()
    registry = Registry(state)
    registry.set_students(registry.folders()[0].id, Students(course.url, "students", "live"))
    async with Publisher(state) as publisher:
        await publisher.until(lambda now: set(course.files()) == {"lab.py", "private/x"})
        await publisher.until(lambda now: course.head("students") is not None)
        assert set(course.files("students")) == {"lab.py"} and b"42" not in course.files("students")["lab.py"]


def test_the_list_of_folders_is_read_with_and_without_what_is_allowed(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "state")
    old = {"id": "1", "path": str(tmp_path), "remote": "r", "branch": "main", "paused": False}
    (tmp_path / "state/folders.json").write_text(json.dumps({"folders": [old]}))
    assert registry.folders() == (Folder("1", tmp_path, "r", "main"),)
    fill(tmp_path, {"a/b/c": "1"})
    set_allowed(registry.state, "1", RelPath("a/b/"), ["secret", "staff"], True)
    assert registry.folders()[0].allowed == (Allowed(RelPath("a/b"), "secret"), Allowed(RelPath("a/b"), "staff"))
    set_allowed(registry.state, "1", RelPath("a/b"), [], False)
    assert registry.folders()[0].allowed == ()


async def test_a_held_file_whose_name_is_no_text_is_named_and_allowed_as_it_is(
    state: Path, folder: Path, course: Course
) -> None:
    name = os.fsdecode(b"it's caf\xe9.py")
    fill(folder, {name: TOKEN_LINE, "a.txt": "a"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        told = (await publisher.up_to_date())["left_out"][0]
        assert told["path"] == name and told["command"].isascii()
        said = await asyncio.to_thread(
            subprocess.check_output, ["bash", "-c", f'syncd() {{ printf %s "$2"; }}; {told["command"]}']
        )
        assert said == os.fsencode(folder / name)
        with pytest.raises(NeedsUser, match="nothing named"):
            await answer(state, "allow", path="it's caf?.py", guard="secret")
        with pytest.raises(NeedsUser, match="No guard holds"):
            await answer(state, "allow", path="a.txt")
        assert Registry(state).folders()[0].allowed == ()
        await answer(state, "allow", path=told["path"], guard=told["guard"])
        await publisher.until(lambda now: not held(now) and course.files() == everything(folder))
