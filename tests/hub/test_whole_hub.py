"""What whoever runs the hub sees: all nodes, live, and nobody else sees it."""

import asyncio

import pytest
from playing import PREFIX, TOKENS, Service

BOSS = {"Authorization": "token boss-token"}


@pytest.fixture(autouse=True)
def boss(monkeypatch: pytest.MonkeyPatch) -> None:
    scopes = TOKENS["kim-token"]["scopes"]
    monkeypatch.setitem(
        TOKENS, "boss-token", {"kind": "user", "name": "boss", "admin": True, "groups": [], "scopes": scopes}
    )
    monkeypatch.setattr("hub_plugin.hub_facts.INTERVAL_S", 0.0)


async def test_nodes_elsewhere_are_listed_as_they_report(service: Service) -> None:
    views = [{"user": name, "course": "ds8", "commit": "c" * 40} for name in ("ada", "ben")]
    said = {"version": "<b>9</b>", "courses": [{"name": "ds8"}], "views": views}
    assert await service.post("nodes", "node-token", said) == 200
    facts = await (await service.client.get(f"{PREFIX}api/v1/admin", headers=BOSS)).json()
    (node,) = facts["nodes"]
    assert (node["name"], node["version"], node["courses"], node["folders"]) == ("node-b", "<b>9</b>", 1, 2)
    page = await (await service.client.get(f"{PREFIX}admin/", headers=BOSS)).text()
    assert "<bdi>node-b</bdi>" in page and "&lt;b&gt;9&lt;/b&gt;" in page and "<b>9" not in page
    for path in ("admin/", "api/v1/admin", "api/v1/admin/events"):
        assert (await service.client.get(f"{PREFIX}{path}", headers={"Authorization": "token kim-token"})).status == 403


async def test_an_open_page_of_the_whole_hub_is_told_what_comes(service: Service) -> None:
    page = await (await service.client.get(f"{PREFIX}admin/", headers=BOSS)).text()
    assert "No node is known here yet" in page and "No webhook has come yet" in page
    version = page.partition('data-version="')[2].partition('"')[0]
    where = f"{PREFIX}api/v1/admin/events"
    async with service.client.get(f"{where}?since={version}", headers=BOSS) as stream:
        hello = (await stream.content.readuntil(b"\n\n")).decode().partition("data: ")[2].strip()
        await service.client.get(f"{where}?heard={hello}", headers=BOSS)
        await service.post("nodes", "node-token", {"courses": [], "views": []})
        found = ""
        async with asyncio.timeout(10):
            while "node-b" not in found:
                found += (await stream.content.readuntil(b"\n\n")).decode()
    assert "event: patch" in found and "hub-deliveries" not in found  # what did not change is not sent again
