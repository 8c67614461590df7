"""Many changes at once: few commits, nothing missed, nothing half."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from classroom_side import Course, Publisher, add, everything, fill, git, until

pytestmark = pytest.mark.slow


async def test_a_burst_of_files_is_few_commits(state: Path, folder: Path, course: Course) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {f"unzipped/{n % 20}/{n}.txt": f"{n}" for n in range(1500)})
        await until(lambda: course.files() == everything(folder), within=30)
        await publisher.up_to_date()
        assert len(course.messages()) <= 4


async def test_more_files_than_are_told_apart_are_not_up_to_date_before_they_are(
    state: Path, folder: Path, course: Course
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {f"unzipped/{n % 20}/{n}.txt": f"{n}" for n in range(2500)})
        await publisher.until(lambda now: now["state"] == "settling" and now["waiting_count"] == 0)
        await publisher.up_to_date(30)
        assert course.files() == everything(folder)


async def test_editors_that_save_by_renaming_make_one_change(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"notes.md": "first"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for n in range(5):
            fill(folder, {".notes.md.swp": "x", "4913": "vim was here"})
            (folder / "4913").unlink()
            (folder / "notes.md").rename(folder / "notes.md~")
            fill(folder, {"notes.md": f"saved {n}"})
            (folder / "notes.md~").unlink()
            (folder / ".notes.md.swp").unlink()
            await asyncio.sleep(0.02)
        await until(lambda: course.files() == {"notes.md": b"saved 4"})
        assert course.messages() == ["Update notes.md", "Add notes.md"]


async def test_a_file_saved_all_the_time_is_published_all_the_same(state: Path, folder: Path, course: Course) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for n in range(80):
            fill(folder, {"log.txt": f"line {n}\n" * 50})
            await asyncio.sleep(0.05)
            if course.head() is not None:
                break
        else:
            raise AssertionError("it was never published while it was being saved")
        await until(lambda: course.files() == everything(folder))


async def test_a_storm_of_renames_ends_as_the_disk_is(state: Path, folder: Path, course: Course) -> None:
    random_ = random.Random(7)
    fill(folder, {f"{n % 5}/{n}.txt": f"content {n}" for n in range(60)})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for round_ in range(150):
            found = [path for path in folder.rglob("*")]
            path = random_.choice(found)
            to = folder / random_.choice(["", "0", "1", "new", "new/deep"]) / f"r{round_}"
            if to.is_relative_to(path):
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            path.rename(to)
            if round_ % 10 == 0:
                await asyncio.sleep(0.05)
        await until(lambda: course.files() == everything(folder))
        await publisher.up_to_date()
        assert sorted(everything(folder).values()) == sorted(f"content {n}".encode() for n in range(60))


async def test_files_and_folders_change_places(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"x": "file", "y/a": "in folder", "z/deep/b": "deep", "keep": "k"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        (folder / "x").rename(folder / "tmp")
        (folder / "y").rename(folder / "x")
        (folder / "tmp").rename(folder / "y")
        (folder / "z/deep").rename(folder / "q")
        (folder / "z").rmdir()
        fill(folder, {"z": "now a file"})
        (folder / "keep").chmod(0o755)
        (folder / "link").symlink_to("x/a")
        wanted = {"y": b"file", "x/a": b"in folder", "q/b": b"deep", "z": b"now a file", "keep": b"k", "link": b"x/a"}
        await until(lambda: course.files() == wanted)
        await publisher.up_to_date()
        modes = git(course.path, "ls-tree", "main").decode()
        assert "100755 blob" in modes and "120000 blob" in modes


async def test_what_was_saved_while_nobody_ran_is_found_at_the_start(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a": "1", "b": "2", "c/d": "3"})
    await add(state, folder, course.url)
    fill(folder, {"a": "new", "e/f": "4"})
    (folder / "b").unlink()
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        assert course.files() == everything(folder)


async def test_lost_events_are_made_good_by_looking_at_everything(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    """The daemon sleeps while more happens than the kernel's queue holds."""
    await add(state, folder, course.url)
    code = (
        "import asyncio, pathlib; from syncd.publisher.service import run_publisher; "
        f"asyncio.run(run_publisher(pathlib.Path({str(state)!r}), ready=lambda url: print(url, flush=True)))"
    )
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    try:
        assert daemon.stdout is not None
        await daemon.stdout.readline()
        fill(folder, {f"{n}/first": "1" for n in range(10)})
        await until(lambda: course.files() == everything(folder))
        daemon.send_signal(signal.SIGSTOP)
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        # Two events for each file at least: made, closed.
        await asyncio.to_thread(fill, folder, {f"{n % 10}/{n}": str(n) for n in range(limit // 2 + 500)})
        daemon.send_signal(signal.SIGCONT)
        await until(lambda: course.files() == everything(folder), within=60)
    finally:
        daemon.kill()
        await daemon.wait()


async def test_autosaves_and_a_save_elsewhere_make_few_commits_and_end_as_the_disk_is(
    state: Path, folder: Path, course: Course
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for n in range(24):
            fill(folder, {"lab.ipynb.tmp": f'{{"n": {n}}}'})
            os.replace(folder / "lab.ipynb.tmp", folder / "lab.ipynb")
            await asyncio.sleep(0.25)
        fill(folder, {"elsewhere.md": "at once"})
        await until(lambda: "elsewhere.md" in course.files(), within=3)
        await until(lambda: course.files() == everything(folder))
        assert sum("lab.ipynb" in message for message in course.messages()) <= 7


async def test_a_branch_that_is_switched_in_the_folder_is_few_commits(
    state: Path, folder: Path, course: Course
) -> None:
    """Somebody keeps the folder in a repository of their own as well, and switches its branch back and forth."""
    git(folder, "init", "-q", "-b", "one")
    fill(folder, {f"{n % 7}/{n}.txt": f"one {n}" for n in range(300)})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "One")
    git(folder, "checkout", "-q", "-b", "two")
    fill(folder, {f"{n % 7}/{n}.txt": f"two {n}" for n in range(100, 300)} | {f"new/{n}": str(n) for n in range(100)})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Two")
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        before = len(course.messages())
        for branch in ("one", "two", "one"):
            await asyncio.to_thread(git, folder, "checkout", "-q", branch)
            await until(lambda: course.files() == everything(folder))
            await publisher.up_to_date()
        assert len(course.messages()) - before <= 6
        assert not any(path.startswith(".git/") for path in course.files())
