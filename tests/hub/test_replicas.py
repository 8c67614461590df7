"""Several replicas of the service: one PostgreSQL for their state, one Redis for what they tell each other."""

import asyncio
import hashlib
import hmac
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from playing import played
from redis.asyncio import Redis
from servers import postgresql, redis

from hub_plugin.agents import LocalAgents
from hub_plugin.courses import Course
from hub_plugin.database import Database
from hub_plugin.delivery_log import DeliveryLog
from hub_plugin.events import Events
from hub_plugin.hub_address import HubAddress
from hub_plugin.hub_service import make_hub_app
from hub_plugin.live import Board
from hub_plugin.login import Hub
from hub_plugin.settings import AgentSettings, Settings
from hub_plugin.sources import Node
from hub_plugin.tables import metadata
from hub_plugin.watch import Watcher
from syncd.core.errors import NeedsUser

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PREFIX = "/services/synced-folders/"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="synced-servers-"))  # short: it holds sockets
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def db_url(folder: Path) -> Iterator[str]:
    with postgresql(folder / "pg") as url:
        yield url


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError


class PlayedNode:
    """A node of a replica's machine, which counts the hints it gets."""

    def __init__(self, socket: Path) -> None:
        self.socket, self.hints = socket, 0

    async def start(self) -> web.AppRunner:
        async def hint(_: web.Request) -> web.Response:
            self.hints += 1
            return web.json_response({}, status=202)

        app = web.Application()
        app.router.add_post("/v1/courses/{name}/hint", hint)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(self.socket)).start()
        return runner


@asynccontextmanager
async def replica(folder: Path, db_url: str, redis_url: str, name: str) -> AsyncIterator[tuple[TestClient, PlayedNode]]:
    """A replica of the service on a machine of its own, with that machine's node."""
    played = PlayedNode(folder / f"{name}.sock")
    runner = await played.start()
    course = Course("ds8", "https://git.example/o/r", groups=("course-ds8",), staff_groups=("course-ds8-staff",))
    settings = Settings(courses=(course,), node=str(played.socket), db_url=db_url)
    address = HubAddress("http://127.0.0.1:9/hub/api", "none", PREFIX, "/", "service-x", frozenset())
    node = Node(played.socket)
    database = await asyncio.to_thread(Database, db_url)
    agents = LocalAgents(AgentSettings(settings.courses, played.socket))
    events = Events(redis_url)
    app = make_hub_app(
        settings, Hub(address, frozenset()), database, Watcher(None, node, Board()), agents, node, events=events
    )
    async with TestClient(TestServer(app)) as client:
        yield client, played
    await runner.cleanup()


async def test_the_tables_in_postgresql_are_those_of_the_code(db_url: str) -> None:
    first, second = await asyncio.gather(*(asyncio.to_thread(Database, db_url) for _ in range(2)))  # both at once
    differences = await first.run(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata))
    assert differences == []
    await asyncio.gather(first.close(), second.close())


async def test_replicas_share_sessions_visits_and_secrets(db_url: str) -> None:
    one, other = Database(db_url), Database(db_url)
    session = await one.new_session(hashlib.sha256(b"c").hexdigest(), "ada", "token", 60)
    assert await other.session(session.key) == session
    await other.end_session(session.key)
    assert await one.session(session.key) is None
    looks = await asyncio.gather(*(each.visit("ada", "ds8") for each in (one, other)))
    assert looks.count(None) >= 1
    assert await one.visit("ada", "ds8") == await other.visit("ada", "ds8")
    secrets = await asyncio.gather(*(DeliveryLog(each).secret("ds8") for each in (one, other)))
    assert secrets[0] == secrets[1]
    await asyncio.gather(one.close(), other.close())


async def test_a_webhook_that_one_replica_takes_reaches_the_nodes_of_all(folder: Path, db_url: str) -> None:
    with redis(folder / "redis") as redis_url:
        async with (
            replica(folder, db_url, redis_url, "a") as (a, node_a),
            replica(folder, db_url, redis_url, "b") as (b, node_b),
        ):
            database = Database(db_url)
            secret = await DeliveryLog(database).secret("ds8")
            body = json.dumps({"ref": "refs/heads/main", "after": "1" * 40}).encode()
            proof = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

            async def deliver(client: TestClient, name: str) -> int:
                headers = {
                    "X-Hub-Signature-256": f"sha256={proof}",
                    "X-GitHub-Event": "push",
                    "X-GitHub-Delivery": name,
                }
                return (await client.post(f"{PREFIX}webhooks/ds8", data=body, headers=headers)).status

            await asyncio.sleep(1)  # longer than a question to Redis may take: listening is not one
            assert await deliver(a, "1") == 202
            await until(lambda: (node_a.hints, node_b.hints) == (1, 1))
            assert await deliver(b, "1") == 202  # the host sends it again, and the other replica gets it
            assert await deliver(b, "2") == 202
            await until(lambda: (node_a.hints, node_b.hints) == (2, 2))
            logged: list[str] = []
            while sorted(logged) != ["again", "taken", "taken"]:
                logged = [each.verdict for each in await DeliveryLog(database).last("ds8", 10)]
                await asyncio.sleep(0.05)
            await database.close()


async def test_what_is_reported_to_one_replica_is_shown_by_all(folder: Path) -> None:
    said = {"course": "ds8", "commit": "c" * 40, "state": "up_to_date"}
    view = {**said, "user": "zoe", "updated_at": 1.8e9}
    for name in ("one", "other"):
        (folder / name).mkdir()
    with redis(folder / "redis") as url:
        async with (
            played(folder / "one", Events(url)) as one,
            played(folder / "other", Events(url)) as other,
        ):
            await listening_at(url, 2)
            assert await one.post("views", "ada-token", said) == 200
            assert await other.post("nodes", "node-token", {"courses": [], "views": [view]}) == 200
            for each in (one, other):
                await until_it_says(each.students, lambda students: set(students) == {"ada", "zoe"})


async def listening_at(url: str, replicas: int) -> None:
    """Until so many replicas hear what is told there."""
    async with Redis.from_url(url) as asking:
        await until_it_says(lambda: asking.pubsub_numsub("synced-folders /"), lambda said: said[0][1] == replicas)


async def until_it_says(ask: Callable[[], Awaitable[Any]], fits: Callable[[Any], bool]) -> None:
    for _ in range(1_000):
        if fits(said := await ask()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(said)


async def test_a_replica_goes_on_alone_while_redis_is_away(folder: Path) -> None:
    heard: list[str] = []
    with redis(folder / "redis") as url:
        one, other = Events(url), Events(url)
        one.on("hint", lambda value: heard.append(f"one {value}"))
        other.on("hint", lambda value: heard.append(f"other {value}"))
        listening = [asyncio.create_task(each.run()) for each in (one, other)]
        await listening_at(url, 2)
        await one.tell("hint", "1")
        await until(lambda: heard == ["one 1", "other 1"])
        assert (await one.first("x", 60), await other.first("x", 60)) == (True, False)
    await one.tell("hint", "2")
    assert await one.first("x", 60)
    assert heard[2:] == ["one 2"]
    with redis(folder / "redis"):  # it is back, at the same place
        async with asyncio.timeout(20):
            while "other 3" not in heard:
                await one.tell("hint", "3")
                await asyncio.sleep(0.1)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    await asyncio.gather(one.close(), other.close())


def test_an_address_that_is_none_of_redis_is_said() -> None:
    with pytest.raises(NeedsUser, match="redis_url"):
        Events("postgresql://x")
