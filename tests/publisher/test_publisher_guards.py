"""MERGE_SPEC I7-I9 and other accidents: nothing is deleted by mistake, nothing is forced, all is said."""

import asyncio
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from classroom_side import QUICK, TOKEN, Colleague, Course, Publisher, add, everything, fill, git, until

from syncd.core.errors import Stop, TryAgain
from syncd.core.settle import Due
from syncd.demo.gitserver import GitServer
from syncd.folder.hash import blob_id
from syncd.git.commits import Author, History
from syncd.publisher.folder_sync import Timing
from syncd.publisher.local import Local
from syncd.publisher.settings import Settings
from syncd.publisher.workspace import Workspace

pytestmark = pytest.mark.slow


TWELVE: dict[str, str | bytes] = {f"lab/{n}.txt": f"file {n}" for n in range(12)}
NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
NEEDS = "needs_you"


async def test_i7_an_emptied_folder_is_held_until_it_is_meant(state: Path, folder: Path, course: Course) -> None:
    fill(folder, TWELVE)
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        before = (await publisher.up_to_date())["commit"]
        shutil.rmtree(folder / "lab")
        status = await publisher.until(lambda now: now["state"] == NEEDS)
        assert "All files vanished" in status["sentence"] and "resume" in status["sentence"]
        fill(folder, {"new.txt": "saved while it is held"})
        status = await publisher.until(lambda now: "12 of 12 files vanished" in now["sentence"])
        assert status["state"] == NEEDS and course.head() == before
    async with Publisher(state) as publisher:  # started anew, it is still held
        status = await publisher.until(lambda now: now["state"] == NEEDS)
        assert course.head() == before
        await publisher.steer("resume")
        await until(lambda: course.files() == everything(folder) == {"new.txt": b"saved while it is held"})
        await publisher.up_to_date()


async def test_i7_more_than_half_is_held_and_goes_on_by_itself_when_all_is_back(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, TWELVE)
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        before = (await publisher.up_to_date())["commit"]
        shutil.copytree(folder / "lab", tmp_path / "saved")
        for n in range(7):
            (folder / f"lab/{n}.txt").unlink()
        await publisher.until(lambda now: now["state"] == NEEDS)
        shutil.copytree(tmp_path / "saved", folder / "lab", dirs_exist_ok=True)
        assert (await publisher.up_to_date())["commit"] == before
        for n in range(5):
            (folder / f"lab/{n}.txt").unlink()
        await until(lambda: len(course.files()) == 7)


async def test_i7_a_deletion_is_judged_whole_though_some_of_it_would_settle_later(
    state: Path, folder: Path, course: Course
) -> None:
    fill(folder, TWELVE)
    await add(state, folder, course.url)
    some = {name: content for name, content in TWELVE.items() if name < "lab/4"}
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for name in some:
            (folder / name).unlink()
        await until(lambda: len(course.files()) == 12 - len(some))
        fill(folder, some)  # deleted and restored within seconds, they are taken more and more slowly
        await until(lambda: len(course.files()) == 12)
        before = (await publisher.up_to_date())["commit"]
        for name in [*some, "lab/4.txt", "lab/6.txt", "lab/7.txt", "lab/8.txt"]:
            (folder / name).unlink()
        status = await publisher.until(lambda now: now["state"] == NEEDS)
        assert status["commit"] == before == course.head()
        assert f"{len(some) + 4} of 12 files vanished" in status["sentence"]


async def test_i7_moving_everything_is_no_loss(state: Path, folder: Path, course: Course) -> None:
    fill(folder, TWELVE)
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        (folder / "lab").rename(folder / "labs")
        await until(lambda: course.files() == everything(folder))
        assert len(course.files()) == 12 and (await publisher.up_to_date())["state"] == "up_to_date"


async def test_i7_moving_everything_again_and_again_is_no_loss(state: Path, folder: Path, course: Course) -> None:
    """Names that were taken a moment ago settle later than new ones: both belong to one rename."""
    fill(folder, TWELVE)
    for each in (folder / "lab").iterdir():
        os.utime(each, (1e9, 1e9))
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        for before, after in [("lab", "labs"), ("labs", "lab"), ("lab", "exercises")]:
            (folder / before).rename(folder / after)
            await until(lambda: course.files() == everything(folder))
        for subject in course.messages()[:3]:
            assert subject == "Rename 12 files"


async def test_i7_moving_and_editing_everything_is_no_loss(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {name: f"{content}\n" * 9 for name, content in TWELVE.items()})
    await add(state, folder, course.url)
    for each in (folder / "lab").iterdir():
        each.write_text(each.read_text() + "one more line\n")
    (folder / "lab").rename(folder / "labs")
    async with Publisher(state) as publisher:
        await until(lambda: course.files() == everything(folder))
        await publisher.up_to_date()


