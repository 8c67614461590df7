"""Nodes on other machines: hints reach them at once over the request that each keeps open, reports come back."""

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pygit2
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from playing import PREFIX, Service, played

from hub_plugin import fan_out
from hub_plugin.context import context_key
from syncd.core.delivery import Push
from syncd.core.errors import NeedsUser
from syncd.demo.gitserver import GitServer
from syncd.git.remote import Remote
from syncd.node.client import NodeClient
from syncd.node.config import Course, NodeConfig, hub_address
from syncd.node.service import run_node


def secret_file(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@contextlib.asynccontextmanager
async def node_of(folder: Path, hub: str, *courses: Course, poll_s: float = 3_600) -> AsyncIterator[NodeClient]:
    """A real node service that knows its hub and, in these tests, hardly ever polls."""
    started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    token = secret_file(folder / "hub.token", "node-token")
    config = NodeConfig(folder / "store", courses, poll_s, hub=hub, hub_token_file=token)
    task = asyncio.create_task(run_node(config, ready=started.set_result))
    try:
        async with NodeClient(Path((await started)["socket"])) as client:
            yield client
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(20):
        while not holds(said := await ask()):  # noqa: ASYNC110  (nothing to wait on outside)
            await asyncio.sleep(0.02)
    return said


async def linked(node: NodeClient, holds: bool = True) -> dict[str, Any]:
    found = await until(node.status, lambda said: said["hub"]["connected"] is holds)
    said: dict[str, Any] = found["hub"]
    return said


async def ready_at(node: NodeClient, commit: str) -> dict[str, Any]:
    found = await until(node.status, lambda said: said["courses"][0]["commit"] == commit)
    course: dict[str, Any] = found["courses"][0]
    return course


def context_of(service: Service) -> Any:
    app = service.client.app
    assert app is not None
    return app[context_key]


async def deliver(service: Service, commit: str, name: str) -> None:
    secret = await context_of(service).webhooks.log.secret("ds8")
    body = json.dumps({"ref": "refs/heads/main", "after": commit}).encode()
    proof = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={proof}", "X-GitHub-Event": "push", "X-GitHub-Delivery": name}
    answer = await service.client.post(f"{PREFIX}webhooks/ds8", data=body, headers=headers)
    assert answer.status == 202


def commit_on(repository: pygit2.Repository, parents: list[pygit2.Oid], text: str) -> pygit2.Oid:
    who = pygit2.Signature("Ida", "ida@example.org", 1_700_000_000)
    tree = repository.TreeBuilder()
    tree.insert("a.txt", repository.create_blob(text.encode()), pygit2.enums.FileMode.BLOB)
    return repository.create_commit("refs/heads/main", who, who, text, tree.write(), parents)


@pytest.mark.slow
async def test_a_push_reaches_a_node_elsewhere_at_once_and_one_that_was_cut_off_looks_once(tmp_path: Path) -> None:
    mine = pygit2.init_repository(str(tmp_path / "mine"), bare=True)
    async with GitServer(tmp_path / "srv", write_tokens=["w"]) as server:
        server.create("course")
        remote = Remote(server.url("course"), lambda: "w", timeout_s=10)

        async def push(text: str) -> str:
            parents = [mine.references["refs/heads/main"].target] if "refs/heads/main" in mine.references else []
            made = commit_on(mine, parents, text)  # type: ignore[arg-type]
            await asyncio.to_thread(remote.push, Path(mine.path), str(made), "main")  # type: ignore[arg-type]
            return str(made)

        first = await push("one")
        course = Course("ds8", server.url("course"), "main", secret_file(tmp_path / "token", "w"))
        (tmp_path / "hub").mkdir()
        async with contextlib.AsyncExitStack() as stack:
            service = await stack.enter_async_context(played(tmp_path / "hub"))
            port = service.client.port
            node = await stack.enter_async_context(node_of(tmp_path, f"http://127.0.0.1:{port}", course))
            await ready_at(node, first)
            await linked(node)
            await until(node.status, lambda said: said["courses"][0]["looks"] == 2)  # at its start, and when linked
            second = await push("two")
            for name in ("1", "2", "2", "3"):  # with duplicates
                await deliver(service, second, name)
            course_now = await ready_at(node, second)
            assert course_now["fetches"] == 2

            # What students' folders there are like is known to the hub.
            await node.report({"user": "zoe", "course": "ds8", "commit": second, "state": "up_to_date"})
            await until(context_of(service).everywhere.look, lambda said: "zoe" in str(said.document))
            assert (await service.students())["zoe"]["state"] == "Up to date"

            await service.client.close()
            await linked(node, False)
            third = await push("three")
            again = await stack.enter_async_context(played(tmp_path / "hub", port=port))
            await linked(node)
            assert (await ready_at(node, third))["fetches"] == 3
            await deliver(again, first, "4")  # out of order: an old one costs a look, and takes nothing back
            assert (await ready_at(node, third))["fetches"] == 3


async def lines_of(answer: Any, count: int) -> list[Any]:
    async with asyncio.timeout(10):
        return [json.loads(await answer.content.readline() or "null") for _ in range(count)]


async def test_only_nodes_listen(service: Service) -> None:
    for token, status in (("node-token", 200), ("other-token", 403), ("no-scope-token", 401), ("ada-token", 401)):
        headers = {"Authorization": f"token {token}"}
        async with service.client.get(f"{PREFIX}api/v1/nodes/events", headers=headers) as answer:
            assert answer.status == status, token
            assert status == 200 or (await answer.json())["error"]
    async with service.client.get(f"{PREFIX}api/v1/nodes/events") as answer:
        assert answer.status == 401


@contextlib.asynccontextmanager
async def listening(service: Service) -> AsyncIterator[Any]:
    headers = {"Authorization": "token node-token"}
    async with ClientSession() as session:
        url = service.client.make_url(f"{PREFIX}api/v1/nodes/events")
        async with session.get(url, headers=headers) as answer:
            assert "heartbeat_s" in (await lines_of(answer, 1))[0]
            yield answer


async def test_what_a_node_did_not_read_yet_is_told_once_and_one_that_hangs_delays_nobody(service: Service) -> None:
    nodes = context_of(service).fan_out
    async with listening(service) as hanging, listening(service) as other:
        for number in range(1_000):  # at once, before either could read
            nodes.tell("ds8", Push("main", f"{number:040x}"))
        last = {"course": "ds8", "branch": "main", "commit": f"{999:040x}"}
        assert await lines_of(other, 1) == [last]
        for number in range(2_000):  # one reads nothing of all this
            nodes.tell("ds8", Push("main" * 100, f"{number:040x}"))
            await asyncio.sleep(0)
        nodes.tell("ds8", Push("end", None))
        while (await lines_of(other, 1))[0]["branch"] != "end":
            pass
        assert await lines_of(hanging, 1) == [last]


async def test_a_node_that_is_not_welcome_any_more_is_told_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "HEARTBEAT_S", 0.05)
    async with listening(service) as answer:
        assert await lines_of(answer, 2) == [{}, {}]
        monkeypatch.setattr(context_of(service).hub, "service", _nobody)  # as if its token were revoked
        async with asyncio.timeout(10):
            while await answer.content.readline():
                pass
        context_of(service).fan_out.tell("ds8", Push(None, None))
        assert answer.content.at_eof()


