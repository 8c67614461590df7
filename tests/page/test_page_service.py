"""The server over real sources: the page, its stream, its headers, and who may read it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from standins import NodeStandIn, PublisherStandIn, commit, folder, view

from hub_plugin import service, watch, words
from hub_plugin.service import make_app
from hub_plugin.sources import Node, Publisher

Client = TestClient[Any, Any]


SOON_S = 0.05


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL_S", SOON_S)


@pytest.fixture
async def client(publisher: PublisherStandIn, node: NodeStandIn) -> AsyncIterator[Client]:
    app = make_app(Publisher(publisher.state), Node(node.socket), "http://u:p@127.0.0.1:9/course.git")
    async with TestClient(TestServer(app), timeout=None) as client:
        yield client


async def patch(stream: ClientResponse) -> dict[str, Any]:
    """The next patch of a stream."""
    while True:
        line = await asyncio.wait_for(stream.content.readline(), 5)
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            found: dict[str, Any] = json.loads(line[6:])
            found["pieces"] = {name: unescape(html) for name, html in found["pieces"].items()}
            return found


async def test_the_page_is_complete_at_first_load(client: Client) -> None:
    answer = await client.get("/")
    html = await answer.text()
    assert answer.status == 200
    for said in (
        "v37: 3 of 3",
        "Up to date",
        "Update lab 37",
        "ada",
        "chi",
        "http://127.0.0.1:9/course.git",
    ):
        assert said in html
    assert "u:p@" not in html


async def test_every_answer_has_the_security_headers(client: Client) -> None:
    for path in ("/", "/static/nothing", "/nothing", "/events?since=x"):
        answer = await client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Server" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
        answer.close()


async def test_another_name_for_this_computer_is_refused(client: Client) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "a@localhost", "", "[::1", "localhost:"):
        for path in ("/", "/events", "/static/x"):
            answer = await client.get(path, headers={"Host": host})
            assert (answer.status, await answer.text()) == (403, words.BAD_HOST)
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_loopback_names_are_welcome(client: Client) -> None:
    for host in ("127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:1"):
        assert (await client.get("/", headers={"Host": host})).status == 200


async def test_the_page_can_only_be_read(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await client.request(method, "/")
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


async def test_static_files_have_their_content_in_their_name_and_nothing_else_is_served(client: Client) -> None:
    html = await (await client.get("/")).text()
    paths = [part.split('"')[0] for part in html.split("static/")[1:]]
    assert {path.rpartition(".")[2] for path in paths} == {"svg", "css", "js"}
    for path in paths:
        answer = await client.get(f"/static/{path}")
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
    for path in ("page.css", "..%2f__init__.py", "%2e%2e/words.py", "../words.py", "page.css%00"):
        assert (await client.get(f"/static/{path}")).status == 404
    assert (await client.get("/")).headers["Cache-Control"] == "no-store"


async def test_markup_has_no_inline_script_or_style_and_asks_nobody_else(client: Client) -> None:
    html = await (await client.get("/")).text()
    assert "<style" not in html
    assert " style=" not in html
    assert html.count("<script") == 1
    assert "<script src=" in html
    for attribute in ("href", "src"):
        for value in html.split(f'{attribute}="')[1:]:
            assert value.startswith(("static/", "#"))


async def test_an_open_page_is_told_what_changed_and_only_that(client: Client, node: NodeStandIn) -> None:
    html = await (await client.get("/")).text()
    version = html.split('data-version="')[1].split('"')[0]
    async with client.get("/events", params={"since": version}) as stream:
        assert stream.content_type == "text/event-stream"
        node.said["views"][1] = view("ben", waiting=["lab.ipynb"])
        found = await patch(stream)
    rows = [html for name, html in found["pieces"].items() if name.startswith("view-")]
    assert len(rows) == 1
    assert "1 file waits" in rows[0]
    assert found["version"] != version


async def test_nothing_is_sent_while_nothing_changes_but_a_heartbeat(
    client: Client, node: NodeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HEARTBEAT_S", 4 * SOON_S)
    html = await (await client.get("/")).text()
    version = html.split('data-version="')[1].split('"')[0]
    async with client.get("/events", params={"since": version}) as stream:
        asked = node.asked
        lines = [await asyncio.wait_for(stream.content.readline(), 5) for _ in range(4)]
        assert node.asked > asked
    assert lines == [b"retry: 1000\n", b"\n", b": still here\n", b"\n"]


async def test_a_reader_that_comes_back_is_told_what_it_missed(client: Client, node: NodeStandIn) -> None:
    html = await (await client.get("/")).text()
    version = html.split('data-version="')[1].split('"')[0]
    node.said["views"].append(view("dan", commit=commit(36)))
    await asyncio.sleep(2 * SOON_S)
    await client.get("/")
    async with client.get("/events", params={"since": "old"}, headers={"Last-Event-ID": version}) as stream:
        found = await patch(stream)
    assert any("dan" in html for html in found["pieces"].values())
    assert not any("ada" in html for html in found["pieces"].values())


async def notices(stream: ClientResponse, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """The patch that brings such notices; a machine that is busy may say something else before."""
    while not wanted((found := await patch(stream))["pieces"].get("notices", "")):
        pass
    return found


async def test_a_source_that_goes_is_said_and_comes_back_by_itself(
    client: Client, publisher: PublisherStandIn, node: NodeStandIn
) -> None:
    html = await (await client.get("/")).text()
    version = html.split('data-version="')[1].split('"')[0]
    async with client.get("/events", params={"since": version}) as stream:
        await node.stop()
        await notices(stream, lambda said: words.NODE_MISSING in said)
        await node.start()
        await notices(stream, lambda said: bool(said) and "<li>" not in said)
        await publisher.stop()
        await notices(stream, lambda said: words.PUBLISHER_DOWN in said)
        publisher.token = "not-a-secret-3"
        publisher.said = {"folders": [folder(state="pushing", waiting=["a"])]}
        await publisher.start()
        found = await notices(stream, lambda said: bool(said) and "<li>" not in said)
        assert any("Publishing 1 file ..." in html for html in found["pieces"].values())


async def test_sources_that_were_never_there_are_one_sentence_each(tmp_path: Path) -> None:
    app = make_app(Publisher(tmp_path), Node(tmp_path / "node.sock"))
    async with TestClient(TestServer(app)) as client:
        html = unescape(await (await client.get("/")).text())
    assert html.count(words.PUBLISHER_MISSING) == 1
    assert html.count(words.NODE_MISSING) == 1


@pytest.mark.parametrize("given", ["publisher", "node"])
async def test_one_source_is_enough(publisher: PublisherStandIn, node: NodeStandIn, given: str) -> None:
    only = (Publisher(publisher.state), None) if given == "publisher" else (None, Node(node.socket))
    async with TestClient(TestServer(make_app(*only))) as client:
        html = unescape(await (await client.get("/")).text())
    assert (words.NO_NODE if given == "publisher" else words.NO_PUBLISHER) in html


async def test_nobody_is_asked_while_nobody_watches(client: Client, node: NodeStandIn) -> None:
    await client.get("/")
    asked = node.asked
    await asyncio.sleep(10 * SOON_S)
    assert node.asked == asked


async def test_many_readers_ask_the_sources_no_more_often_than_one(client: Client, node: NodeStandIn) -> None:
    streams = [await client.get("/events") for _ in range(20)]
    for stream in streams:
        await patch(stream)
    asked = node.asked
    await asyncio.sleep(10 * SOON_S)
    assert node.asked - asked <= 12
    for stream in streams:
        stream.close()


async def test_too_many_readers_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_READERS", 1)
    async with client.get("/events") as first:
        await patch(first)
        assert (await client.get("/events")).status == 503


async def test_open_streams_do_not_keep_the_service_from_ending(publisher: PublisherStandIn) -> None:
    client = TestClient(TestServer(make_app(Publisher(publisher.state), None)))
    await client.start_server()
    stream = await client.get("/events")
    await patch(stream)
    async with asyncio.timeout(3):
        await client.server.close()
        await stream.content.read()
    assert stream.content.at_eof()
    await client.close()
