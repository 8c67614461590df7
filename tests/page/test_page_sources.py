"""Asking real servers, in every state that they can be in."""

import asyncio
import os
import socket
from pathlib import Path

import pytest
from aiohttp import web
from standins import NodeStandIn, PublisherStandIn, folder

from hub_plugin import sources, words
from hub_plugin.shown import Look
from hub_plugin.sources import Node, Publisher


async def test_the_publisher_is_asked_with_its_token(publisher: PublisherStandIn) -> None:
    source = Publisher(publisher.state)
    look = await source.look()
    await source.close()
    assert look.problem is None
    assert look.document == publisher.said


async def test_the_node_is_asked_over_its_socket(node: NodeStandIn) -> None:
    source = Node(node.socket)
    look = await source.look()
    await source.close()
    assert look.problem is None
    assert look.document == node.said


async def test_a_publisher_that_starts_again_elsewhere_with_another_token_is_found(publisher: PublisherStandIn) -> None:
    source = Publisher(publisher.state)
    first = await source.look()
    await publisher.stop()
    down = await source.look()
    assert down.problem == words.PUBLISHER_DOWN
    assert (down.document, down.at) == (first.document, first.at)
    publisher.token = "not-a-secret-2"
    publisher.said = {"folders": []}
    await publisher.start()
    again = await source.look()
    await source.close()
    assert again.problem is None
    assert again.document == {"folders": []}


async def test_a_node_that_comes_back_is_found(node: NodeStandIn) -> None:
    source = Node(node.socket)
    await source.look()
    await node.stop()
    assert (await source.look()).problem == words.NODE_MISSING
    await node.start()
    assert (await source.look()).problem is None
    await source.close()


@pytest.mark.parametrize(
    ("control", "sentence"),
    [
        (None, words.PUBLISHER_MISSING),
        ("", words.PUBLISHER_STRANGE),
        ("[]", words.PUBLISHER_STRANGE),
        ('{"url": "http://127.0.0.1:1"}', words.PUBLISHER_STRANGE),
        ('{"url": 5, "token": "t"}', words.PUBLISHER_STRANGE),
        ('{"url": "http://example.org:80", "token": "t"}', words.PUBLISHER_STRANGE),
        ('{"url": "http://127.0.0.1:99999", "token": "t"}', words.PUBLISHER_STRANGE),
        ('{"url": "http://127.0.0.1:1", "token": "a\\r\\nb"}', words.PUBLISHER_STRANGE),
        ('{"url": "http://127.0.0.1:1", "token": "t"}', words.PUBLISHER_DOWN),
    ],
)
async def test_whatever_control_json_says_is_one_sentence(tmp_path: Path, control: str | None, sentence: str) -> None:
    if control is not None:
        (tmp_path / "control.json").write_text(control)
    source = Publisher(tmp_path)
    look = await source.look()
    await source.close()
    assert look.problem == sentence


async def test_a_wrong_token_is_said(publisher: PublisherStandIn) -> None:
    source = Publisher(publisher.state)
    publisher.token = "another"
    assert (await source.look()).problem == words.PUBLISHER_REFUSES
    await source.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a":' + b"1" * 5000 + b"}"])
async def test_an_answer_that_is_no_document_is_one_sentence(node: NodeStandIn, body: bytes) -> None:
    source = Node(node.socket)
    node.body = body
    look = await source.look()
    await source.close()
    assert look.problem == words.strange(words.NODE)


async def test_an_answer_without_end_is_not_swallowed(node: NodeStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_ANSWER", 1000)
    node.body = b" " * 2000 + b"{}"
    source = Node(node.socket)
    look = await source.look()
    await source.close()
    assert look.problem == words.strange(words.NODE)


async def test_a_server_that_hangs_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PATIENCE", sources.aiohttp.ClientTimeout(total=0.05))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "node.sock"))
        silent.listen()
        source = Node(tmp_path / "node.sock")
        assert (await source.look()).problem == words.slow(words.NODE)
        await source.close()


async def test_a_server_that_hangs_up_is_one_sentence(publisher: PublisherStandIn) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        publisher.say_where(f"http://127.0.0.1:{listener.getsockname()[1]}")
        source = Publisher(publisher.state)
        asking = asyncio.create_task(source.look())
        connection, _ = await asyncio.to_thread(listener.accept)
    connection.close()
    look = await asking
    await source.close()
    assert look.problem == words.PUBLISHER_DOWN


async def test_the_token_does_not_follow_a_redirect(publisher: PublisherStandIn) -> None:
    asked = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("/elsewhere")

    app = web.Application()
    app.router.add_get("/{rest:.*}", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    publisher.say_where(f"http://127.0.0.1:{runner.addresses[0][1]}")
    source = Publisher(publisher.state)
    assert (await source.look()).problem == words.strange(words.PUBLISHER)
    await source.close()
    await runner.cleanup()
    assert asked == ["/v1/status"]


@pytest.mark.parametrize(("name", "sentence"), [("publisher", words.PUBLISHER_SECRET), ("node", words.NODE_SECRET)])
def test_what_this_user_may_not_read_is_said(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "control.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "node.sock"))
        listener.listen()
        tmp_path.chmod(0)
        child = os.fork()
        if not child:
            status = 1
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                source = Publisher(tmp_path) if name == "publisher" else Node(tmp_path / "node.sock")
                status = 0 if asyncio.run(_looked(source)).problem == sentence else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    tmp_path.chmod(0o700)


async def _looked(source: Publisher | Node) -> Look:
    look = await source.look()
    await source.close()
    return look


async def test_an_unchanged_answer_is_not_taken_apart_again(publisher: PublisherStandIn) -> None:
    source = Publisher(publisher.state)
    publisher.body = b'{"folders": []}'
    first = await source.look()
    second = await source.look()
    assert second.document is first.document
    publisher.said, publisher.body = {"folders": [folder()]}, None
    third = await source.look()
    await source.close()
    assert third.document != first.document
