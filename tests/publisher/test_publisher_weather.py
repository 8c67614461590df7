"""No network, sick servers, wrong tokens: said in a sentence, tried again, nothing lost."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from classroom_side import READ_TOKEN, TOKEN, Course, Publisher, add, everything, fill, until

from syncd.demo.gitserver import GitServer
from syncd.publisher.credentials import Credentials
from syncd.publisher.registry import Registry, Students

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("fault", ["503", "429", "html", "500"])
async def test_a_sick_server_is_offline_and_then_all_arrives(
    state: Path, folder: Path, course: Course, server: GitServer, fault: str
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        server.fault(fault)
        fill(folder, {"a": "1"})
        status = await publisher.until(lambda now: now["state"] == "offline")
        assert status["sentence"]
        fill(folder, {"b": "2"})
        await publisher.until(lambda now: now["recent"] and now["recent"][0]["message"] == "Add b")
        assert course.head() is None
        server.heal()
        await publisher.say("/v1/hint")
        await until(lambda: course.files() == {"a": b"1", "b": b"2"})
        await publisher.up_to_date()


async def test_a_push_whose_answer_is_lost_is_known_to_have_arrived(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        server.fault("cut", times=2, on=["push", "fetch"])
        fill(folder, {"b": "2"})
        await until(lambda: course.files() == everything(folder))
        await publisher.up_to_date()
        assert course.messages() == ["Add b", "Add a"]


async def test_offline_for_long_then_online(tmp_path: Path, state: Path, folder: Path) -> None:
    server = GitServer(tmp_path / "srv2", write_tokens=[TOKEN])
    async with server:
        course = Course(server)
        server.create("course")
        await add(state, folder, course.url)
        port = int(server.base.rpartition(":")[2])
    async with Publisher(state) as publisher:
        for n in range(5):
            fill(folder, {f"{n}.txt": str(n)})
            await publisher.until(lambda now, n=n: now["recent"] and f"{n}.txt" in now["recent"][0]["message"])  # type: ignore[misc]
        status = await publisher.until(lambda now: now["state"] == "offline")
        assert "can't be reached" in status["sentence"]
        async with GitServer(tmp_path / "srv2", port=port, write_tokens=[TOKEN]) as again:
            await publisher.say("/v1/hint")
            await until(lambda: Course(again).files() == everything(folder))
            await publisher.up_to_date()


async def test_a_token_that_expires_is_asked_for_and_a_new_one_works_at_once(
    state: Path, folder: Path, course: Course, server: GitServer
) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        server.tokens["write"] = {"new-token-4242"}
        fill(folder, {"a": "1"})
        status = await publisher.until(lambda now: now["state"] == "needs_you")
        assert "token" in status["sentence"]
        await asyncio.to_thread(Credentials(state).store, course.url, READ_TOKEN)
        await publisher.until(lambda now: "may not write" in now["sentence"])
        await asyncio.to_thread(Credentials(state).store, course.url, "new-token-4242")
        await until(lambda: course.files() == {"a": b"1"})
        await publisher.up_to_date()


async def test_a_token_for_the_students_repository_is_asked_for_and_given_by_the_control(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, {"a": "1"})
    await add(state, folder, course.url)
    async with GitServer(tmp_path / "students", write_tokens=["pupils-0815"]) as theirs:
        theirs.create("pupils")
        pupils = Course(theirs, "pupils")
        Registry(state).set_students(Registry(state).folders()[0].id, Students(pupils.url, "students", "live"))
        async with Publisher(state) as publisher:
            status = await publisher.until(
                lambda now: now["question"] == "token" and now["commit"] == now["remote_commit"]
            )
            assert (status["token_for"], status["state"]) == (pupils.url, "needs_you")
            await publisher.steer("token", {"token": "pupils-0815"})
            await until(lambda: pupils.files("students") == everything(folder))
            assert (await publisher.up_to_date())["token_for"] is None


async def test_a_hint_needs_the_token_and_no_web_page_may_ask(state: Path, folder: Path, course: Course) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher, aiohttp.ClientSession() as web:
        url = f"{publisher.url}/"
        given = publisher.headers
        for headers, status in [
            ({}, 401),
            ({"Authorization": "Bearer x"}, 401),
            ({**given, "Origin": "http://evil.example"}, 403),
            ({**given, "Host": "evil.example"}, 403),
        ]:
            async with web.get(url + "v1/status", headers=headers) as answer:
                assert answer.status == status
        async with web.post(url + "v1/folders/none/pause", headers=given) as answer:
            assert answer.status == 404 and "no folder" in (await answer.json())["error"]
        id = (await publisher.status())["id"]
        async with web.post(url + f"v1/folders/{id}/resume", headers=given, json={"keep": "?"}) as answer:
            assert answer.status == 400
        async with web.post(url + "v1/hint", headers=given, data=b"{") as answer:
            assert answer.status == 400


async def test_a_pause_outlives_the_daemon(state: Path, folder: Path, course: Course) -> None:
    await add(state, folder, course.url)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await publisher.steer("pause")
        fill(folder, {"a": "1"})
        await publisher.until(lambda now: bool(now["recent"]) or now["commit"] is not None)
    async with Publisher(state) as publisher:
        before = await publisher.until(lambda now: now["state"] == "paused" and now["commit"] is not None)
        fill(folder, {"b": "2"})
        await publisher.until(lambda now: now["commit"] != before["commit"])
        assert course.head() is None
        await publisher.steer("resume")
        await until(lambda: course.files() == everything(folder))
