"""Handing a course's content to its members: as a descriptor, since no path leads there for them.

One question and one answer per conversation, over a SOCK_SEQPACKET socket beside the node's: the name of a
course, and then `+` with an O_PATH descriptor of its content folder, or `-` and a sentence.  Nobody can
hold the service up: nothing is waited for, and a conversation that stays silent is ended.
"""

import asyncio
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from syncd.node.accepting import Accepting
from syncd.node.views import Peer, peer_of

_log = logging.getLogger(__name__)
_LONGEST_NAME = 64
_MOST_PER_USER = 16
_PATIENCE_S = 2.0
_BACKLOG = 4096
"""A whole class may come at once; Linux takes what net.core.somaxconn allows."""

Door = Callable[[str, Peer], Path | str]
"""The content folder that a peer gets for a course's name, or the sentence that says why not."""


class Doorkeeper:
    """Answers until closed.  All of it belongs to the event loop."""

    def __init__(self, listener: socket.socket, door: Door) -> None:
        """`listener`: SOCK_SEQPACKET, listening, not blocking."""
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._talking: dict[socket.socket, tuple[Peer, asyncio.TimerHandle]] = {}
        self._per_user: Counter[int] = Counter()
        self._accepting = Accepting(listener, self._welcome)

    def close(self) -> None:
        """End all conversations."""
        self._accepting.close()
        for peer in list(self._talking):
            self._part(peer)

    def _welcome(self, asking: socket.socket) -> None:
        peer = peer_of(asking)
        if self._per_user[peer.uid] >= _MOST_PER_USER:
            asking.close()
            return
        asking.setblocking(False)
        self._per_user[peer.uid] += 1
        self._talking[asking] = peer, self._loop.call_later(_PATIENCE_S, self._part, asking)
        self._loop.add_reader(asking, self._hear, asking)

    def _hear(self, asking: socket.socket) -> None:
        try:
            # Without room for descriptors none can be pushed on us.
            words = asking.recv(_LONGEST_NAME + 1)
            if 0 < len(words) <= _LONGEST_NAME:
                self._answer(asking, words.decode(errors="replace"))
        except OSError as error:
            _log.debug("a question for a course's content went wrong: %s", error)
        self._part(asking)

    def _answer(self, asking: socket.socket, course: str) -> None:
        found = self._door(course, self._talking[asking][0])
        if isinstance(found, str):
            asking.send(b"-" + found.encode()[:400])
            return
        content = os.open(found, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            socket.send_fds(asking, [b"+"], [content])
        finally:
            os.close(content)

    def _part(self, asking: socket.socket) -> None:
        peer, timer = self._talking.pop(asking)
        timer.cancel()
        self._loop.remove_reader(asking)
        asking.close()
        self._per_user[peer.uid] -= 1
        if not self._per_user[peer.uid]:
            del self._per_user[peer.uid]


def listen_at(path: Path, kind: socket.SocketKind = socket.SOCK_SEQPACKET) -> socket.socket:
    """Listen for everybody's questions; what an earlier service left there is replaced at once.

    The socket gets its name only when it listens and may be asked, so that nobody meets one that refuses them.
    """
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, kind)
    try:
        listener.bind(str(aside))
        aside.chmod(0o666)  # who asks is told by the kernel
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        aside.rename(path)
    except OSError:
        listener.close()
        raise
    return listener
