"""What the agents' parent is asked at its socket: one question in each connection, and one answer, maybe later."""

import contextlib
import json
import logging
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.core.errors import NeedsUser

_log = logging.getLogger(__name__)
_LONGEST = 4096
_LONGEST_WAIT_S = 30.0

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """The answer waits until a student's folders show, for `wait_s` at most."""

    uid: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class _Asker:
    peer: socket.socket
    uid: int
    until: float


class Asked:
    """Listens, and keeps those who wait."""

    def __init__(
        self,
        listener: socket.socket,
        waiting: selectors.BaseSelector,
        answer: Callable[[str, Mapping[str, Any]], Answer | Wait],
    ) -> None:
        """`listener`: SOCK_SEQPACKET; `waiting`: the loop's, in which a key's data is called.

        `answer`: to what is to be done, and all that was said.  It may raise NeedsUser, or ValueError, KeyError and
        TypeError for what is no question.
        """
        self._listener, self._waiting, self._answer = listener, waiting, answer
        self._askers: list[_Asker] = []

    def begin(self) -> None:
        """Take questions."""
        self._listener.setblocking(False)
        self._waiting.register(self._listener, selectors.EVENT_READ, self._welcome)

    def is_awaited(self, uid: int) -> bool:
        """Whether somebody waits for a student's folders."""
        return any(asker.uid == uid for asker in self._askers)

    def due_s(self) -> float:
        """When the first of them has waited long enough, on the monotonic clock."""
        return min((asker.until for asker in self._askers), default=float("inf"))

    def tell(self, settled: Callable[[int], bool], answer: Callable[[int], Answer]) -> None:
        """Answer those who have waited long enough, and those for whose student nothing more is to come."""
        now = time.monotonic()
        for asker in list(self._askers):
            if asker.until <= now or settled(asker.uid):
                self._askers.remove(asker)
                _tell(asker.peer, answer(asker.uid))

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            peer, _ = self._listener.accept()
            peer.setblocking(False)
            self._waiting.register(peer, selectors.EVENT_READ, lambda: self._hear(peer))

    def _hear(self, peer: socket.socket) -> None:
        self._waiting.unregister(peer)
        try:
            said = json.loads(peer.recv(_LONGEST) or b"{}")
            answer = self._answer(said["do"], said)
            if isinstance(answer, Wait):
                until = time.monotonic() + min(answer.wait_s, _LONGEST_WAIT_S)
                self._askers.append(_Asker(peer, answer.uid, until))
            else:
                _tell(peer, answer)
        except NeedsUser as problem:
            _tell(peer, {"error": str(problem)})
        except (OSError, ValueError, KeyError, TypeError) as problem:
            _log.debug("not a question: %s", problem)
            _tell(peer, {"error": "That is not a question that the agents' parent knows."})


def _tell(peer: socket.socket, said: Answer) -> None:
    with contextlib.suppress(OSError), peer:
        peer.send(json.dumps(said).encode())
