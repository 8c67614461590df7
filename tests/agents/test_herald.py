"""Whom the agents' parent tells of a version."""

import json
import os
import selectors
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncd.agent.herald import Herald
from syncd.agent.news import Answers

EPOCH = b"look names up again"


@dataclass
class OneAgent:
    started: float
    mounts: list[int] = field(default_factory=list)
    courses: tuple[str, ...] = ("ds8",)
    answers: Answers = field(default_factory=Answers)
    wake: int = -1
    user: str = "ada"
    uid: int = 1
    hears: bool = True

    def devices(self) -> list[int]:
        return self.mounts


@pytest.fixture
def device() -> Iterator[tuple[int, int]]:
    read, write = os.pipe2(os.O_NONBLOCK)
    yield read, write
    os.close(read)
    os.close(write)


def told(read: int) -> bytes:
    try:
        return os.read(read, 100)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize("began_before", [True, False])
def test_mount_that_is_heard_of_late_is_told_of_what_passed_it_by(began_before: bool, device: tuple[int, int]) -> None:
    read, write = device
    agents: list[OneAgent] = []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as node:
        node.bind(f"{folder}/node.sock")
        node.listen()
        waiting = selectors.DefaultSelector()
        herald = Herald(Path(f"{folder}/node.sock"), waiting, lambda: agents, lambda paths: [EPOCH], frozenset)
        page = herald.page("ds8")
        if began_before:
            agents.append(OneAgent(time.monotonic()))
        peer, _ = node.accept()
        line = json.dumps({"commit": "a" * 40, "manifest": "/m", "blobs": "/b", "ready_at": time.time()})
        peer.sendall(f"HTTP/1.0 200 OK\r\n\r\n{line}\n".encode())
        while page.version == 0:
            for key, _ in waiting.select(10):
                key.data()
        if not began_before:
            agents.append(OneAgent(time.monotonic()))
        agents[0].mounts.append(write)
        assert told(read) == b""
        herald.greet(agents[0])
        assert told(read) == (EPOCH if began_before else b"")
        peer.close()