@pytest.mark.root
async def test_i7_an_unmounted_folder_deletes_nothing_and_comes_back(state: Path, folder: Path, course: Course) -> None:
    await asyncio.to_thread(subprocess.check_call, ["mount", "-t", "tmpfs", "none", folder])
    mounted = True
    try:
        fill(folder, TWELVE)
        await add(state, folder, course.url)
        async with Publisher(state) as publisher:
            before = (await publisher.up_to_date())["commit"]
            await asyncio.to_thread(subprocess.check_call, ["umount", folder])
            mounted = False
            status = await publisher.until(lambda now: now["state"] == NEEDS)
            assert "vanished" in status["sentence"] and course.head() == before
    finally:
        if mounted:
            await asyncio.to_thread(subprocess.check_call, ["umount", "-l", folder])


async def test_i7_a_folder_that_is_gone_is_waited_for(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, TWELVE)
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        before = (await publisher.up_to_date())["commit"]
        folder.rename(tmp_path / "elsewhere")
        status = await publisher.until(lambda now: now["state"] == NEEDS)
        assert "not there" in status["sentence"] and course.head() == before
        fill(tmp_path / "elsewhere", {"more": "written there"})
        (tmp_path / "elsewhere").rename(folder)
        await publisher.up_to_date()
        await until(lambda: course.files() == everything(folder))
        fill(folder, {"and": "watched again"})
        await until(lambda: course.files() == everything(folder))
        folder.rename(tmp_path / "elsewhere")
        await publisher.until(lambda now: now["question"] == "missing")
        kept = course.head()
        await publisher.steer("remove")
        assert await publisher.folders() == [] and course.head() == kept


def test_i7_changes_of_others_do_not_go_into_an_empty_folder_that_lies_there_instead(tmp_path: Path) -> None:
    folder, away = tmp_path / "folder", tmp_path / "away"
    fill(folder, TWELVE)
    here = Workspace(folder, tmp_path / "own", "main", Author("Ida", "ida@example.org"))
    local = Local(here)
    before = local.take_up(Due(frozenset(), True, frozenset())).commit
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "-b", "main", str(here.history.path), str(clone))
    gone = next(iter(TWELVE))
    git(clone, "rm", "-q", gone)
    fill(clone, {"theirs": "new"})
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Theirs")
    git(clone, "push", "-q", str(here.history.path), "HEAD:refs/remotes/origin/main")
    theirs = here.history.fetched("main")
    assert theirs is not None
    folder.rename(away)
    folder.mkdir()
    with pytest.raises(TryAgain, match="Another folder"):
        local.take_in(theirs)
    assert everything(folder) == {} and here.head == before
    folder.rmdir()
    away.rename(folder)
    assert local.take_in(theirs).head == theirs
    assert everything(folder).keys() == TWELVE.keys() - {gone} | {"theirs"}
    here.close()


