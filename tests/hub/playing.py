"""The real service over a hub that the test plays: its API knows some tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub_plugin.agents import LocalAgents
from hub_plugin.courses import Course
from hub_plugin.database import Database
from hub_plugin.events import Events
from hub_plugin.hub_address import HubAddress
from hub_plugin.hub_service import make_hub_app
from hub_plugin.live import Board
from hub_plugin.login import Hub
from hub_plugin.reported import Everywhere
from hub_plugin.rosters import Groups
from hub_plugin.settings import AgentSettings, Settings
from hub_plugin.watch import Watcher

PREFIX = "/services/synced-folders/"
ACCESS = "access:services!service=synced-folders"
TOKENS: dict[str, dict[str, Any]] = {
    "ada-token": {"kind": "user", "name": "ada", "groups": ["course-ds8"], "scopes": [ACCESS]},
    "ben-token": {"kind": "user", "name": "ben", "groups": ["course-ds8"], "scopes": [ACCESS]},
    "kim-token": {"kind": "user", "name": "kim", "groups": ["course-ds8-staff"], "scopes": [ACCESS]},
    "eve-token": {"kind": "user", "name": "eve", "groups": [], "scopes": [ACCESS]},
    "mallory-token": {"kind": "user", "name": "mallory", "groups": ["course-ds8"], "scopes": []},
    "node-token": {"kind": "service", "name": "node-b", "scopes": [ACCESS]},
    "other-token": {"kind": "service", "name": "culler", "scopes": [ACCESS]},
    "no-scope-token": {"kind": "service", "name": "node-b", "scopes": []},
}


class Service:
    """The service over a hub that the test plays: its API knows the tokens above."""

    def __init__(self, client: TestClient, asked: list[str], groups: dict[str, list[str]]) -> None:
        self.client, self.asked, self.groups = client, asked, groups

    async def post(self, what: str, token: str, body: object) -> int:
        headers = {"Authorization": f"token {token}"} if token else {}
        return (await self.client.post(f"{PREFIX}api/v1/{what}", json=body, headers=headers)).status

    async def students(self) -> dict[str, dict[str, Any]]:
        answer = await self.client.get(f"{PREFIX}api/v1/courses/ds8", headers={"Authorization": "token kim-token"})
        return {student["user"]: student for student in (await answer.json())["students"]}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with played(tmp_path) as service:
        yield service


@asynccontextmanager
async def played(folder: Path, events: Events | None = None, port: int | None = None) -> AsyncIterator[Service]:
    """One replica of the service, with its state in a folder."""
    asked: list[str] = []
    groups: dict[str, list[str]] = {}

    async def listed(request: web.Request) -> web.Response:
        """One group at a time, and in `total` also those that the service may not see, as the hub does."""
        at = int(request.query["offset"])
        items = [{"kind": "group", "name": name, "users": users} for name, users in list(groups.items())[at : at + 1]]
        said = {"items": items, "_pagination": {"offset": at, "limit": 1, "total": 99, "next": None}}
        return web.json_response(said, status=200 if groups else 403)

    async def user(request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("token ")
        asked.append(token)
        return web.json_response(TOKENS[token]) if token in TOKENS else web.json_response({}, status=403)

    async def token(request: web.Request) -> web.Response:
        form = await request.post()
        found = {"access_token": "ada-token"} if form.get("code") == "adas-code" else {}
        return web.json_response(found, status=200 if found else 400)

    hub = web.Application()
    hub.router.add_get("/hub/api/user", user)
    hub.router.add_get("/hub/api/groups", listed)
    hub.router.add_post("/hub/api/oauth2/token", token)
    async with TestServer(hub) as api:
        course = Course(
            "ds8", "https://x/o/r", folder="ds8", groups=("course-ds8",), staff_groups=("course-ds8-staff",)
        )
        settings = Settings(courses=(course,), node_services=("node-b",))
        address = HubAddress(str(api.make_url("/hub/api")), "none", PREFIX, "/", "service-x", frozenset({ACCESS}))
        database = await asyncio.to_thread(Database, f"sqlite:///{folder}/state.sqlite")
        everywhere, known = Everywhere(None), Hub(address, frozenset())
        app = make_hub_app(
            settings,
            known,
            database,
            Watcher(None, everywhere, Board(), Groups(known.groups)),
            LocalAgents(AgentSettings((course,), Path("/nowhere"))),
            events=events,
            everywhere=everywhere,
        )
        async with TestClient(TestServer(app, port=port)) as client:
            yield Service(client, asked, groups)
