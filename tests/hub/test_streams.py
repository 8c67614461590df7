"""An open page is told what changes for as long as its reader may see it, and no longer."""

import asyncio
import re
from typing import Any

import pytest
from playing import PREFIX, TOKENS, Service

from hub_plugin.login import Hub
from syncd.core.errors import TryAgain

KIM = {"Authorization": "token kim-token"}
EVENTS = f"{PREFIX}api/v1/courses/ds8/events"


async def report(service: Service, sentence: str) -> None:
    said = {"course": "ds8", "state": "needs_you", "sentence": sentence}
    assert await service.post("views", "ada-token", said) == 200


async def until(stream: Any, text: str) -> str:
    found = ""
    async with asyncio.timeout(10):
        while text not in found:
            piece = (await stream.content.readany()).decode()
            assert piece, f"the stream ended before {text!r}: {found}"
            found += piece
    return found


async def opened(service: Service) -> Any:
    stream = await service.client.get(EVENTS, headers=KIM)
    hello = re.search(r"data: (\S+)", await until(stream, "event: hello"))
    assert hello
    await service.client.get(f"{EVENTS}?heard={hello[1]}", headers=KIM)
    return stream


@pytest.fixture(autouse=True)
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is asked each time, and not every few seconds."""
    monkeypatch.setattr(Hub.visitor, "__defaults__", (0.0,))


@pytest.mark.parametrize("left", [{"groups": ["course-ds8"]}, {"scopes": []}, None])
async def test_who_may_no_longer_see_a_class_is_told_nothing_more(
    service: Service, monkeypatch: pytest.MonkeyPatch, left: dict[str, Any] | None
) -> None:
    stream = await opened(service)
    await report(service, "the first sentence")
    await until(stream, "the first sentence")
    if left is None:
        monkeypatch.delitem(TOKENS, "kim-token")
    else:
        monkeypatch.setitem(TOKENS, "kim-token", TOKENS["kim-token"] | left)
    await report(service, "the second sentence")
    async with asyncio.timeout(10):
        rest = await stream.content.read()
    assert b"the second sentence" not in rest and b"HTTP/1.1" not in rest


async def test_a_page_stays_open_while_the_hub_is_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, ask = await opened(service), Hub.visitor

    async def away(self: Hub, token: str, *arguments: float) -> object:
        if token == "kim-token":
            raise TryAgain("The hub is away.")
        return await ask(self, token, *arguments)

    monkeypatch.setattr(Hub, "visitor", away)
    await report(service, "while the hub is away")
    await until(stream, "while the hub is away")


async def test_interact_links_reach_the_service_as_they_were_written(service: Service) -> None:
    link = "/hub/interact?repo=r&path=a%2Bb%20%26%23c%2541.md&account=o"
    answer = await service.client.get(link, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, link.replace("/hub/", PREFIX))
    there = await service.client.get(answer.headers["Location"], headers=KIM, allow_redirects=False)
    assert there.headers["Location"].endswith("/hub/user-redirect/lab/tree/ds8/a%2Bb%20&%23c%2541.md"), there.headers
