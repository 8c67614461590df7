"""A hundred folders on one page: found, live, and answered one by one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from reader import Reader, text_of

from syncd.page.app import Page
from syncd.page.asking import Json, Unanswered


class Hundred:
    """What a publisher of a hundred folders says; adding that many real ones takes a minute."""

    def __init__(self) -> None:
        self.folders = [
            {"id": f"f{n:03}", "folder": f"/home/ida/course{n:03}", "state": "up_to_date", "recent": []}
            for n in range(100)
        ]
        self.asked: list[tuple[str, str, Json | None]] = []

    async def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        self.asked.append((method, path, body))
        if path == "/v1/status":
            return {"folders": self.folders}
        if path.endswith("/publish"):
            raise Unanswered("There is nothing to publish.", 409)
        return {"sentence": "Done."}


@pytest.fixture
async def hundred() -> AsyncIterator[tuple[Hundred, Reader]]:
    publisher = Hundred()
    page = Page(publisher)
    app = web.Application()
    app.add_subapp(page.prefix, page.app)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    page.host = f"127.0.0.1:{runner.addresses[0][1]}"
    async with Reader(f"http://{page.host}{page.entrance()}") as reader:
        yield publisher, await reader.enter()
    await runner.cleanup()


async def test_who_asks_something_comes_first_and_only_what_changed_is_sent(hundred: tuple[Hundred, Reader]) -> None:
    publisher, reader = hundred
    publisher.folders[70] |= {"state": "needs_you", "question": "refused", "sentence": "The token has expired."}
    html = (await reader.get())[1]
    assert "100 folders: 1 needs you." in text_of(html)
    assert html.index("course070") < html.index("course000") < html.index("course099")
    async with reader.session.get(f"{reader.base}events?of=all") as stream:
        first = await _event(stream.content)
        assert len(first["order"]) == len(first["pieces"]) == 101
        assert first["order"][:3] == ["headline", "card-f070", "card-f000"]
        publisher.folders[70] |= {"state": "up_to_date", "question": None}
        publisher.folders.pop(5)
        second = await _event(stream.content)
        assert set(second["pieces"]) == {"headline", "card-f070"}
        assert len(second["order"]) == 100 and "card-f005" not in second["order"]


@pytest.mark.slow
async def test_a_reader_who_left_costs_nothing(hundred: tuple[Hundred, Reader]) -> None:
    publisher, reader = hundred
    async with reader.session.get(f"{reader.base}events?of=all") as stream:
        await _event(stream.content)
    await reader.get()
    for _ in range(100):
        before = len(publisher.asked)
        await _sleep()
        if len(publisher.asked) == before:
            return
    raise AssertionError("the publisher is still asked")


async def test_a_button_asks_for_what_it_says_and_passes_on_a_no(hundred: tuple[Hundred, Reader]) -> None:
    publisher, reader = hundred
    said = [
        ("allow", {"path": "a%2Fb%FF"}, ("/v1/folders/f001/allow", {"path": "a/b\udcff"})),
        ("resume", {"keep": "theirs"}, ("/v1/folders/f001/resume", {"keep": "theirs"})),
        ("cancel", {"plan": "../x"}, ("/v1/folders/f001/releases/..%2Fx/cancel", {})),
        ("students", {"way": "own"}, ("/v1/folders/f001/students", {"off": True})),
        ("hint", {}, ("/v1/hint", {})),
    ]
    for action, fields, (path, body) in said:
        await reader.press(f"folders/f001/do/{action}", **fields)
        assert ("POST", path, body) in publisher.asked
    fields = {"csrf": await reader.csrf(), "at": "2099-12-01T08:00", "message": "Lab 3", "paths": "a%2Fb"}
    status, text = await reader.post("folders/f001/do/publish", fields)
    assert status == 409 and "There is nothing to publish." in text
    wanted = {"paths": ["a/b"], "message": "Lab 3", "at": "2099-12-01 08:00"}
    assert ("POST", "/v1/folders/f001/publish", wanted) in publisher.asked
    for action in ("cancel", "delete-everything"):
        status, _ = await reader.post(f"folders/f001/do/{action}", {"csrf": fields["csrf"]})
        assert status == 409


async def _event(stream: Any) -> dict[str, Any]:
    async for line in stream:
        if line.startswith(b"data: "):
            found: dict[str, Any] = json.loads(line[6:])
            return found
    raise AssertionError("the stream ended")


async def _sleep() -> None:
    await asyncio.sleep(1)
