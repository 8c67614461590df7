"""Limits of what one user may ask of the node's socket, so that nobody can stall it for others.

Per user: so many connections, and so many requests a second (a faster one waits, and nobody else).  The node's own
user and root are not limited.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from syncd.node.accepting import Accepting
from syncd.node.views import Peer, peer_of

MOST_CONNECTIONS = 64
_BURST, _PER_SECOND = 200.0, 50.0
_MOST_WAITING_S = 30.0
_FORGOTTEN_AT = 10_000


@dataclass(slots=True)
class _Bucket:
    """What a user may still ask, and when that was reckoned."""

    left: float
    at: float


class Limits:
    """Counts, by user."""

    def __init__(self, own_uid: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Those of one node."""
        self._own_uid, self._clock = own_uid, clock
        self.connections: Counter[int] = Counter()
        self._buckets: dict[int, _Bucket] = {}

    def are_for(self, peer: Peer) -> bool:
        """Whether the peer is limited at all."""
        return not peer.is_trusted(self._own_uid)

    def hung_up(self, peer: Peer) -> None:
        """A connection has ended."""
        self.connections[peer.uid] -= 1
        if not self.connections[peer.uid]:
            del self.connections[peer.uid]

    def wait_s(self, peer: Peer) -> float | None:
        """How long a request must wait, in seconds; None: it is one of too many and gets no answer."""
        if not self.are_for(peer):
            return 0.0
        now = self._clock()
        if len(self._buckets) > _FORGOTTEN_AT:
            self._buckets = {uid: one for uid, one in self._buckets.items() if now - one.at < _BURST / _PER_SECOND}
        bucket = self._buckets.setdefault(peer.uid, _Bucket(_BURST, now))
        bucket.left = min(_BURST, bucket.left + (now - bucket.at) * _PER_SECOND)
        bucket.at = now
        if bucket.left < -_MOST_WAITING_S * _PER_SECOND:
            return None
        bucket.left -= 1
        return max(0.0, -bucket.left / _PER_SECOND)


class Admission:
    """Lets connections in.  All of it belongs to the event loop.

    Whoever has too many is hung up on before anything is made for the connection, so that a flood of
    them costs less than it costs the one who sends it.
    """

    def __init__(self, listener: socket.socket, server: Callable[[], asyncio.Protocol], limits: Limits) -> None:
        """`listener`: listening, not blocking; `server` makes what speaks with one peer."""
        self._server, self._limits = server, limits
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[None]] = set()
        self._accepting = Accepting(listener, self._welcome)

    def close(self) -> None:
        """Let nobody in any more."""
        self._accepting.close()

    def _welcome(self, connection: socket.socket) -> None:
        peer = peer_of(connection)
        if self._limits.are_for(peer) and self._limits.connections[peer.uid] >= MOST_CONNECTIONS:
            connection.close()
            return
        self._limits.connections[peer.uid] += 1
        task = self._loop.create_task(self._begin(connection, peer))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket, peer: Peer) -> None:
        connection.setblocking(False)
        await self._loop.connect_accepted_socket(
            lambda: _Counted(self._server(), lambda: self._limits.hung_up(peer)), connection
        )


class _Counted(asyncio.Protocol):
    """A connection whose end is told; everything else is the server's own protocol's."""

    def __init__(self, inner: asyncio.Protocol, ended: Callable[[], None]) -> None:
        self._inner, self._ended = inner, ended
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]
        self.connection_made = inner.connection_made  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()
        self._inner.connection_lost(exc)
