"""Agents and nodes elsewhere report over the API, each of what is theirs only."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub_plugin.agents import LocalAgents
from hub_plugin.courses import Course
from hub_plugin.database import Database
from hub_plugin.hub_service import make_hub_app
from hub_plugin.live import Board
from hub_plugin.login import Hub, HubAddress
from hub_plugin.reported import Everywhere
from hub_plugin.settings import AgentSettings, Settings
from hub_plugin.watch import Watcher

PREFIX = "/services/synced-folders/"
ACCESS = "access:services!service=synced-folders"
TOKENS: dict[str, dict[str, Any]] = {
    "ada-token": {"kind": "user", "name": "ada", "groups": ["course-ds8"], "scopes": [ACCESS]},
    "kim-token": {"kind": "user", "name": "kim", "groups": ["course-ds8-staff"], "scopes": [ACCESS]},
    "eve-token": {"kind": "user", "name": "eve", "groups": [], "scopes": [ACCESS]},
    "mallory-token": {"kind": "user", "name": "mallory", "groups": ["course-ds8"], "scopes": []},
    "node-token": {"kind": "service", "name": "node-b", "scopes": [ACCESS]},
    "other-token": {"kind": "service", "name": "culler", "scopes": [ACCESS]},
    "no-scope-token": {"kind": "service", "name": "node-b", "scopes": []},
}


class Service:
    """The service over a hub that the test plays: its API knows the tokens above."""

    def __init__(self, client: TestClient, asked: list[str]) -> None:
        self.client, self.asked = client, asked

    async def post(self, what: str, token: str, body: object) -> int:
        headers = {"Authorization": f"token {token}"} if token else {}
        return (await self.client.post(f"{PREFIX}api/v1/{what}", json=body, headers=headers)).status

    async def students(self) -> dict[str, dict[str, Any]]:
        answer = await self.client.get(f"{PREFIX}api/v1/courses/ds8", headers={"Authorization": "token kim-token"})
        return {student["user"]: student for student in (await answer.json())["students"]}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    asked: list[str] = []

    async def user(request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("token ")
        asked.append(token)
        return web.json_response(TOKENS[token]) if token in TOKENS else web.json_response({}, status=403)

    hub = web.Application()
    hub.router.add_get("/hub/api/user", user)
    async with TestServer(hub) as played:
        course = Course("ds8", "https://x/o/r", groups=("course-ds8",), staff_groups=("course-ds8-staff",))
        settings = Settings(courses=(course,), node_services=("node-b",))
        address = HubAddress(str(played.make_url("/hub/api")), "none", PREFIX, "/", "service-x", frozenset({ACCESS}))
        database = await asyncio.to_thread(Database, f"sqlite:///{tmp_path}/state.sqlite")
        everywhere = Everywhere(None)
        app = make_hub_app(
            settings,
            Hub(address, frozenset()),
            database,
            Watcher(None, everywhere, Board()),
            LocalAgents(AgentSettings((course,), Path("/nowhere"))),
            everywhere=everywhere,
        )
        async with TestClient(TestServer(app)) as client:
            yield Service(client, asked)


async def test_an_agent_reports_its_own_students_folder_and_no_other(service: Service) -> None:
    said = {"course": "ds8", "user": "ben", "commit": "c" * 40, "state": "up_to_date", "waiting": ["a"], "notes": []}
    assert await service.post("views", "ada-token", said) == 200
    assert list(await service.students()) == ["ada"]
    for _ in range(5):
        assert await service.post("views", "ada-token", said) == 200
    assert service.asked.count("ada-token") == 1  # the hub is asked once in a while only
    assert await service.post("views", "eve-token", said) == 403
    assert await service.post("views", "mallory-token", said) == 403
    assert await service.post("views", "made-up", said) == 401
    assert await service.post("views", "", said) == 401
    assert await service.post("views", "node-token", said) == 401
    assert await service.post("views", "ada-token", {"course": "other"}) == 403
    assert await service.post("views", "ada-token", [1]) == 400
    assert await service.post("views", "ada-token", {"course": "ds8", "notes": ["x" * 70_000]}) == 413
    assert list(await service.students()) == ["ada"]
    assert 429 in {await service.post("views", "ada-token", said) for _ in range(40)}


async def test_a_node_reports_with_the_token_of_its_service(service: Service) -> None:
    view = {"user": "zoe", "course": "ds8", "commit": "d" * 40, "state": "up_to_date", "updated_at": 1.8e9}
    document = {"courses": [{"name": "ds8", "state": "up_to_date", "commit": "d" * 40}], "views": [view]}
    for token, status in (("node-token", 200), ("other-token", 403), ("no-scope-token", 401), ("ada-token", 401)):
        assert await service.post("nodes", token, document) == status
    assert (await service.students())["zoe"]["state"] == "Up to date"


async def test_no_single_student_says_what_the_newest_version_is() -> None:
    everywhere = Everywhere(None)
    for user, commit in (("ada", "a"), ("ben", "a"), ("mallory", "b")):
        everywhere.view(user, "ds8", {"commit": commit * 40})
    document = (await everywhere.look()).document
    assert document is not None and document["courses"] == [{"name": "ds8", "state": "up_to_date", "commit": "a" * 40}]
