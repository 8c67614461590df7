"""Checkpoints of colleagues come with their commits, and never take the place of one of ours."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from classroom_side import Colleague, Course, Publisher, add, everything, fill, git, until

from syncd.cli.publisher_client import ask_publisher
from syncd.demo.gitserver import GitServer
from syncd.publisher.registry import Registry

pytestmark = pytest.mark.slow


async def asked(state: Path, what: str, body: dict[str, Any] | None = None) -> Any:
    method = "POST" if body is not None else "GET"
    url = f"/v1/folders/{Registry(state).folders()[0].id}/{what}"
    return await asyncio.to_thread(ask_publisher, state, method, url, body)


def names(state: Path) -> list[str]:
    found = ask_publisher(state, "GET", f"/v1/folders/{Registry(state).folders()[0].id}/checkpoints")
    return [each["name"] for each in found["checkpoints"]]


async def shows(state: Path, *expected: str) -> None:
    wanted = set(expected)
    await until(lambda: set(names(state)) == wanted, why=lambda: names(state))


def tag(colleague: Colleague, course: Course, name: str, *more: str) -> None:
    git(colleague.place, "tag", *more, name)
    git(colleague.place, "push", "-q", "-f", str(course.path), f"refs/tags/{name}")


async def test_a_checkpoint_made_on_another_machine_is_known_shown_and_restored(
    state: Path, folder: Path, course: Course, tmp_path: Path, server: GitServer
) -> None:
    other, there = tmp_path / "other-state", tmp_path / "there"
    there.mkdir()
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as mine, Publisher(other) as theirs:
        await mine.up_to_date()
        await add(other, there, course.url)
        await theirs.until_folders(1)
        await theirs.up_to_date()
        fill(there, {"a": "week 3"})
        await until(lambda: course.files() == {"a": b"week 3"})
        await asked(other, "checkpoints", {"name": "week 3", "message": "Before the exam"})
        await until(lambda: b"checkpoint/week-3" in git(course.path, "tag", "--list"))
        await mine.say("/v1/hint")
        await shows(state, "week-3")
        fill(folder, {"a": "later"})
        await until(lambda: course.files() == {"a": b"later"})
        [named] = (await asked(state, "checkpoints"))["checkpoints"]
        assert (named["mine"], named["message"]) == (False, "Before the exam")
        versions = (await asked(state, "versions?path=a"))["versions"]
        assert [each["checkpoints"] for each in versions] == [[], ["week-3"], []]
        deeds = (await asked(state, "log"))["log"]
        assert [each["checkpoints"] for each in deeds] == [[], ["week-3"], []]
        await asked(state, "restore", {"path": "a", "version": "week-3"})
        assert (folder / "a").read_text() == "week 3"
        await mine.up_to_date()
        server.counts.clear()
        await mine.say("/v1/hint")
        await until(lambda: server.counts["refs_read"] > 0)
        await mine.up_to_date()
        assert server.counts["fetch"] == 0, "what is known is not fetched again"


async def test_a_colleagues_checkpoint_of_the_same_name_stays_beside_ours(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await publisher.steer("pause")
        fill(folder, {"a": "mine"})
        await asked(state, "checkpoints", {"name": "exam"})
        await asyncio.to_thread(colleague.push, {"b": "theirs"})
        await asyncio.to_thread(tag, colleague, course, "checkpoint/exam")
        await publisher.steer("resume")
        await shows(state, "exam", "exam~theirs")
        await publisher.up_to_date()
        await publisher.until(lambda now: any("another checkpoint “exam”" in note for note in now["notes"]))
        assert git(course.path, "ls-tree", "--name-only", "checkpoint/exam") == b"a\nb\n", "theirs is theirs"
        await asked(state, "restore", {"path": "a", "version": "exam~theirs"})
        assert (folder / "a").read_text() == "1"
        await asked(state, "restore", {"path": "a", "version": "exam"})
        assert (folder / "a").read_text() == "mine"
        git(course.path, "update-ref", "-d", "refs/tags/checkpoint/exam")
        await publisher.say("/v1/hint")
        await shows(state, "exam")


async def test_tags_that_are_no_checkpoints_and_odd_ones_of_plain_git_disturb_nothing(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    await asyncio.to_thread(colleague.push, {"side": "only on a branch of their own"})
    git(colleague.place, "checkout", "-q", "-b", "side")
    fill(colleague.place, {"a": "of a side branch"})
    git(colleague.place, "commit", "-qam", "Aside")
    tag(colleague, course, "checkpoint/aside", "-a", "-m", "On a branch")
    for name in ("v1.0", "checkpoint/a/b", "checkpoint/original", "checkpoint/bell\u009b"):
        tag(colleague, course, name)
    blob = git(colleague.place, "hash-object", "a").decode().strip()
    git(colleague.place, "tag", "checkpoint/file", blob)
    git(colleague.place, "push", "-q", str(course.path), "refs/tags/checkpoint/file")
    async with Publisher(state) as publisher:
        await until(lambda: everything(folder).keys() == {"a", "side"})
        await shows(state, "aside")
        await publisher.up_to_date()
        versions = (await asked(state, "versions?path=a"))["versions"]
        assert [(each["message"], each["checkpoints"]) for each in versions] == [
            ("Add a", []),
            ("On a branch", ["aside"]),
        ]
        await asked(state, "restore", {"path": "a", "version": versions[1]["commit"]})
        assert (folder / "a").read_text() == "of a side branch"
