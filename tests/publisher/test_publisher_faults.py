"""Every way in which a server or a network fails: told as its kind demands, and nothing saved is lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from classroom_side import QUICK, TOKEN, Colleague, Course, Publisher, add, everything, fill, until

from syncd.core.retry import Backoff
from syncd.demo.gitserver import GitServer
from syncd.publisher import network
from syncd.publisher.conversation import Pushes
from syncd.publisher.credentials import Credentials
from syncd.publisher.folder_sync import Timing
from syncd.publisher.registry import Registry, Students

pytestmark = pytest.mark.slow
OFFLINE, NEEDS = "offline", "needs_you"


@dataclass(frozen=True)
class Case:
    """A fault, the requests that it befalls, and what a person must read then."""

    fault: str
    on: tuple[str, ...]
    state: str
    words: str
    goes_on: bool = True
    """Whether it is tried again by itself; else only after a long time, or when the person says so."""


SAVED = [
    Case("500", ("refs_read",), OFFLINE, "answered 500"),
    Case("502", ("refs_read", "refs_write"), OFFLINE, "answered 502"),
    Case("503", ("push",), OFFLINE, "answered 503"),
    Case("504", ("refs_write",), OFFLINE, "answered 504"),
    Case("511", ("refs_read",), OFFLINE, "sign in"),
    Case("html", ("refs_read",), OFFLINE, "web page"),
    Case("html", ("refs_write",), OFFLINE, "web page"),
    Case("html", ("push",), OFFLINE, "web page"),
    Case("cut", ("refs_read",), OFFLINE, "broke off"),
    Case("cut_upload", ("push",), OFFLINE, "broke off"),
    Case("429", ("refs_read",), OFFLINE, "slow down", goes_on=False),
    Case("401", ("refs_read",), NEEDS, "give a new one", goes_on=False),
    Case("401", ("refs_write", "push"), NEEDS, "give a new one", goes_on=False),
    Case("403", ("refs_write", "push"), NEEDS, "may not write", goes_on=False),
    Case("404", ("refs_read",), NEEDS, "no repository", goes_on=False),
    Case("407", ("refs_read",), NEEDS, "proxy", goes_on=False),
    Case("413", ("push",), NEEDS, "too large", goes_on=False),
    Case("moved", ("refs_read",), NEEDS, "moved", goes_on=False),
    Case("quota", ("push",), NEEDS, "above its quota", goes_on=False),
    Case("protected", (), NEEDS, "Protected branch", goes_on=False),
    Case("large", (), NEEDS, "exceeds the limit", goes_on=False),
]
PUSHED_BY_OTHERS = [
    Case("503", ("fetch",), OFFLINE, "answered 503"),
    Case("html", ("fetch",), OFFLINE, "web page"),
    Case("cut", ("fetch",), OFFLINE, "broke off"),
]


SOON = replace(QUICK, backoff=Backoff(0.05, 0.2))


def begin(server: GitServer, case: Case) -> None:
    if case.fault == "protected":
        server.protected.append("main")
    elif case.fault == "large":
        server.largest_file = 3
    else:
        server.fault(case.fault, on=case.on)


def end(server: GitServer) -> None:
    server.heal()
    server.protected.clear()
    server.largest_file = 1 << 30


@contextlib.asynccontextmanager
async def nobody_is_told_too_much(publisher: Publisher, course: Course) -> AsyncIterator[None]:
    """While this is entered, "up to date" is said of nothing but the commit that the server has."""

    async def watch() -> None:
        while True:
            head = await asyncio.to_thread(course.head)
            now = await publisher.status()
            if now["state"] == "up_to_date" and now["commit"] != head:
                assert now["commit"] == await asyncio.to_thread(course.head), now
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def test_what_was_saved_during_a_fault_arrives_after_it(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state, SOON) as publisher, nobody_is_told_too_much(publisher, course):
        await publisher.up_to_date()
        for n, case in enumerate(SAVED):
            begin(server, case)
            before = course.head()
            fill(folder, {f"{n}.txt": f"saved under {case}"})
            status = await publisher.until(lambda now, case=case: case.words in now["sentence"])  # type: ignore[misc]
            assert status["state"] == case.state, case
            assert status["commit"] not in (None, before) and course.head() == before, case
            ends = status["sentence"][-1] in ".)" or status["sentence"].endswith(f"Say: syncd login {course.url}")
            assert "\n" not in status["sentence"] and ends, case
            end(server)
            if not case.goes_on:
                await publisher.steer("resume")
            await publisher.up_to_date()
            assert course.files() == everything(folder), case
        assert len(course.messages()) == len(SAVED)


async def test_what_others_pushed_during_a_fault_comes_after_it(
    state: Path, folder: Path, course: Course, server: GitServer, tmp_path: Path
) -> None:
    fill(folder, {"mine": "1"})
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state, SOON) as publisher:
        await publisher.up_to_date()
        for n, case in enumerate(PUSHED_BY_OTHERS):
            begin(server, case)
            await asyncio.to_thread(colleague.push, {f"theirs/{n}": f"pushed under {case}" * 500})
            fill(folder, {f"my {n}": "saved meanwhile"})
            status = await publisher.until(lambda now, case=case: case.words in now["sentence"])  # type: ignore[misc]
            assert status["state"] == case.state, case
            end(server)
            await publisher.up_to_date()
            assert course.files() == everything(folder) and f"theirs/{n}" in everything(folder), case


async def test_a_servers_wish_for_patience_holds_for_what_is_saved_meanwhile(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        server.fault("429")
        fill(folder, {"a": "1"})
        await publisher.until(lambda now: now["state"] == OFFLINE)
        asked = server.counts.total()
        for n in range(4):
            fill(folder, {f"{n}": "saved"})
            await publisher.until(lambda now, n=n: now["recent"] and f"Add {n}" == now["recent"][0]["message"])  # type: ignore[misc]
        assert server.counts.total() == asked
        end(server)


@pytest.mark.parametrize("way", ["live", "release"])
async def test_a_wish_for_patience_of_the_students_server_holds_for_what_comes_meanwhile(
    state: Path, folder: Path, course: Course, tmp_path: Path, way: Literal["live", "release"]
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with GitServer(tmp_path / "students", write_tokens=[TOKEN]) as theirs:
        theirs.create("pupils")
        pupils = Course(theirs, "pupils")
        Credentials(state).store(pupils.url, TOKEN)
        id = Registry(state).folders()[0].id
        theirs.fault("429")
        Registry(state).set_students(id, Students(pupils.url, "students", way))
        async with Publisher(state) as publisher:
            await publisher.until(lambda now: now["commit"] is not None)
            if way == "release":
                await publisher.say(f"/v1/folders/{id}/publish", {})
            await publisher.until(lambda now: "slow down" in (now["students"]["problem"] or ""))
            asked = theirs.counts.total()
            for n in range(3):
                fill(folder, {f"{n}": "saved"})
                await until(lambda n=n: f"{n}" in course.files())  # type: ignore[misc]
                await publisher.until(lambda now: now["commit"] == now["remote_commit"])
                if way == "release":
                    await publisher.say(f"/v1/folders/{id}/publish", {})
            assert theirs.counts.total() == asked
            theirs.heal()
            await publisher.say("/v1/hint")
            await until(lambda: pupils.files("students") == everything(folder))


@pytest.mark.parametrize("what", ["woken", "another network"])
async def test_a_machine_that_wakes_or_changes_its_network_asks_at_once(
    state: Path, folder: Path, course: Course, server: GitServer, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    looks = 0

    def way_out() -> tuple[str, ...]:
        nonlocal looks
        looks += 1
        return ("198.51.100.7",)

    monkeypatch.setattr(network, "way_out", way_out)
    await add(state, folder, course.url)
    async with Publisher(state, replace(QUICK, backoff=Backoff(600, 600))) as publisher:
        await publisher.up_to_date()
        server.fault("503")
        fill(folder, {"a": "1"})
        await publisher.until(lambda now: now["state"] == OFFLINE)
        end(server)
        before = looks
        await until(lambda: looks > before + 2)
        assert course.head() is None, "nothing happened that would make it ask again"
        if what == "woken":
            monkeypatch.setattr(network, "time", SimpleNamespace(time=lambda: time.time() + 3600))
        else:
            monkeypatch.setattr(network, "way_out", lambda: ("203.0.113.7",))
        await until(lambda: course.files() == {"a": b"1"})
        await publisher.up_to_date()


async def test_pushes_keep_the_pace_of_a_host_that_limits_them(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    await add(state, folder, course.url)
    limited = Timing(quiet_s=0.05, poll_s=0.2, pushes=Pushes(a_minute=3, hosts=frozenset({"127.0.0.1"})))
    async with Publisher(state, limited) as publisher:
        await publisher.up_to_date()
        for n in range(8):
            fill(folder, {f"file {n}": "1"})
            await publisher.until(lambda now, n=n: now["recent"] and f"file {n}" in now["recent"][0]["message"])  # type: ignore[misc]
        before = server.counts["refs_read"]
        await until(lambda: server.counts["refs_read"] > before + 2)
        status = await publisher.status()
        assert server.counts["push"] <= 3 and status["state"] == "pushing"
        assert 0 < len(course.files()) < 8, "the first ones went at once, the last wait for their minute"
