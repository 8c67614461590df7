"""Asking the publisher and the node how things are.  Every failure becomes one sentence on the page, none an error."""

import asyncio
import errno
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from yarl import URL

from hub_plugin import words
from hub_plugin.cleaned import path_of
from hub_plugin.shown import Look
from syncd.core.errors import NeedsUser, TryAgain

LARGEST_ANSWER = 32 * 1024 * 1024  # bytes; a class of a thousand with long lists of notes has some 2 MB
PATIENCE = aiohttp.ClientTimeout(total=4, connect=2)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Down(Exception):
    """The source can't be asked just now; says why in one sentence."""


class Looked(Protocol):
    """What a page looks at: what was said last, and asking anew, which never raises."""

    who: str
    last: Look

    async def look(self) -> Look: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


class Source(ABC):
    """A source of one status document.  `look` never raises; what was said last stays known while it is down."""

    who: str

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._body = b""
        self.last = Look(problem=words.silent(self.who))

    async def look(self) -> Look:
        """Ask now."""
        try:
            body = await self._ask()
            if body != self._body or self.last.document is None:
                self.last, self._body = Look(_document(body, self.who), time.time()), body
            else:
                self.last = Look(self.last.document, time.time())
        except _Down as down:
            self.last = Look(self.last.document, self.last.at, str(down))
        return self.last

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @abstractmethod
    async def _ask(self) -> bytes: ...

    @abstractmethod
    def _connector(self) -> aiohttp.BaseConnector: ...

    @abstractmethod
    def _failure(self, code: int | None) -> str:
        """The sentence for a connection that fails with an errno."""

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=self._connector(), timeout=PATIENCE)
        return self._session

    async def _get(self, url: URL, headers: Mapping[str, str]) -> bytes:
        try:
            # No redirects: the token goes to the server that control.json names and nowhere else.
            async with self._open().get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status in (401, 403):
                    raise _Down(words.PUBLISHER_REFUSES if self.who == words.PUBLISHER else words.NODE_SECRET)
                if answer.status != 200:
                    raise _Down(words.strange(self.who))
                return await _capped(answer, self.who)
        except TimeoutError as error:
            raise _Down(words.slow(self.who)) from error
        except aiohttp.ClientConnectorError as error:
            raise _Down(self._failure(error.os_error.errno)) from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise _Down(self._failure(getattr(error, "errno", None))) from error
        except aiohttp.ClientError as error:
            raise _Down(words.strange(self.who)) from error


@dataclass(frozen=True, slots=True)
class _Control:
    """Where the publisher listens, and its token; read anew each time, since both change with every start."""

    url: URL
    token: str


class Publisher(Source):
    """The publisher of this person, found through the state folder's `control.json`."""

    who = words.PUBLISHER

    def __init__(self, state: Path) -> None:
        super().__init__()
        self._file = state / "control.json"

    async def _ask(self) -> bytes:
        control = await asyncio.to_thread(_control, self._file)
        return await self._get(control.url / "v1/status", {"Authorization": f"Bearer {control.token}"})

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """Have the publisher do or tell something of its control.

        NeedsUser with the publisher's own sentence if it says no, TryAgain if it can't be asked.
        """
        try:
            control = await asyncio.to_thread(_control, self._file)
            url = control.url.with_path(path)
            headers = {"Authorization": f"Bearer {control.token}"}
            session, patience = self._open(), aiohttp.ClientTimeout(total=30, connect=2)
            async with session.request(
                method, url, json=body, headers=headers, allow_redirects=False, timeout=patience
            ) as answer:
                said = _document(await _capped(answer, self.who), self.who)
                if answer.status == 401:
                    raise TryAgain(words.PUBLISHER_REFUSES)
                if answer.status != 200:
                    raise NeedsUser(path_of(said.get("error")) or words.strange(self.who))
                return said
        except _Down as down:
            raise TryAgain(str(down)) from down
        except TimeoutError as error:
            raise TryAgain(words.slow(self.who)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TryAgain(words.PUBLISHER_DOWN) from error

    def _connector(self) -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector(limit=2)

    def _failure(self, code: int | None) -> str:
        return words.PUBLISHER_DOWN


class Node(Source):
    """The node's service on this computer, behind its unix socket."""

    who = words.NODE

    def __init__(self, socket: Path) -> None:
        super().__init__()
        self._socket = socket

    async def _ask(self) -> bytes:
        return await self._get(URL("http://node/v1/status"), {})

    async def hint(self, course: str) -> None:
        """Have the node look at a course's remote now.  TryAgain, with its sentence, if it does not take the hint."""
        try:
            async with self._open().post(URL("http://node/v1/courses") / course / "hint", json={}) as answer:
                if answer.status != 202:
                    raise TryAgain(words.UNFOLLOWED_YET if answer.status == 404 else words.strange(self.who))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TryAgain(words.NODE_MISSING) from error

    async def metrics(self) -> str:
        """The node's metrics in Prometheus' form; '' if it does not give them."""
        try:
            async with self._open().get(URL("http://node/metrics"), allow_redirects=False) as answer:
                body = await _capped(answer, self.who) if answer.status == 200 else b""
                return body.decode("utf-8", "replace")
        except (_Down, aiohttp.ClientError, OSError, TimeoutError):
            return ""

    async def add(self, course: str, remote: str, branch: str | None, member: str) -> None:
        """Have the node follow a course, for one more member.  NeedsUser, with its sentence, if it says no."""
        said = {"name": course, "remote": remote, "branch": branch, "member": member}
        try:
            async with self._open().post(URL("http://node/v1/added"), json=said) as answer:
                if answer.status not in (200, 201):
                    raise NeedsUser(path_of(await answer.text()) or words.strange(self.who))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TryAgain(words.NODE_MISSING) from error

    def _connector(self) -> aiohttp.BaseConnector:
        return aiohttp.UnixConnector(path=str(self._socket), limit=2)

    def _failure(self, code: int | None) -> str:
        return words.NODE_SECRET if code in (errno.EACCES, errno.EPERM) else words.NODE_MISSING


def _control(path: Path) -> _Control:
    try:
        found = json.loads(path.read_bytes())
        url, token = URL(found["url"]), found["token"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _Down(words.PUBLISHER_MISSING) from error
    except PermissionError as error:
        raise _Down(words.PUBLISHER_SECRET) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _Down(words.PUBLISHER_STRANGE) from error
    fit = url.scheme == "http" and url.host in _LOOPBACK and isinstance(token, str) and token.isprintable()
    if not fit or not token.isascii():
        raise _Down(words.PUBLISHER_STRANGE)
    return _Control(url, token)


async def _capped(answer: aiohttp.ClientResponse, who: str) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise _Down(words.strange(who))
    return bytes(body)


def _document(body: bytes, who: str) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Down(words.strange(who)) from error
    if not isinstance(document, dict):
        raise _Down(words.strange(who))
    return document
