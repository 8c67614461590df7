"""A listener of the node while the process has no descriptor left."""

import asyncio
import os
import resource
import socket
from pathlib import Path

import pytest

from syncd.node import accepting
from syncd.node.accepting import Accepting


class _Counting(socket.socket):
    """Knows how often it was asked."""

    asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        return super().accept()


async def test_who_knocks_while_no_descriptor_is_left_waits_and_the_loop_does_not_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "_PAUSE_S", 0.2)
    listener = _Counting(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    listener.setblocking(False)
    came: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
    taking = Accepting(listener, came.set_result)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    knocking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    full = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (knocking.fileno() + 8, hard))
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                full.append(os.dup(0))
        knocking.connect(str(tmp_path / "s"))
        for _ in range(50):  # turns of the loop, each of which finds the listener readable
            await asyncio.sleep(0)
        assert listener.asked < 10, "it looks away, but for a moment at a time"
    finally:
        for fd in full:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        (await asyncio.wait_for(came, 20)).close()
    finally:
        taking.close()
        knocking.close()