@pytest.mark.root
async def test_what_others_pushed_into_a_full_disk_comes_by_itself_when_there_is_room(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    await asyncio.to_thread(subprocess.check_call, ["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder])
    try:
        fill(folder, {"mine": "1"})
        await add(state, folder, course.url)
        async with Publisher(state, replace(QUICK, poll_s=0.5, ask_again_s=300)) as publisher:
            await publisher.up_to_date()
            Colleague(tmp_path / "clone", course).push({f"{n}.bin": os.urandom(700_000) for n in range(9)})
            status = await publisher.until(lambda now: now["state"] == NEEDS)
            assert "disk is full" in status["sentence"] and os.listdir(folder) == ["mine"]
            assert shutil.disk_usage(folder).free > 3_000_000
            await asyncio.to_thread(subprocess.check_call, ["mount", "-o", "remount,size=40m", folder])
            await publisher.up_to_date()
            assert everything(folder) == course.files()
    finally:
        await asyncio.to_thread(subprocess.check_call, ["umount", "-l", folder])


@pytest.mark.parametrize("keep", ["both", "theirs"])
@pytest.mark.parametrize("how", ["rewound", "rewritten", "deleted"])
async def test_i8_a_rewritten_history_pauses_and_both_ways_lead_on(
    state: Path, folder: Path, course: Course, server: GitServer, tmp_path: Path, how: str, keep: str
) -> None:
    fill(folder, {"first": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"second": "2"})
        await until(lambda: "second" in course.files())
        await publisher.up_to_date()
        if how == "deleted":
            git(course.path, "update-ref", "-d", "refs/heads/main")
        elif how == "rewound":
            git(course.path, "update-ref", "refs/heads/main", "main~1")
        else:
            colleague = Colleague(tmp_path / "colleague", course)
            fill(colleague.place, {"first": "rewritten", "second": "2"})
            git(colleague.place, "add", "-A")
            git(colleague.place, "commit", "-q", "--amend", "-m", "Amended")
            git(colleague.place, "push", "-q", "-f", str(course.path), "HEAD:main")
        shown = course.head()
        await publisher.say("/v1/hint")
        status = await publisher.until(lambda now: now["state"] == NEEDS)
        assert ("deleted" if how == "deleted" else "rewritten") in status["sentence"]
        assert everything(folder) == {"first": b"1", "second": b"2"} and course.head() == shown
        fill(folder, {"third": "saved meanwhile"})
        await publisher.until(lambda now: now["recent"][0]["message"] == "Add third")
        asked = server.counts["refs_read"]
        await publisher.say("/v1/hint")
        await until(lambda: server.counts["refs_read"] > asked)
        assert course.head() == shown
        await publisher.steer("resume", {"keep": keep})
        await until(lambda: course.files() == everything(folder) and "third" in course.files())
        await publisher.up_to_date()
        files = everything(folder)
        assert files["third"] == b"saved meanwhile"
        if how == "rewound":
            assert ("second" in files) is (keep == "both")
        elif how == "deleted":
            assert files["second"] == b"2"
        else:
            assert b"rewritten" in files.values()
        assert {b"1", b"2", b"saved meanwhile"} <= course.all_contents()


async def test_i9_a_half_written_notebook_waits_until_it_is_whole(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"lab.ipynb": NOTEBOOK})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"lab.ipynb": NOTEBOOK[:20], "other.txt": "does not wait"})
        await until(lambda: "other.txt" in course.files())
        status = await publisher.until(lambda now: now["waiting"] == ["lab.ipynb"])
        assert status["state"] == "settling" and course.files()["lab.ipynb"] == NOTEBOOK.encode()
        fill(folder, {"lab.ipynb": NOTEBOOK + "\n"})
        await until(lambda: course.files() == everything(folder))
        assert (await publisher.up_to_date())["waiting"] == []
    assert NOTEBOOK[:20].encode() not in course.all_contents()


async def test_i9_a_notebook_that_stays_broken_is_published_with_a_warning(
    state: Path, folder: Path, course: Course
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state, Timing(quiet_s=0.1, patience_s=1.2)) as publisher:
        await publisher.up_to_date()
        fill(folder, {"lab.ipynb": "{ not json"})
        await publisher.until(lambda now: now["waiting"] == ["lab.ipynb"])
        await until(lambda: course.files() == {"lab.ipynb": b"{ not json"})
        status = await publisher.up_to_date()
        assert "not a complete notebook" in status["warnings"][0]


async def test_i9_a_half_written_notebook_that_a_colleague_changed_is_not_replaced(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"lab.ipynb": NOTEBOOK, "x": "1"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state, Timing(quiet_s=0.1, patience_s=2.0)) as publisher:
        await publisher.up_to_date()
        fill(folder, {"lab.ipynb": "{ half"})
        await publisher.until(lambda now: now["waiting"] == ["lab.ipynb"])
        await asyncio.to_thread(colleague.push, {"lab.ipynb": NOTEBOOK + "\n\n", "x": "2"})
        await publisher.say("/v1/hint")
        await until(lambda: everything(folder)["x"] == b"2")
        assert b"{ half" in everything(folder).values()
        await until(lambda: course.files() == everything(folder))
        await publisher.up_to_date()
        assert {b"{ half", NOTEBOOK.encode() + b"\n\n"} <= set(everything(folder).values())


