"""What agents report of their views: kept in memory, each with the time it came, for those who may see it."""

import functools
import pwd
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.core.errors import NeedsUser

_TEXTS = ("user", "course", "kind", "root", "commit", "state", "sentence")
_LISTS = ("waiting", "notes")
_NUMBERS = ("visible_s", "beside", "kept_bytes")
"""Seconds from ready to visible of what shows, files put beside since the agent's start, bytes of the layer."""
_LONGEST_TEXT, _LONGEST_LIST = 4_096, 200
_MOST_PER_PEER, _MOST = 64, 20_000
_LARGEST_NUMBER = 1 << 50

Reported = Callable[[Mapping[str, Any] | None, Mapping[str, Any]], None]
"""Hears of each report, with the one before it of the same view."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED)."""

    uid: int
    name: str

    def is_trusted(self, own_uid: int) -> bool:
        """Whether this is root or the node's own user, who may speak for others."""
        return self.uid in (0, own_uid)


def peer_of(connection: socket.socket) -> Peer:
    """The peer's user, by the kernel."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return _named(uid)


@functools.lru_cache(maxsize=10_000)
def _named(uid: int) -> Peer:
    """Kept for good: users may come from a directory in the network, and who answers must not wait for it."""
    try:
        return Peer(uid, pwd.getpwuid(uid).pw_name)
    except KeyError:
        return Peer(uid, str(uid))


class Views:
    """The newest report of each view, by who sent it, user and course."""

    def __init__(self, own_uid: int, reported: Reported = lambda before, view: None) -> None:
        self._own_uid, self._reported = own_uid, reported
        self._kept: OrderedDict[tuple[int, str, str], dict[str, Any]] = OrderedDict()

    @property
    def count(self) -> int:
        """How many views have reported since the start."""
        return len(self._kept)

    def report(self, peer: Peer, said: object) -> Mapping[str, Any]:
        """Keep a report, and return what is kept.  NeedsUser if it isn't one.

        Whom it is about is the peer, unless that one is trusted.
        """
        if not isinstance(said, Mapping):
            raise NeedsUser("A view's report must be a JSON object.")
        view: dict[str, Any] = {key: _text(said.get(key)) for key in _TEXTS}
        view |= {key: _texts(said.get(key)) for key in _LISTS}
        view |= {key: _number(said[key]) for key in _NUMBERS if said.get(key) is not None}
        if not peer.is_trusted(self._own_uid) or not view["user"]:
            view["user"] = peer.name
        view["updated_at"] = time.time()
        key = (peer.uid, view["user"], view["course"] or "")
        if key not in self._kept and not peer.is_trusted(self._own_uid):
            mine = sum(1 for uid, _, _ in self._kept if uid == peer.uid)
            if mine >= _MOST_PER_PEER:
                raise NeedsUser(f"{peer.name} has reported {mine} views already, more than a node keeps.")
        self._reported(self._kept.get(key), view)
        self._kept[key] = view
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return view

    def switched(
        self, course: str, users: Collection[str], commit: str, sentence: str, visible_s: float | None
    ) -> Iterator[tuple[Peer, Mapping[str, Any]]]:
        """Views of a course that show another version now, and nothing of theirs waits; what is kept of each."""
        wanted = frozenset(users)
        for key in [key for key in self._kept if key[2] == course and key[1] in wanted]:
            before = self._kept[key]
            news: dict[str, Any] = {
                "commit": _text(commit),
                "state": "up_to_date",
                "sentence": _text(sentence),
                "waiting": [],
            }
            view = {**before, **news, "updated_at": time.time()}
            view |= {"visible_s": _number(visible_s)} if visible_s is not None else {}
            self._reported(before, view)
            self._kept[key] = view
            self._kept.move_to_end(key)
            yield Peer(key[0], key[1]), view

    def heard_since(self, moment: float) -> Iterator[Mapping[str, Any]]:
        """The views that reported after a moment (seconds since the epoch)."""
        for view in reversed(self._kept.values()):
            if view["updated_at"] < moment:
                return
            yield view

    def all(self) -> list[dict[str, Any]]:
        """Every view."""
        return list(self._kept.values())

    def seen_by(self, peer: Peer, readers: Collection[str]) -> list[dict[str, Any]]:
        """All views for those who may see all; for others their own."""
        if peer.is_trusted(self._own_uid) or peer.name in readers:
            return self.all()
        return [view for (uid, _, _), view in self._kept.items() if uid == peer.uid]


def _text(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise NeedsUser("A view's report holds something else where a text belongs.")
    return value[:_LONGEST_TEXT]


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_NUMBER:
        raise NeedsUser("A view's report holds something else where a number belongs.")
    return value


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise NeedsUser("A view's report holds something else where a list of texts belongs.")
    return [one[:_LONGEST_TEXT] for one in value[:_LONGEST_LIST]]
