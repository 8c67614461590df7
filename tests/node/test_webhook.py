"""Signed webhooks: what is let in, what it does, and what it costs."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from courses import SECRET, Instructor, node, settings

from syncd.core.delivery import Push
from syncd.demo.githooks import payload, ref_updates, signature
from syncd.demo.gitserver import GitServer
from syncd.webhook import LARGEST_BODY, webhook_app

BODY = payload("course.git", "http://x/course.git", ref_updates(f"{'0' * 40} {'1' * 40} refs/heads/main")[0])
PUSH = Push("main", "1" * 40)


class Listener:
    def __init__(self, base: str, heard: list[tuple[str, Push]], session: aiohttp.ClientSession) -> None:
        self.base, self.heard, self._session = base, heard, session

    async def send(
        self,
        body: bytes = BODY,
        *,
        sign: str | None = SECRET,
        delivery: str = "",
        event: str = "push",
        course: str = "c",
    ) -> int:
        headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery or str(uuid.uuid4())}
        if sign is not None:
            headers["X-Hub-Signature-256"] = sign if "=" in sign else signature(sign, body)
        async with self._session.post(f"{self.base}/webhook/{course}", data=body, headers=headers) as answer:
            return answer.status


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    heard: list[tuple[str, Push]] = []
    secrets = {"c": SECRET, "other": "another", "unset": ""}
    runner = web.AppRunner(webhook_app(secrets.get, lambda course, push: heard.append((course, push))))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield Listener(f"http://127.0.0.1:{runner.addresses[0][1]}", heard, session)
    await runner.cleanup()


async def test_signed_push_is_a_hint(listener: Listener) -> None:
    assert await listener.send() == 202
    assert listener.heard == [("c", PUSH)]


@pytest.mark.parametrize(
    "sign",
    [None, "wrong", "", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, signature("another", BODY), "sha256=é"],
)
async def test_wrong_signature_is_refused(listener: Listener, sign: str | None) -> None:
    assert await listener.send(sign=sign) == 403
    assert listener.heard == []


async def test_signature_counts_for_the_raw_body_only(listener: Listener) -> None:
    assert await listener.send(json.dumps(json.loads(BODY), indent=1).encode(), sign=signature(SECRET, BODY)) == 403


@pytest.mark.parametrize("course", ["nothing", "unset", "..", "c%2f..%2fother", "other"])
async def test_other_course_is_refused_like_a_wrong_signature(listener: Listener, course: str) -> None:
    assert await listener.send(course=course) in (403, 404)
    assert await listener.send(course="unset", sign=signature("", BODY)) == 403
    assert listener.heard == []


async def test_replay_is_answered_but_hints_once(listener: Listener) -> None:
    for _ in range(3):
        assert await listener.send(delivery="4711") == 202
    assert len(listener.heard) == 1
    assert await listener.send(delivery="4712") == 202
    assert len(listener.heard) == 2


async def test_large_body_is_refused(listener: Listener) -> None:
    assert await listener.send(b"x" * (LARGEST_BODY + 1)) == 413

    async def unmeasured() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * (LARGEST_BODY // 10)

    async with aiohttp.ClientSession() as session:
        try:
            async with session.post(f"{listener.base}/webhook/c", data=unmeasured()) as answer:
                assert answer.status == 413
        except aiohttp.ClientError:
            pass  # cut off while sending: as good
    assert listener.heard == []


async def test_what_is_no_push_to_a_branch_is_thanked_for_only(listener: Listener) -> None:
    assert await listener.send(b"{}", event="ping") == 202
    assert await listener.send(b'{"ref": "refs/tags/v1"}') == 202
    assert listener.heard == []
    for body in (b"not json", b"[]", b'{"ref": 5}', b'{"ref": "refs/heads/main", "after": "../x"}'):
        assert await listener.send(body) == 202
    assert [push.commit for _, push in listener.heard] == [None] * 4


@pytest.mark.slow
async def test_webhook_of_another_branch_or_of_what_is_ready_asks_nothing(
    tmp_path: Path, server: GitServer, instructor: Instructor
) -> None:
    first = await instructor.push({"a": b"1"})
    async with node(settings(tmp_path, server.url("course"))) as running:
        await running.next()
        await running.until_state("up_to_date")
        looks = (await running.course())["looks"]
        async with aiohttp.ClientSession() as session:
            sender = Listener(running.webhook.rsplit("/webhook", 1)[0], [], session)
            for ref, after in (("refs/heads/draft", "2" * 40), ("refs/heads/main", first)):
                body = payload("course.git", "x", ref_updates(f"{'0' * 40} {after} {ref}")[0])
                assert await sender.send(body) == 202
            assert await sender.send(sign="wrong") == 403
            assert (await running.course())["looks"] == looks
            # One that names a commit which the remote does not show yet: it is looked for again soon.
            assert await sender.send() == 202
            async with asyncio.timeout(5):
                while (await running.course())["looks"] < looks + 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