async def test_a_file_that_is_too_large_stays_out_and_the_rest_goes_on(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    Settings(state).set("size.most", "1")
    fill(folder, {"data.csv": b"small", "a": "1"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"data.csv": bytes(2_000_000), "video.mp4": bytes(1_500_000), "a": "2"})
        await until(lambda: course.files() == {"data.csv": b"small", "a": b"2"})
        status = await publisher.up_to_date()
        assert "2 files are left out" in status["sentence"] and len(status["left_out"]) == 2
        # A colleague changes the very file that is too large here: both stay.
        await asyncio.to_thread(colleague.push, {"data.csv": b"their small one", "video.mp4": b"their clip"})
        await publisher.say("/v1/hint")
        await until(lambda: everything(folder).get("data.csv") == b"their small one")
        files = everything(folder)
        assert files["video.mp4"] == b"their clip"
        assert sorted(len(content) for content in files.values())[-2:] == [1_500_000, 2_000_000]
        (folder / "video.mp4").unlink()
        await until(lambda: course.files() == {"data.csv": b"their small one", "a": b"2"})


async def test_a_file_of_more_than_a_hundred_megabytes_stays_out(state: Path, folder: Path, course: Course) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        (folder / "big.bin").touch()
        os.truncate(folder / "big.bin", (100 << 20) + 1)
        fill(folder, {"small": "s"})
        await until(lambda: course.files() == {"small": b"s"})
        status = await publisher.up_to_date()
        assert "1 file is left out" in status["sentence"] and "100 MB" in status["left_out"][0]["sentence"]


async def test_names_that_cannot_be_kept_are_said(state: Path, folder: Path, course: Course) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        bytes_name = os.fsdecode(b"caf\xe9.txt")
        fill(folder, {"git~1/x": "1", "a:b.txt": "2", bytes_name: "3", "fine": "4", "con.txt": "5"})
        await until(lambda: set(course.files()) == {"a:b.txt", bytes_name, "fine", "con.txt"})
        status = await publisher.up_to_date()
        assert "git's own folder" in status["left_out"][0]["sentence"]
        assert len(status["warnings"]) == 2 and "Windows" in status["warnings"][0]
        fill(folder, {"fa26/con.txt": "6"})
        await publisher.until(lambda now: len(now["warnings"]) == 3)
        shutil.rmtree(folder / "fa26")
        await publisher.until(lambda now: len(now["warnings"]) == 2)


async def test_a_refused_push_is_told_and_nothing_is_lost(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        server.protected.append("main")
        fill(folder, {"a": "1"})
        status = await publisher.until(lambda now: now["state"] == NEEDS)
        assert "refused" in status["sentence"] and status["commit"] != status["remote_commit"]
        fill(folder, {"b": "2"})
        server.protected.clear()
        await until(lambda: course.files() == {"a": b"1", "b": b"2"})
        await publisher.up_to_date()


async def test_what_the_host_refused_and_was_taken_away_again_refuses_nothing_else(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    server.largest_file = 1000
    fill(folder, {"a": "1", "lab.md": "lab"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        large = os.urandom(2000)
        fill(folder, {"large.bin": large})
        status = await publisher.until(lambda now: now["state"] == NEEDS)
        assert "large.bin" in status["sentence"]
        fill(folder, {"b": "2"})
        await publisher.until(lambda now: now["recent"][0]["message"] == "Add b")
        (folder / "large.bin").unlink()
        fill(folder, {"lab.md": "lab, changed"})
        await until(lambda: course.files() == everything(folder))
        await publisher.up_to_date()
        assert course.messages()[0] == "Update lab.md, add b" and large not in course.all_contents()
        fill(folder, {"large.bin": large})
        await publisher.until(lambda now: now["state"] == NEEDS)
        (folder / "large.bin").unlink()  # so that all is as the remote has it
        await publisher.up_to_date()
        (folder / "b").unlink()
        await until(lambda: "b" not in course.files())
        await publisher.up_to_date()
    histories = [History(path) for path in state.rglob("history.git")]
    assert any(history.has(blob_id(large)) and history.refs("refs/refused/") for history in histories)


async def test_a_second_daemon_says_so_and_ends(
    state: Path, folder: Path, course: Course, tmp_path: Path, server: GitServer
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        with pytest.raises(Stop, match="runs already"):
            async with Publisher(state):
                pass
        other = tmp_path / "other-state"
        with pytest.raises(Stop, match="synced already by process"):
            await add(other, folder, server.create("second"))
        alias = tmp_path / "alias"
        alias.symlink_to(folder)
        shutil.copytree(state, other, dirs_exist_ok=True)
        listed = json.loads((other / "folders.json").read_text())
        listed["folders"][0]["path"] = str(alias)
        (other / "folders.json").write_text(json.dumps(listed))
        with pytest.raises(Stop, match="synced already"):
            async with Publisher(other):
                pass
        await publisher.up_to_date()
        fill(folder, {"still": "works"})
        await until(lambda: course.files() == {"still": b"works"})
    async with Publisher(other) as publisher:  # the first has ended: now another may
        await publisher.up_to_date()


async def test_the_token_is_in_no_other_file(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"a": "2"})
        await until(lambda: course.files() == {"a": b"2"})
        await publisher.up_to_date()
        holders = [path for path in state.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        assert [path.name for path in holders] == ["tokens.json"]
        assert holders[0].stat().st_mode & 0o077 == 0 and state.stat().st_mode & 0o077 == 0
        assert (state / "control.json").stat().st_mode & 0o077 == 0
        assert TOKEN not in str(await publisher.folders())
