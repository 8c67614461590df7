"""The node against a real git server: what becomes ready, when, and at what cost to the remote."""

import asyncio
import os
from pathlib import Path

import pygit2
import pytest
from courses import READ, Instructor, as_git_shows, node, off_loop, secret_file, settings, shown, times

from syncd.core.errors import NeedsUser, Stop, TryAgain
from syncd.demo.gitserver import GitServer
from syncd.node.client import NodeClient
from syncd.node.config import Course, NodeConfig
from syncd.node.store import Store

COURSE = {
    "lab/lab01.ipynb": b"{}",
    "lab/data.csv": b"a,b\n",
    "run.sh*": b"#!/bin/sh\n",
    "link@": b"lab/data.csv",
    "empty": b"",
    "sp ace/\udcff.txt": b"bytes",
    "d/e/e/p/x": b"deep",
}


async def test_pushed_course_is_shown_as_git_shows_it(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    first = await instructor.push(COURSE)
    async with node(settings(tmp_path, server.url("course"))) as running:
        ready = await running.next()
        assert ready.commit == first
        assert shown(ready) == as_git_shows(instructor.path, first)
        status = await running.course()
        assert (status["state"], status["files"], status["left_out"]) == ("up_to_date", len(COURSE), [])
        server.hook(running.webhook)
        second = await instructor.push({**COURSE, "lab/data.csv": b"a,b\n1,2\n", "new": b"!"})
        ready = await running.next()
        assert shown(ready) == as_git_shows(instructor.path, second)


async def test_one_push_costs_one_fetch_however_many_hints(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    await instructor.push(COURSE)
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.next()
        await running.until_state("up_to_date")
        server.counts.clear()
        made = await instructor.push({**COURSE, "new": b"!"})
        await asyncio.gather(*(running.client.hint("c") for _ in range(100)))
        await running.until(made)
        looks = (await running.course())["looks"]  # before: the look may be over once the last hint is answered
        await asyncio.gather(*(running.client.hint("c") for _ in range(100)))
        while (await running.course())["looks"] == looks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert server.counts["fetch"] == 1
        assert server.counts["refs_read"] <= 5
        assert (await running.course())["fetches"] == 2


@pytest.mark.slow
async def test_hint_during_a_fetch_causes_one_more(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    first = await instructor.push(COURSE)
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.until(first)
        hang = server.fault("hang", times=1, on=["fetch"])
        second = await instructor.push({**COURSE, "new": b"2"})
        await running.client.hint("c")
        await server.hanging.wait()
        assert hang not in server.faults
        third = await instructor.push({**COURSE, "new": b"3"})
        await asyncio.gather(*(running.client.hint("c") for _ in range(20)))
        server.counts.clear()
        server.heal()
        assert (await running.until(third)).commit != second
        assert server.counts["fetch"] <= 2


async def test_lost_webhook_costs_at_most_the_poll_interval(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    await instructor.push(COURSE)
    async with node(settings(tmp_path, server.url("course"), poll_seconds=0.3)) as running:
        server.fault("no_webhook")  # first: the push above may still be about to be told
        server.hook(running.webhook)
        await running.next()
        made = await instructor.push({**COURSE, "new": b"!"})
        began = asyncio.get_running_loop().time()
        await running.until(made)
        assert asyncio.get_running_loop().time() - began < 0.3 * 1.1 + 0.5
        assert server.delivered == []


async def test_file_keeps_its_time_until_its_content_changes(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    await instructor.push({"a/x": b"1", "a/y": b"1", "b/z": b"1"}, time=1_700_000_000)
    async with node(settings(tmp_path, server.url("course"))) as running:
        server.hook(running.webhook)
        first = times((await running.next()).snapshot().manifest)
        assert set(first.values()) == {1_700_000_000 * 10**9}
        await instructor.push({"a/x": b"2", "a/y": b"1", "b/z": b"1"}, time=1_700_000_100)
        second = times((await running.next()).snapshot().manifest)
        assert second == {**first, "a/x": 1_700_000_100 * 10**9}
        # Two saves in one second, and a commit from before: still strictly later, in steps that programs see.
        await instructor.push({"a/x": b"3", "a/y": b"1", "b/z": b"1"}, time=1_700_000_100)
        third = times((await running.next()).snapshot().manifest)
        assert third["a/x"] >= second["a/x"] + 1_000_000
        await instructor.push({"a/x": b"3", "a/y": b"1", "b/z*": b"1"}, time=1_500_000_000)
        fourth = times((await running.next()).snapshot().manifest)
        assert fourth == third, "a mode is no content"
        await instructor.push({"a/x": b"3", "b/z*": b"4"}, time=4_000_000_000)
        fifth = times((await running.next()).snapshot().manifest)
        assert fifth["a/x"] == third["a/x"] and third["a/x"] < fifth["b/z"] < 3_000_000_000 * 10**9


@pytest.mark.slow
async def test_rewritten_history_is_just_another_tree(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    await instructor.push(COURSE)
    async with node(settings(tmp_path, server.url("course"))) as running:
        before = times((await running.next()).snapshot().manifest)
        made = await instructor.rewrite(server, "course", {**COURSE, "empty": b"no more"})
        await running.client.hint("c")
        ready = await running.until(made)
        assert shown(ready) == as_git_shows(instructor.path, made)
        after = times(ready.snapshot().manifest)
        assert {path for path in after if after[path] != before[path]} == {"empty"}


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["repository", "branch", "right"])
async def test_remote_that_goes_away_takes_nothing(
    tmp_path: Path, server: GitServer, instructor: Instructor, loss: str
) -> None:
    first = await instructor.push(COURSE)
    async with node(settings(tmp_path, server.url("course"))) as running:
        ready = await running.next()
        if loss == "repository":
            server.path("course").rename(server.path("elsewhere"))
        elif loss == "branch":
            pygit2.Repository(str(server.path("course"))).references.delete("refs/heads/main")
        else:
            server.tokens["read"].clear()
        await running.client.hint("c")
        status = await running.until_state("needs_you")
        assert status["commit"] == first and status["sentence"].endswith(".")
        assert shown(ready) == as_git_shows(instructor.path, first)
        if loss == "repository":
            server.path("elsewhere").rename(server.path("course"))
        elif loss == "branch":
            pygit2.Repository(str(server.path("course"))).references.create("refs/heads/main", first)
        else:
            server.tokens["read"].add(READ)
        await running.client.hint("c")
        assert (await running.until_state("up_to_date"))["commit"] == first


@pytest.mark.slow
async def test_empty_remote_is_waited_for(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    async with node(settings(tmp_path, server.url("course"), branch=None)) as running:
        status = await running.until_state("needs_you")
        assert "still empty" in status["sentence"] and status["commit"] is None
        server.hook(running.webhook)
        made = await instructor.push({"a": b"1"})
        assert (await running.next()).commit == made
        assert (await running.course())["branch"] == "main"


@pytest.mark.slow
async def test_trouble_that_passes_is_tried_again_by_itself(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    made = await instructor.push(COURSE)
    server.fault("503", times=2)
    async with node(settings(tmp_path, server.url("course"), poll_seconds=0.1)) as running:
        assert (await running.next()).commit == made
        server.fault("cut")
        await running.until_state("offline")
        server.heal()
        assert (await running.until_state("up_to_date"))["commit"] == made


@pytest.mark.slow
async def test_course_without_files_is_ready(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    await instructor.push({})
    async with node(settings(tmp_path, server.url("course"))) as running:
        server.hook(running.webhook)
        assert shown(await running.next()) == {}
        await instructor.push({"a": b"1"})
        assert shown(await running.next()) == {"a": (0o100644, b"1")}
        await instructor.push({})
        assert shown(await running.next()) == {}


async def test_second_node_on_the_same_store_ends_with_a_sentence(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    await instructor.push(COURSE)
    config = settings(tmp_path, server.url("course"))
    async with node(config) as running:
        await running.next()
        with pytest.raises(Stop, match=f"process {os.getpid()}"):
            async with node(config):
                pass
        assert (await running.course())["state"] == "up_to_date", "the first one does not notice"
    async with node(config) as running:
        await running.next()


async def test_start_shows_what_was_ready_without_a_network(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    made = await instructor.push(COURSE)
    config = settings(tmp_path, server.url("course"))
    async with node(config) as running:
        await running.next()
    server.fault("503")
    async with node(config) as running:
        ready = await running.next()
        assert ready.commit == made
        assert (await running.until_state("offline"))["files"] == len(COURSE)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["blob gone", "blob short", "manifest short", "manifest gone", "ready.json"])
async def test_damaged_store_is_made_again_from_the_mirror(
    tmp_path: Path, server: GitServer, instructor: Instructor, damage: str
) -> None:
    made = await instructor.push(COURSE)
    config = settings(tmp_path, server.url("course"))
    async with node(config) as running:
        ready = await running.next()
        blob = next(path for path in ready.blobs.rglob("*") if path.is_file() and path.stat().st_size > 3)
    if damage == "blob gone":
        blob.unlink()
    elif damage == "blob short":
        blob.chmod(0o644)
        blob.write_bytes(b"x")
    elif damage.startswith("manifest"):
        content = ready.manifest.read_bytes()
        ready.manifest.write_bytes(content[:-3]) if damage.endswith("short") else ready.manifest.unlink()
    else:
        (config.store / "courses/c/ready.json").write_text('{"commit": ')
    server.fault("503")
    async with node(config) as running:
        assert shown(await running.next()) == as_git_shows(instructor.path, made)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["objects", "middle of a pack", "all", "not a repository"])
async def test_damaged_mirror_is_fetched_anew(
    tmp_path: Path, server: GitServer, instructor: Instructor, damage: str
) -> None:
    numbers = b"".join(b"%d %d\n" % (n, n * n * 7919) for n in range(9_000))  # the next version comes as a delta of it
    await instructor.push({**COURSE, "numbers": numbers})
    config = settings(tmp_path, server.url("course"))
    async with node(config) as running:
        await running.next()
    mirror = config.store / "courses/c/mirror.git"
    if damage == "objects":
        for pack in mirror.glob("objects/pack/*"):
            pack.chmod(0o644)
            pack.write_bytes(b"broken" + pack.read_bytes()[6:])
    elif damage == "middle of a pack":
        for pack in mirror.glob("objects/pack/*.pack"):
            content = bytearray(pack.read_bytes())
            content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
            pack.chmod(0o644)
            pack.write_bytes(content)
    elif damage == "all":
        for path in mirror.rglob("*"):
            if path.is_file():
                path.chmod(0o644)
                path.write_bytes(b"")
    else:
        (mirror / "HEAD").unlink()
    second = await instructor.push({**COURSE, "numbers": numbers + b"more\n", "new": b"!"})
    async with node(config) as running:
        assert shown(await running.until(second)) == as_git_shows(instructor.path, second)


@pytest.mark.slow
async def test_leftovers_of_killed_work_are_swept(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    await instructor.push(COURSE)
    config = settings(tmp_path, server.url("course"))
    async with node(config) as running:
        await running.next()
    course = config.store / "courses/c"
    left = [
        course / "mirror.git/objects/pack/pack_git2_abc123",
        course / "mirror.git/refs/remotes/origin/main.lock",
        course / "content/manifests/.0123.99",
        course / ".ready.json.99",
        config.store / "incoming/c/0123",
    ]
    for path in left:
        path.write_bytes(b"half")
    async with node(config) as running:
        await running.next()
        assert [path for path in left if path.exists()] == []


@pytest.mark.slow
async def test_two_courses_of_the_same_files_share_blobs(tmp_path: Path, server: GitServer) -> None:
    one = Instructor(tmp_path / "one.git", server.create("one"))
    two = Instructor(tmp_path / "two.git", server.create("two"))
    files = {f"f{n}": b"%d" % n for n in range(300)}
    await one.push(files)
    await two.push(files)
    token = secret_file(tmp_path / "token", READ)
    courses = tuple(Course(name, server.url(name), "main", token) for name in ("one", "two"))
    async with node(NodeConfig(tmp_path / "store", courses)) as running:
        ready = [await anext(running.client.follow(name)) for name in ("one", "two")]
        assert shown(ready[0]) == shown(ready[1])
        inodes = [{path.stat().st_ino for path in one.blobs.rglob("*") if path.is_file()} for one in ready]
        assert len(inodes[0]) == 300
        assert inodes[0] == inodes[1]


async def test_client_says_when_the_node_is_away(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    await instructor.push(COURSE)
    config = settings(tmp_path, server.url("course"))
    async with node(config) as running:
        client = NodeClient(running.client.socket)
        following = client.follow("c")
        await anext(following)
        ending = asyncio.create_task(anext(following))
        with pytest.raises(NeedsUser, match="no course named"):
            await anext(client.follow("nothing"))
        with pytest.raises(NeedsUser, match="no course named"):
            await client.hint("nothing")
    with pytest.raises(TryAgain, match="not running"):
        await ending
    for work in (client.status(), client.hint("c"), client.report({}), anext(client.follow("c"))):
        with pytest.raises(TryAgain, match="not running"):
            await work
    await client.close()


async def test_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NeedsUser, match="can't be written"):
        await off_loop(Store(tmp_path / "file/store").__enter__)