async def _nobody(token: str) -> str | None:
    return None


async def test_of_too_many_requests_of_one_node_the_oldest_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "_MOST_OF_ONE", 2)
    async with contextlib.AsyncExitStack() as stack:
        first, second, third = [await stack.enter_async_context(listening(service)) for _ in range(3)]
        assert await first.content.readline() == b""
        context_of(service).fan_out.tell("ds8", Push(None, None))
        assert [len(await lines_of(each, 1)) for each in (second, third)] == [1, 1]


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(status: int, body: bytes = b"", **headers: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (answering(401), "does not know this node's token"),
        (answering(403), "node_services"),
        (answering(404), "no service at"),
        (answering(429, **{"Retry-After": "1"}), "busy"),
        (answering(302, Location="http://127.0.0.1:1/"), "answers 302"),
        (answering(500), "answers 500"),
        (answering(200, b"<html>not ours</html>\n"), "can't be reached"),
        (answering(200, b"[]\n"), "can't be reached"),
        (answering(200, b'{"heartbeat_s": "x"}\n'), "can't be reached"),
        (answering(200, b'{"heartbeat_s": 1}\n{"course": "' + b"x" * 100_000 + b'"}\n'), "can't be reached"),
        (answering(200, b'{"heartbeat_s": 1}\n'), "has ended the connection"),
    ],
)
async def test_whatever_a_hub_answers_the_node_says_it_in_a_sentence_and_goes_on(
    tmp_path: Path, handler: Handler, words: str
) -> None:
    app = web.Application()
    app.router.add_get(f"{PREFIX}api/v1/nodes/events", handler)
    async with TestServer(app) as hub, node_of(tmp_path, str(hub.make_url("/"))) as node:
        said = await until(node.status, lambda said: words in said["hub"]["sentence"])
        assert said["hub"]["connected"] is False
        assert "\n" not in said["hub"]["sentence"] and "node-token" not in said["hub"]["sentence"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("https://hub.example.edu", "https://hub.example.edu/services/synced-folders/"),
        ("https://hub.example.edu/", "https://hub.example.edu/services/synced-folders/"),
        ("https://hub.example.edu/jupyter", "https://hub.example.edu/jupyter/services/synced-folders/"),
        (
            "https://hub.example.edu:8443/a/services/course-files/",
            "https://hub.example.edu:8443/a/services/course-files/",
        ),
        ("hub.example.edu", None),
        ("ftp://hub.example.edu", None),
        ("https://", None),
        ("https://user@hub.example.edu", None),
        ("https://[hub", None),
    ],
)
def test_the_hubs_address_is_taken_as_people_write_it(text: str, where: str | None) -> None:
    if where is None:
        with pytest.raises(NeedsUser, match="no address"):
            hub_address(text)
    else:
        assert hub_address(text) == where
