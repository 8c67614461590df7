"""Students whose server runs without their folders, which could not be had when it started."""

import asyncio
from typing import Any

import pytest
from playing import PREFIX, TOKENS, Service

from hub_plugin.context import context_key
from hub_plugin.courses import Course, Visitor
from hub_plugin.login import Hub
from hub_plugin.starting import Starting
from syncd.core.errors import NeedsUser, TryAgain

DS8 = Course("ds8", "https://x/o/r", folder="ds8", groups=("course-ds8",))
ADA = {"Authorization": "token ada-token"}


class Agents:
    """Agents that start as they are told to."""

    def __init__(self, *problems: Exception | None) -> None:
        self.problems, self.asked, self.may_end = list(problems), 0, asyncio.Event()
        self.may_end.set()

    async def ensure(self, user: str, courses: object) -> None:
        self.asked += 1
        await self.may_end.wait()
        if problem := self.problems.pop(0):
            raise problem


def visitor(*, serving: bool) -> Visitor:
    return Visitor("ada", frozenset({"course-ds8"}), serving=serving)


async def settled(starting: Starting) -> None:
    await asyncio.gather(*starting._tasks.values())
    await asyncio.sleep(0)  # for who hears of their end


async def test_folders_are_started_again_for_who_looks_and_the_reason_is_said() -> None:
    told: list[str] = []
    agents: Any = Agents(NeedsUser("No account."), None)
    starting = Starting(agents, told.append)
    starting.begin("ada", (DS8,))
    assert (starting.of("ada"), agents.asked) == (None, 0)  # no server of hers runs
    starting.note(visitor(serving=True))
    starting.begin("ada", (DS8,))
    starting.begin("ada", (DS8,))
    await settled(starting)
    assert (starting.of("ada"), agents.asked) == ("No account.", 1)
    starting.begin("ada", (DS8,))
    await settled(starting)
    assert agents.asked == 1  # not tried again so soon
    starting._rate._left.clear()
    starting.begin("ada", (DS8,))
    await settled(starting)
    assert starting.of("ada") == ""
    starting.note(visitor(serving=False))
    assert starting.of("ada") is None and told == ["ada"] * 4


async def test_where_nobody_here_starts_agents_nothing_is_said() -> None:
    starting = Starting(None, lambda user: None)
    starting.note(visitor(serving=True))
    starting.begin("ada", (DS8,))
    assert starting.of("ada") is None


async def test_an_open_page_says_why_a_server_runs_without_its_folders(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub.visitor, "__defaults__", (0.0,))
    first = await (await service.client.get(PREFIX, headers=ADA)).text()
    assert "Start your server to have the newest version" in first
    monkeypatch.setitem(TOKENS, "ada-token", TOKENS["ada-token"] | {"server": "/user/ada/"})
    context = service.client.app[context_key]  # type: ignore[index]
    agents: Any = Agents(TryAgain("The <b>node</b> is away."))
    agents.may_end.clear()
    context.starting._agents = agents
    page = await (await service.client.get(PREFIX, headers=ADA)).text()
    assert "started again now" in page
    version = page.partition('data-version="')[2].partition('"')[0]
    agents.may_end.set()
    async with service.client.get(f"{PREFIX}api/v1/events?since={version}", headers=ADA) as stream:
        found = ""
        async with asyncio.timeout(10):
            while "node" not in found:
                found += (await stream.content.readuntil(b"\n\n")).decode()
    assert "tell whoever runs the hub: The &lt;b&gt;node&lt;/b&gt; is away." in found
    said = {"course": "ds8", "commit": "c" * 40, "state": "up_to_date"}
    assert await service.post("views", "ada-token", said) == 200
    async with asyncio.timeout(10):
        while "Up to date" not in (page := await (await service.client.get(PREFIX, headers=ADA)).text()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # the sources are looked at twice a second
    assert "tell whoever" not in page and agents.asked == 1
    # An agent that was not heard of for minutes has ended, though it said last that all was well.
    monkeypatch.setattr("hub_plugin.class_cards._SILENT_S", 0.0)
    context.starting._rate._left.clear()
    agents.problems.append(None)
    async with asyncio.timeout(10):
        while agents.asked == 1:
            assert await service.post("views", "ben-token", said) == 200  # something that is shown anew
            page = await (await service.client.get(PREFIX, headers=ADA)).text()
            await asyncio.sleep(0.1)
    assert "without this folder" in page and agents.asked == 2
