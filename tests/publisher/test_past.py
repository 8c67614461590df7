"""Earlier versions of an instructor's files: listed, and brought back without losing the present ones."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from classroom_side import Course, Publisher, add, everything, fill, until

TEXT = "one\ntwo\n"


def syncd(state: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "syncd", *map(str, arguments)]
    return subprocess.run(
        argv, env={**os.environ, "SYNCD_STATE": str(state)}, capture_output=True, text=True, check=False
    )


async def run(state: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(syncd, state, *arguments)


@pytest.mark.slow
async def test_versions_are_listed_and_any_is_brought_back(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a b.txt": TEXT, "other": "x"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for text in (TEXT + "three\n", TEXT + "four\n"):
            fill(folder, {"a b.txt": text})
            await until(lambda text=text: course.files()["a b.txt"] == text.encode())  # type: ignore[misc]
        listed = (await run(state, "versions", folder / "a b.txt")).stdout.splitlines()
        assert len(listed) == 3
        assert "Update a b.txt" in listed[0] and "Add a b.txt and other" in listed[2]
        done = await run(state, "restore", folder / "a b.txt")
        assert done.returncode == 0, done.stderr
        assert (folder / "a b.txt").read_text() == TEXT + "three\n"
        await until(lambda: course.files()["a b.txt"] == (TEXT + "three\n").encode())
        done = await run(state, "restore", folder / "a b.txt", "--version", listed[2].split()[0])
        assert (folder / "a b.txt").read_text() == TEXT, done.stderr
        await until(lambda: course.files() == everything(folder))


@pytest.mark.slow
async def test_a_deleted_file_and_a_whole_folder_come_back(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"labs/1.txt": "1", "labs/2.txt": "2", "c": "c"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        (folder / "labs/1.txt").unlink()
        await until(lambda: "labs/1.txt" not in course.files())
        assert (await run(state, "restore", folder / "labs/1.txt")).returncode == 0
        assert (folder / "labs/1.txt").read_text() == "1"
        await until(lambda: "labs/1.txt" in course.files())
        await publisher.up_to_date()


@pytest.mark.slow
async def test_restoring_keeps_what_was_saved_a_moment_ago(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a": "published"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"a": "just saved"})
        done = await run(state, "restore", "--original", folder / "a")
        assert done.returncode == 0, done.stderr
        assert (folder / "a").read_text() in ("published", "just saved")  # the save may be the original by now
        await publisher.up_to_date()
        listed = (await run(state, "versions", folder / "a")).stdout.splitlines()
        contents = set()
        for line in listed:
            await run(state, "restore", folder / "a", "--version", line.split()[0])
            contents.add((folder / "a").read_text())
        assert contents == {"published", "just saved"}


@pytest.mark.slow
async def test_what_never_was_is_told_in_a_sentence(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for arguments in ((folder / "nothing",), (folder / "a",), (folder / "a", "--version", "ffff"), ()):
            done = await run(state, "restore", *arguments)
            assert done.returncode == 1
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert (folder / "a").read_text() == "1"
