"""A store that stays small and sound: pins, collection, mending, the disk's reserve."""

import asyncio
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from courses import Instructor, as_git_shows, node, off_loop, settings, shown

from syncd.core.entry import CommitId
from syncd.core.errors import NeedsUser, TryAgain
from syncd.demo.gitserver import GitServer
from syncd.manifest import Manifest
from syncd.node import fill
from syncd.node.client import NodeClient, Ready
from syncd.node.collect import KEEP_S, collect
from syncd.node.pins import FORGOTTEN_S, Pins
from syncd.node.store import Store

A, B, C = (CommitId(letter * 40) for letter in "abc")
ADA = (1001, "ada", "c")


def test_view_pins_where_it_stands_and_older_ground_while_merges_wait(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "pins.json")
    steps = [(A, False, {A}), (B, True, {A, B}), (C, True, {A, B, C}), (C, False, {C}), (A, False, {A})]
    for commit, waits, stands in steps:
        pins.note(ADA, commit, waits, 1_000.0)
        assert pins.by_course(1_000.0) == {"c": stands}
    pins.save()
    assert Pins(tmp_path / "pins.json").by_course(1_000.0) == {"c": {A}}


def test_pins_noted_while_others_are_saved_are_saved_too(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "pins.json")
    with ThreadPoolExecutor(4) as savers:
        saves = []
        for number in range(60):
            pins.note((number, "ada", "c"), CommitId(f"{number:040x}"), False, 1.0)
            saves += [savers.submit(pins.save), savers.submit(pins.save)]
        for save in saves:
            save.result()
    pins.save()
    assert Pins(tmp_path / "pins.json").by_course(1.0) == {"c": {f"{number:040x}" for number in range(60)}}


@pytest.mark.parametrize("commit", [None, "", "a" * 39, "../" + "a" * 37, "A" * 40, 7])
def test_what_is_no_commit_pins_nothing(tmp_path: Path, commit: object) -> None:
    pins = Pins(tmp_path / "pins.json")
    pins.note(ADA, commit, False, 1.0)
    assert pins.by_course(1.0) == {}


def test_view_unheard_of_for_a_year_pins_nothing(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "pins.json")
    pins.note(ADA, A, False, 0.0)
    assert pins.by_course(FORGOTTEN_S - 1) == {"c": {A}}
    assert pins.by_course(FORGOTTEN_S + 1) == {}


