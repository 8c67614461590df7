"""Students' branch: live and released, undone, planned; through a real publisher and a real git server."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from classroom_side import TOKEN, Course, Publisher, add, everything, fill, git, until

from syncd.demo.gitserver import GitServer
from syncd.publisher.plans import Kind, Plan, Plans

pytestmark = pytest.mark.slow


class Person:
    """Somebody with the command line."""

    def __init__(self, state: Path, folder: Path) -> None:
        self.state, self.folder = state, folder

    async def says(self, *arguments: str | Path, wrong: bool = False, at: Path | None = None) -> str:
        argv = [sys.executable, "-m", "syncd", *map(str, arguments)]
        env = {**os.environ, "SYNCD_STATE": str(self.state)}
        done = await asyncio.to_thread(
            subprocess.run, argv, env=env, cwd=at or self.folder, capture_output=True, text=True
        )
        assert done.returncode == (1 if wrong else 0), done.stderr + done.stdout
        out: str = done.stderr if wrong else done.stdout
        assert not wrong or len(out.strip().splitlines()) == 1, out
        return out

    async def lists(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.says("publish", "--list", "--json"))
        return found


@pytest.fixture
def person(state: Path, folder: Path) -> Person:
    return Person(state, folder)


def line(course: Course, branch: str = "students") -> list[str]:
    return git(course.path, "log", "--first-parent", "--format=%s", branch).decode().splitlines()


def apart(course: Course, branch: str = "students") -> bool:
    """Whether the two branches have no commit in common."""
    done = git(course.path, "rev-list", branch).split()
    return not set(done) & set(git(course.path, "rev-list", "main").split())


async def test_live_every_save_goes_to_the_students_branch_with_author_and_message(
    state: Path, folder: Path, course: Course, person: Person
) -> None:
    fill(folder, {"lab1.txt": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        said = await person.says("students", folder, "pupils")
        assert "branch pupils" in said and "every save" in said
        await until(lambda: course.files("pupils") == everything(folder))
        for n in range(3):
            fill(folder, {f"more{n}.txt": "x"})
            await until(lambda n=n: f"more{n}.txt" in course.files("pupils"))  # type: ignore[misc]
        assert line(course, "pupils")[:3] == ["Add more2.txt", "Add more1.txt", "Add more0.txt"]
        assert apart(course, "pupils")
        shown = await publisher.up_to_date()
        assert shown["students"]["behind"] == 0 and shown["students"]["way"] == "live"
        assert shown["students"]["commit"] == course.head("pupils")
        authors = [git(course.path, "log", "-1", "--format=%an %ae %at", name) for name in ("main", "pupils")]
        assert authors[0] == authors[1]
        assert "at once" in await person.says("publish", wrong=True)
        assert "at once" in await person.says("publish", "--at", "tomorrow 9:00", wrong=True)


async def test_live_goes_on_from_what_others_did_to_the_students_branch(
    state: Path, folder: Path, course: Course, person: Person, tmp_path: Path
) -> None:
    fill(folder, {"a.txt": "1", "b.txt": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await person.says("students", folder)
        await until(lambda: course.files("students") == everything(folder))
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "-q", "-b", "students", str(course.path), "clone")
        fill(clone, {"b.txt": "theirs", "hint.txt": "by a colleague"})
        git(clone, "add", "-A")
        git(clone, "commit", "-qm", "A hint")
        git(clone, "push", "-q", str(course.path), "students")
        for text in ("2", "3"):
            fill(folder, {"a.txt": text})
            wanted = {"a.txt": text.encode(), "b.txt": b"theirs", "hint.txt": b"by a colleague"}
            await until(lambda wanted=wanted: course.files("students") == wanted)  # type: ignore[misc]
        assert line(course)[2] == "A hint"
        await publisher.up_to_date()


async def test_released_is_what_was_chosen_and_nothing_else(
    state: Path, folder: Path, course: Course, person: Person, server: GitServer
) -> None:
    server.create("for-students")
    theirs = Course(server, "for-students")
    fill(folder, {"lab1/a.txt": "1", "lab1/b.txt": "1", "lab2/a.txt": "1", "syllabus.md": "s"})
    await add(state, folder, course.url)
    token = folder.parent / "token"
    token.write_text(TOKEN)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await person.says("students", folder, "--remote", theirs.url, "--way", "release", "--token-file", token)
        fill(folder, {"lab1/c.txt": "just saved"})
        said = await person.says("publish", "lab1", "syllabus.md", "-m", "First lab")
        assert "published" in said and "4 files" in said
        assert set(theirs.files()) == {"lab1/a.txt", "lab1/b.txt", "lab1/c.txt", "syllabus.md"}
        assert theirs.messages() == ["First lab"]
        fill(folder, {"lab1/a.txt": "2", "syllabus.md": "s2"})
        (folder / "lab1/b.txt").unlink()
        said = await person.says("publish", "a.txt", "b.txt", at=folder / "lab1")
        assert theirs.files() == {"lab1/a.txt": b"2", "lab1/c.txt": b"just saved", "syllabus.md": b"s"}
        assert "just so already" in await person.says("publish", "lab1")
        listed = await person.lists()
        assert [each["message"] for each in listed["published"]] == ["Update a.txt, delete b.txt", "First lab"]
        assert listed["waiting"] == [
            {"path": "lab2/a.txt", "change": "add"},
            {"path": "syllabus.md", "change": "update"},
        ]
        assert (await publisher.up_to_date())["students"]["behind"] == 2
        assert "nothing named" in await person.says("publish", "lab9", wrong=True)
        assert "below it" in await person.says("publish", folder.parent / "elsewhere", wrong=True)
        await person.says("publish")
        assert theirs.files() == everything(folder)


async def test_undo_takes_back_exactly_what_was_published_and_undone_again_it_is_there(
    state: Path, folder: Path, course: Course, person: Person
) -> None:
    fill(folder, {"a": "1", "b": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await person.says("students", folder, "--way", "release")
        await until(lambda: course.head() is not None)
        assert "Nothing was published" in await person.says("undo", wrong=True)
        await person.says("publish", "-m", "first")
        fill(folder, {"a": "2", "c": "new"})
        await person.says("publish", "a", "c", "-m", "second")
        before = course.head("students")
        await person.says("undo")
        assert course.files("students") == {"a": b"1", "b": b"1"}
        assert line(course) == ["Undo “second”", "second", "first"]
        await person.says("undo")
        assert course.files("students") == {"a": b"2", "b": b"1", "c": b"new"}
        assert line(course)[:2] == ["Redo “second”", "Undo “second”"]
        assert git(course.path, "rev-parse", "students^^").decode().strip() == before
        first = (await person.lists())["published"][-1]["id"]
        assert "undo what came later" in await person.says("undo", first, wrong=True)
        assert everything(folder) == {"a": b"2", "b": b"1", "c": b"new"}
        await publisher.up_to_date()


async def test_a_planned_release_survives_a_restart_and_gives_what_is_there_at_its_time(
    state: Path, folder: Path, course: Course, person: Person, server: GitServer
) -> None:
    fill(folder, {"exam.txt": "draft"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await person.says("students", folder, "--way", "release")
        await publisher.until(lambda now: now["students"] is not None)
        assert "is over" in await person.says("publish", "--at", "2020-01-01 8:00", wrong=True)
        assert "no time of day" in await person.says("publish", "--at", "tomorrow", wrong=True)
        said = await person.says("publish", "exam.txt", "--at", "tomorrow 9:00", "-m", "Exam")
        assert ", 09:00 " in said and "will be published" in said
        plan = (await person.lists())["planned"][0]
        assert "no longer planned" in await person.says("publish", "--cancel", plan["id"])
        assert "no planned release" in await person.says("publish", "--cancel", plan["id"], wrong=True)
        await person.says("publish", "exam.txt", "--at", "in 2 hours", "-m", "Exam")
        assert "cancel them first" in await person.says("students", folder, "--off", wrong=True)
        id = (await publisher.status())["id"]
    plans = Plans(state / "folders" / id)
    (known,) = plans.all()
    plans.drop(known.id)  # the same plan, as if two hours had gone by while the machine slept
    Plans(state / "folders" / id).add(Plan(known.id, Kind.PUBLISH, time.time() + 1.5, known.paths, known.message))
    server.fault("503")
    async with Publisher(state) as publisher:
        await publisher.until(lambda now: now["state"] == "offline")
        fill(folder, {"exam.txt": "final"})
        await publisher.until(lambda now: bool(now["students"]["planned"]) and now["students"]["planned"][0]["fired"])
        fill(folder, {"exam.txt": "too late"})
        await publisher.until(lambda now: "as soon as" in (now["students"]["problem"] or ""))
        server.heal()
        await publisher.say("/v1/hint")
        await until(lambda: course.files("students") == {"exam.txt": b"final"}, within=40)
        await publisher.until(lambda now: not now["students"]["planned"])
        assert line(course) == ["Exam"]


async def test_checkpoints_are_pushed_restored_and_published(
    state: Path, folder: Path, course: Course, person: Person
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"a": "week 3"})
        await person.says("checkpoint", "week 3", "-m", "Before the exam")
        assert "already" in await person.says("checkpoint", "Week-3", wrong=True)
        assert "can't be the name" in await person.says("checkpoint", "a/b", wrong=True)
        assert "Before the exam" in await person.says("checkpoint")
        await until(lambda: b"checkpoint/week-3" in git(course.path, "tag", "--list"))
        fill(folder, {"a": "later"})
        await until(lambda: course.files() == {"a": b"later"})
        assert git(course.path, "show", "checkpoint/week-3:a") == b"week 3"
        await person.says("students", folder, "--way", "release")
        await publisher.until(lambda now: now["students"] is not None)
        await person.says("publish", "--from", "week-3")
        assert course.files("students") == {"a": b"week 3"}
        assert "no checkpoint" in await person.says("publish", "--from", "week-4", wrong=True)
        await person.says("restore", folder / "a", "--version", "week-3")
        assert (folder / "a").read_text() == "week 3"


async def test_without_a_students_branch_undo_gives_the_last_save_back_and_keeps_what_others_did(
    state: Path, folder: Path, course: Course, person: Person, tmp_path: Path
) -> None:
    text = "".join(f"line {n}\n" for n in range(9))
    fill(folder, {"a": text, "b": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"a": text.replace("line 0", "MINE"), "new": "n"})
        await until(lambda: "new" in course.files())
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "-q", str(course.path), "clone")
        fill(clone, {"a": (clone / "a").read_text().replace("line 8", "THEIRS")})
        git(clone, "commit", "-qam", "Theirs")
        git(clone, "push", "-q", str(course.path), "HEAD:main")
        await publisher.say("/v1/hint")
        await until(lambda: "THEIRS" in (folder / "a").read_text())
        said = await person.says("undo")
        assert "Done: Undo “" in said
        undone = {"a": text.replace("line 8", "THEIRS").encode(), "b": b"1"}
        assert everything(folder) == undone
        await until(lambda: course.files() == undone)
        await person.says("undo")
        assert (folder / "new").read_text() == "n" and "MINE" in (folder / "a").read_text()
        await until(lambda: course.files() == everything(folder))
        assert course.messages()[0].startswith("Redo “")
        await publisher.up_to_date()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["main"], "your own branch"),
        (["a..b"], "name of a branch"),
        (["main/students"], "beside the branch"),
        (["x", "--remote", "http://127.0.0.1:1/nothing.git"], "can't be reached"),
        (["x", "--remote", "ext::sh"], "refuse"),
        (["x", "--off"], "alone"),
    ],
)
async def test_a_students_branch_is_checked_before_anything_is_noted(
    state: Path, folder: Path, course: Course, person: Person, arguments: list[str], why: str
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    before = (state / "folders.json").read_bytes()
    assert why in await person.says("students", folder, *arguments, wrong=True)
    assert (state / "folders.json").read_bytes() == before


async def test_pages_and_programs_publish_by_the_control(
    state: Path, folder: Path, course: Course, person: Person
) -> None:
    fill(folder, {"a": "1", "b": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await publisher.steer("students", {"branch": "pupils", "way": "release"})
        await publisher.until(lambda now: now["students"] is not None)
        await publisher.steer("publish", {"paths": ["a"], "message": "A"})
        assert course.files("pupils") == {"a": b"1"}
        await publisher.steer("publish", {"paths": [], "at": "tomorrow 9:00"})
        id = (await publisher.status())["id"]
        plan = (await publisher.status())["students"]["planned"][0]
        await publisher.say(f"/v1/folders/{id}/releases/{plan['id']}/cancel")
        await publisher.steer("undo")
        assert course.files("pupils") == {}
        async with publisher._session.get(f"/v1/folders/{id}/releases") as answer:
            found = await answer.json()
        assert [each["change"] for each in found["waiting"]] == ["add", "add"] and len(found["published"]) == 2
        for bad in ({"paths": "a"}, {"paths": ["../x"]}, {"paths": ["/etc"]}, {"at": 5}, {"message": []}):
            async with publisher._session.post(f"/v1/folders/{id}/publish", json=bad) as answer:
                assert answer.status == 409 and (await answer.json())["error"]
        await publisher.steer("students", {"off": True})
        await publisher.until(lambda now: now["students"] is None)


async def test_what_is_for_staff_reaches_students_in_no_way_and_by_no_name(
    state: Path, folder: Path, course: Course, person: Person
) -> None:
    cell = "x = 1\n### BEGIN SOLUTION\nsecret_answer = 42\n### END SOLUTION\n"
    fill(folder, {"lab1.txt": "1", "private/key.txt": "secret_key", "task.py": cell, "quiz.txt": "secret_quiz"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await person.says("checkpoint", "old")
        fill(folder, {".syncstaff": "quiz.txt\n"})
        await until(lambda: ".syncstaff" in course.files())
        await publisher.up_to_date()
        await person.says("students", folder, "pupils")
        await person.says("students", folder, "pupils", "--way", "live")
        await until(lambda: set(course.files("pupils")) == {"lab1.txt", "task.py"})
        fill(folder, {"private/midterm7.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'})
        fill(folder, {"lab1.txt": "2"})
        await until(lambda: course.files("pupils")["lab1.txt"] == b"2")
        await publisher.up_to_date()
        await person.says("students", folder, "pupils", "--way", "release")
        assert "for staff" in await person.says("publish", "private", wrong=True)
        assert "for staff" in await person.says("publish", "quiz.txt", wrong=True)
        await person.says("publish", "--from", "old", "-m", "As it was")
        # task.py holds a solution, and was held here while students followed the folder's own branch.
        assert set(course.files("pupils")) == {"lab1.txt"}
        assert course.files("pupils")["lab1.txt"] == b"1"
        objects = git(course.path, "rev-list", "--objects", "pupils").decode().split("\n")
        seen = b"".join(git(course.path, "cat-file", "-p", line.split()[0]) for line in objects if line)
        for secret in (b"secret", b"quiz", b"midterm", b"private", b"SOLUTION"):
            assert secret not in seen, secret


async def test_deciding_anew_what_is_for_staff_reaches_a_live_branch_at_once(
    state: Path, folder: Path, course: Course, person: Person
) -> None:
    fill(folder, {"a.txt": "1", "quiz.txt": "q"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await person.says("students", folder)
        await until(lambda: course.files("students") == everything(folder))
        fill(folder, {".syncstaff": "quiz.txt\n"})
        await until(lambda: set(course.files("students")) == {"a.txt"})
        assert "quiz" not in line(course)[0] or line(course)[0] == "Delete quiz.txt"
        (folder / ".syncstaff").unlink()
        await until(lambda: set(course.files("students")) == {"a.txt", "quiz.txt"})
        await publisher.up_to_date()


async def test_a_students_branch_that_refuses_says_so_and_one_that_was_deleted_comes_back(
    state: Path, folder: Path, course: Course, person: Person, server: GitServer
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    server.protected.append("students")
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        assert json.loads(await person.says("students", folder, "--way", "release", "--json"))["sentence"]
        said = await person.says("publish", "-m", "One")
        assert "not with students yet" in said and "refused" in said
        status = await publisher.until(lambda now: now["state"] == "needs_you")
        assert "refused" in status["sentence"] and course.head("students") is None
        server.protected.clear()
        await until(lambda: course.files("students") == {"a": b"1"})
        await publisher.until(lambda now: not now["students"]["planned"])
        git(course.path, "update-ref", "-d", "refs/heads/students")
        fill(folder, {"a": "2"})
        await person.says("publish", "-m", "Two")
        assert line(course) == ["Two", "One"]
        await publisher.up_to_date()
