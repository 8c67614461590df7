"""The whole loop over a real git server: what is saved is published, what others push comes in."""

import asyncio
import json
from pathlib import Path

import pytest
from classroom_side import Colleague, Course, Publisher, add, everything, fill, until

from syncd.demo.gitserver import GitServer
from syncd.publisher.folder_sync import Timing
from syncd.publisher.state_file import locked

ALLOW = {"path": "a", "guard": "secret"}
NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


async def test_a_save_is_published_and_confirmed(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"lab01.ipynb": NOTEBOOK, "data/a.csv": "1,2\n"})
    assert "2 files published" in await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"lab01.ipynb": NOTEBOOK + "\n", "notes.md": "hello"})
        await until(lambda: course.files() == everything(folder))
        status = await publisher.up_to_date()
        assert status["commit"] == status["remote_commit"] == course.head()
        assert status["recent"][0]["message"] == "Update lab 1, add notes.md"
        assert status["recent"][0]["files"] == 2
        (folder / "notes.md").unlink()
        await until(lambda: course.files() == everything(folder))
        assert course.messages()[0] == "Delete notes.md"


async def test_what_a_colleague_pushes_comes_in_on_a_hint(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"a.txt": "one\ntwo\nthree\n", "old.txt": "old"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await asyncio.to_thread(colleague.push, {"b/c.txt": "new", "old.txt": None, "a.txt": "one\ntwo\n3\n"})
        await publisher.say("/v1/hint", {"remote": course.url})
        wanted = {"a.txt": b"one\ntwo\n3\n", "b/c.txt": b"new"}
        await until(lambda: everything(folder) == wanted)
        assert (await publisher.up_to_date())["commit"] == course.head()
        assert len(course.messages()) == 2  # nothing of ours was to be merged: no commit of ours


async def test_a_push_that_nobody_tells_of_is_found_by_asking(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state, Timing(poll_s=0.3)) as publisher:
        await publisher.up_to_date()
        await asyncio.to_thread(colleague.push, {"b": "2"})
        await until(lambda: everything(folder) == {"a": b"1", "b": b"2"})
        assert (await publisher.up_to_date())["remote_commit"] == course.head()


async def test_nothing_is_asked_or_written_while_nothing_happens(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with Publisher(state, Timing(poll_s=30)) as publisher:
        await publisher.up_to_date()
        server.counts.clear()
        fill(folder, {"b": "a save and nothing else"})
        await until(lambda: course.files() == everything(folder))
        await publisher.up_to_date()
        asked = server.counts.copy()
        server.counts.clear()
        fill(folder, {".~lock.a#": "an editor's lock", ".ipynb_checkpoints/a.ipynb": "{}"})
        (folder / "a").touch()
        fill(folder, {"c": "a save, which the rest adds nothing to"})
        await until(lambda: "c" in course.files())
        status = await publisher.up_to_date()
        assert server.counts == asked and course.files().keys() == {"a", "b", "c"}
        assert [each["message"] for each in status["recent"]] == ["Add c", "Add b", "Add a"]
        assert [each["number"] for each in status["recent"]] == [3, 2, 1]


async def test_a_request_that_waits_for_the_disk_keeps_no_other_waiting(
    state: Path, folder: Path, course: Course
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for what, body in [
            ("pause", {}),
            ("hub", {"hub": "https://hub.example.edu"}),
            ("allow", ALLOW),
            ("remove", {}),
        ]:
            with locked(state / "folders.lock"):
                asked = asyncio.create_task(publisher.steer(what, body))
                for _ in range(3):
                    async with asyncio.timeout(10):
                        assert await publisher.folders()
                assert not asked.done()
            await asked
        assert not await publisher.folders()


@pytest.mark.slow
async def test_told_to_end_at_any_moment_of_its_start_it_ends(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    for step in range(25):
        publisher = Publisher(state)
        await publisher.__aenter__()
        await asyncio.sleep(step * 0.004)
        async with asyncio.timeout(10):
            await publisher.__aexit__(None, None, None)