async def test_collection_keeps_what_is_ready_or_stood_on_and_removes_the_rest(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"))
    async with node(config) as running:
        commits = []
        for turn in range(4):
            commits.append(await instructor.push({"same": b"same", "own": b"own %d" % turn}))
            await running.client.hint("c")
            await running.until(commits[-1])
        stood, gone = commits[1], (commits[0], commits[2])
        await running.client.report({"user": "ada", "course": "c", "commit": stood, "waiting": []})
        assert await running.client.collect() == {"manifests": 0, "blobs": 0, "bytes": 0}, "a week has not passed"
        _age(config.store, KEEP_S + 60)
        assert await running.client.collect() == {"manifests": 2, "blobs": 2, "bytes": 10}
        store = Store(config.store)
        assert not any(store.manifest("c", commit).exists() for commit in gone)
        for commit in (stood, commits[3]):
            for _, record in Manifest(store.manifest("c", commit)).files():
                assert store.blobs.path(record.blob).exists()
        assert (await running.client.collect())["manifests"] == 0
    async with node(config) as running:  # the pins outlive the service
        _age(config.store, KEEP_S + 60)
        assert (await running.client.collect())["manifests"] == 0
        assert Store(config.store).manifest("c", stood).exists()


async def test_node_whose_homes_others_have_too_keeps_versions_for_longer(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"), shared_homes=True)
    async with node(config) as running:
        for turn in range(2):
            commit = await instructor.push({"a": b"%d" % turn})
            await running.client.hint("c")
            await running.until(commit)
        _age(config.store, KEEP_S + 60)
        assert (await running.client.collect())["manifests"] == 0, "a student may have stood on it at another node"
        _age(config.store, config.kept_s + 60)
        assert (await running.client.collect())["manifests"] == 1
    assert settings(tmp_path, server.url("course"), shared_homes=True, keep_days=30).kept_s == 30 * 86_400


async def test_collection_waits_while_a_version_is_made_ready(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    with Store(tmp_path / "store") as store:
        with store.gate.preparing(), store.gate.collecting() as begins:
            assert not begins
        with store.gate.collecting() as begins, store.gate.collecting() as twice:
            assert begins and not twice


def test_unreadable_manifest_keeps_every_content(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        manifest = store.manifest("c", A)
        manifest.parent.mkdir(parents=True)
        manifest.write_bytes(b"nonsense")
        place = store.blobs.root / "ab" / ("c" * 38)
        place.parent.mkdir()
        place.write_bytes(b"x")
        os.utime(place, (0, 0))
        assert collect(store, {"c"}, {}, time.time()).blobs == 0
        assert place.exists()


async def test_course_that_is_no_longer_followed_goes_when_nobody_stands_on_it(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"))
    commit = await instructor.push({"f": b"f"})
    async with node(config) as running:
        await running.until(commit)
    with Store(config.store) as store:
        later = time.time() + KEEP_S + 60
        assert collect(store, set(), {"c": {commit}}, later).manifests == 0
        assert store.manifest("c", commit).exists()
        assert collect(store, set(), {}, later + KEEP_S + 60).manifests == 1
        assert store.courses() == [] and not store.mirror("c").exists()


async def test_damaged_contents_are_found_by_their_ids_and_made_again(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"))
    commit = await instructor.push({"a": b"content a", "b": b"content b", "c": b"content c"})
    async with node(config) as running:
        ready = await running.until(commit)
        assert await running.client.mend() == {"c": 0}
        records = {path: record for path, record in ready.snapshot().manifest.files()}
        blobs = ready.snapshot().blobs
        flipped, missing = blobs.path(records["a"].blob), blobs.path(records["b"].blob)
        flipped.chmod(0o644)
        flipped.write_bytes(b"Content a")  # the same size, so that a look at sizes is not enough
        missing.unlink()
        assert await running.client.mend() == {"c": 2}
        again = await running.next()
        assert again.commit == commit
        assert shown(again) == as_git_shows(instructor.path, commit)
        assert await running.client.mend() == {"c": 0}


async def test_start_after_a_kill_finds_what_has_its_size_but_not_its_content(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"))
    commit = await instructor.push({"a": b"content a", "b": b"content b"})
    async with node(config) as running:
        ready = await running.until(commit)
    flipped = next(ready.blobs.glob("*/*"))
    flipped.chmod(0o644)
    flipped.write_bytes(bytes(flipped.stat().st_size))
    (pack,) = (config.store / "courses/c/mirror.git").glob("objects/pack/*.pack")
    pack.chmod(0o644)
    pack.write_bytes(bytes(pack.stat().st_size))
    (config.store / "node.lock").write_text("4711\n")  # as a service leaves it that was killed
    async with node(config) as running:
        for _ in range(3):
            if shown_or_none(again := await running.next()) is not None:
                break
        assert shown(again) == as_git_shows(instructor.path, commit)
    assert (config.store / "node.lock").read_text() == "", "this one ended by itself"


def shown_or_none(ready: Ready) -> object:
    try:
        return shown(ready)
    except (AssertionError, FileNotFoundError):
        return None


async def test_damaged_content_that_no_ready_commit_names_is_not_taken_over(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"))
    await instructor.push({"a": b"content a", "b": b"content b"})
    async with node(config) as running:
        (_, old), *_ = (await running.next()).snapshot().manifest.files()
        await instructor.push({"b": b"content b"})
        await running.client.hint("c")
        await running.next()
        place = Store(config.store).blobs.path(old.blob)
        place.chmod(0o644)
        place.write_bytes(b"short")
        back = await instructor.push({"a": b"content a", "b": b"content b"})
        await running.client.hint("c")
        assert shown(await running.until(back)) == as_git_shows(instructor.path, back)


async def test_commands_say_what_they_did(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    config = settings(tmp_path, server.url("course"))
    commit = await instructor.push({"a": b"a"})
    async with node(config) as running:
        await running.until(commit)
        ask = [sys.executable, "-m", "syncd", "node"]

        def run(*words: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                [*ask, *words, "--socket", str(running.client.socket)], capture_output=True, text=True, check=False
            )

        done = await off_loop(run, "collect")
        assert (done.returncode, done.stdout) == (
            0,
            "Removed 0 versions and 0 contents: 0.0 MB are free again.\n",
        ), done.stderr
        assert json.loads((await off_loop(run, "mend", "--json")).stdout) == {"c": 0}
    done = await off_loop(run, "collect")
    assert done.returncode == 1 and "not running" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.root
async def test_stranger_may_not_collect(tmp_path: Path, server: GitServer, instructor: Instructor) -> None:
    config = settings(tmp_path, server.url("course"))
    await instructor.push({"a": b"a"})
    async with node(config) as running:
        for folder in (tmp_path, *tmp_path.parents):
            folder.chmod(folder.stat().st_mode | 0o011)
        script = (
            "import asyncio, os, sys\nfrom pathlib import Path\nfrom syncd.node.client import NodeClient\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "async def ask():\n async with NodeClient(Path(sys.argv[1])) as c: await c.collect()\n"
            "asyncio.run(ask())"
        )
        done = await off_loop(
            subprocess.run,
            [sys.executable, "-c", script, str(running.client.socket)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode and "Only root and the node's own user" in done.stderr


async def test_damaged_list_of_pins_stops_collecting_for_a_week(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    config = settings(tmp_path, server.url("course"))
    config.store.mkdir()
    (config.store / "pins.json").write_text("{")
    await instructor.push({"a": b"a"})
    async with node(config) as running:
        with pytest.raises((NeedsUser, TryAgain), match="waits a week"):
            await running.client.collect()


async def test_nearly_full_disk_is_told_before_it_hurts(
    tmp_path: Path, server: GitServer, instructor: Instructor, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tmp_path, server.url("course"))
    first = await instructor.push({"a": b"a"})
    async with node(config) as running:
        await running.until(first)
        monkeypatch.setattr(fill, "RESERVE", 1 << 60)
        second = await instructor.push({"a": b"b"})
        await running.client.hint("c")
        course = await _until(running.client, lambda course: course["state"] == "needs_you")
        assert "MB left" in course["sentence"] and course["commit"] == first
        monkeypatch.setattr(fill, "RESERVE", 0)
        await running.client.hint("c")
        await running.until(second)


async def _until(client: NodeClient, fits: object) -> dict[str, object]:
    assert callable(fits)
    for _ in range(400):
        (course,) = (await client.status())["courses"]
        if fits(course):
            return dict(course)
        await asyncio.sleep(0.02)
    raise AssertionError(course)


def _age(store: Path, seconds: float) -> None:
    then = time.time() - seconds
    for place in (*store.glob("courses/*/content/manifests/*"), *store.glob("blobs/*/*")):
        os.utime(place, (then, then))
