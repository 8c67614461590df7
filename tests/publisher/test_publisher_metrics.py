"""A publisher's numbers after what really happened, and who may see them."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from classroom_side import Colleague, Course, Publisher, add, fill, until
from prometheus_client.parser import text_string_to_metric_families as parsed

from syncd.demo.gitserver import GitServer
from syncd.publisher.service import run_publisher


def numbers(text: str) -> Mapping[str, float]:
    found = {}
    for family in parsed(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def asked(publisher: Publisher, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(publisher.url + path, headers=headers or publisher.headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_metrics_tell_of_saves_pushes_and_what_is_left_out(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"a.txt": "one\n"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIE" * 200
        fill(folder, {"a.txt": "two\n", **{f"key {n}.txt": key for n in range(130)}})
        await until(lambda: course.files().get("a.txt") == b"two\n")
        await asyncio.to_thread(colleague.push, {"b.txt": "theirs\n"})
        await publisher.say("/v1/hint", {"remote": course.url})
        await until((folder / "b.txt").exists)
        await publisher.up_to_date()
        _, text = await asked(publisher)
        assert (await asked(publisher, Authorization="Bearer wrong"))[0] == 401
        status, ready = await asked(publisher, "/readyz")
    found = numbers(text)
    assert (status, json.loads(ready)["sentence"]) == (200, "1 of 1 folders need nobody.")
    assert found["syncd_publisher_saves_total{}"] >= 1 and found["syncd_publisher_commits_total{}"] >= 1
    assert found["syncd_publisher_pushes_total{}"] == 1 == found["syncd_publisher_fetches_total{}"]
    assert found["syncd_publisher_transferred_bytes_total{way=push}"] > 0
    assert found["syncd_publisher_transferred_bytes_total{way=fetch}"] > 0
    assert found["syncd_publisher_save_to_commit_seconds_count{}"] >= 1
    assert found["syncd_publisher_save_to_pushed_seconds_count{}"] >= 1
    spent = found["syncd_publisher_save_to_pushed_seconds_sum{}"]
    assert spent >= found["syncd_publisher_save_to_commit_seconds_sum{}"] > 0
    assert (
        found["syncd_publisher_folders{state=up_to_date}"] == 1 and found["syncd_publisher_folders{state=paused}"] == 0
    )
    assert found["syncd_publisher_left_out_files{guard=secret}"] == 130
    for private in (str(folder), "key 1.txt", course.url):
        assert private not in text


async def test_failures_are_counted_and_a_folder_that_needs_somebody_is_not_ready(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    fill(folder, {"a.txt": "one\n"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        server.tokens["write"] = {"another"}
        fill(folder, {"a.txt": "two\n"})
        await publisher.until(lambda status: status["state"] == "needs_you")
        found = numbers((await asked(publisher))[1])
        failed = {name: count for name, count in found.items() if name.startswith("syncd_publisher_errors_total")}
        assert failed.get("syncd_publisher_errors_total{kind=NeedsToken}", 0) >= 1, failed
        assert found["syncd_publisher_folders{state=needs_you}"] == 1
        assert (await asked(publisher, "/readyz"))[0] == 503


async def test_listener_of_its_own_is_for_prometheus_on_this_machine(state: Path, unused_port: int) -> None:
    ready = asyncio.Event()
    running = asyncio.create_task(
        run_publisher(state, ready=lambda url: ready.set(), metrics=("127.0.0.1", unused_port))
    )
    await asyncio.wait_for(ready.wait(), 20)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{unused_port}") as session:
        async with session.get("/metrics") as answer:
            assert "syncd_publisher_folders" in await answer.text()
        async with session.get("/v1/status") as answer:
            assert answer.status == 404, "metrics and nothing else"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
