"""A node's link to a hub on another machine: hints come in, reports go out.  The node opens both.

Hints come by one request that stays open (`GET api/v1/nodes/events`: JSON lines, `{}` as the sign of life).  While it
is down the node polls as ever; when it is back, each course is looked at once.  What students' folders are like goes
there after a change, and now and then (`POST api/v1/nodes`).
"""

import asyncio
import json
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from syncd.core.delivery import Push
from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.core.retry import Backoff
from syncd.node.config import hub_address, read_secret

_log = logging.getLogger(__name__)
_AGAIN = Backoff(0.5, 60.0)
_LASTED_S = 30.0
"""A link that held for so long was a good one: the next try comes soon."""
_HEARTBEAT_S = 1.0, 120.0
_PATIENCE_S = 10.0
_LONGEST_LINE = 16 << 10
_LONGEST_WISH_S = 300.0
_REPORT_AFTER_S, _REPORT_GAP_S, _REPORT_EVERY_S = 1.0, 10.0, 60.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_STARTING = "The hub is asked for the first time."
_SAID = {
    401: "The hub does not know this node's token: write the token of its service into {file}.",
    403: "The hub does not take this node: name its service in c.SyncedFolders.node_services.",
    404: "There is no service at {url}: check `hub` in node.toml, and the hub's version of Synced Folders.",
    413: "The hub does not take a report of this size.",
}


class HubLink:
    """`run` until cancelled; then it is closed.  All of it belongs to the event loop."""

    def __init__(
        self,
        address: str,
        token_file: Path,
        pushed: Callable[[str, Push], None],
        look: Callable[[], None],
        document: Callable[[], Mapping[str, Any]],
    ) -> None:
        """`pushed` hears of hints, `look` of each connection; `document` is what the hub is told."""
        self._url, self._token_file = hub_address(address), token_file
        self._pushed, self._look, self._document = pushed, look, document
        self._since: float | None = None
        self._sentence = _STARTING
        self._reported = ""
        self._changed = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether hints come in."""
        return self._since is not None

    def status(self) -> dict[str, Any]:
        """As `GET /v1/status` shows it; `since` in seconds since the epoch."""
        return {"url": self._url, "connected": self.connected, "since": self._since, "sentence": self._sentence}

    def changed(self) -> None:
        """Students' folders are not as they were."""
        self._changed.set()

    async def run(self) -> None:
        """Listen and report."""
        timeout = aiohttp.ClientTimeout(total=None, connect=_PATIENCE_S, sock_connect=_PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout, read_bufsize=_LONGEST_LINE) as session:
            reporting = asyncio.create_task(self._report(session))
            try:
                await self._listen(session)
            finally:
                reporting.cancel()
                await asyncio.gather(reporting, return_exceptions=True)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        failures = 0
        while True:
            began, wish_s = time.monotonic(), 0.0
            problem: SyncError
            try:
                await self._hear(session)
                problem = TryAgain("The hub has ended the connection; it is opened again.")
            except SyncError as error:
                problem = error
                wish_s = (error.after_s if isinstance(error, TryAgain) else None) or 0.0
            except Exception as error:  # noqa: BLE001  (the supervising loop: no answer of a hub's may end the node)
                _log.debug("the link to the hub", exc_info=error)
                problem = TryAgain(f"The hub at {self._url} can't be reached ({_why(error)}); courses are polled.")
            was, self._since = self._since is not None, None
            self._say(str(problem), logging.WARNING if was or not failures else logging.DEBUG)
            failures = 1 if time.monotonic() - began > _LASTED_S else failures + 1
            if isinstance(problem, NeedsUser):
                failures += 8  # it passes when a person acts, and asking often helps nobody
            await asyncio.sleep(max(wish_s, _AGAIN.wait_s(failures, random.random())))

    async def _hear(self, session: aiohttp.ClientSession) -> None:
        async with session.get(
            f"{self._url}api/v1/nodes/events", headers=await self._proof(), allow_redirects=False
        ) as answer:
            self._check(answer)
            heartbeat_s = float((await _line(answer, _PATIENCE_S))["heartbeat_s"])
            silence_s = 3 * min(max(heartbeat_s, _HEARTBEAT_S[0]), _HEARTBEAT_S[1])
            self._since = time.time()
            self._say("The hub tells of pushes at once.", logging.INFO)
            self._look()
            self._changed.set()
            while not answer.content.at_eof():
                said = await _line(answer, silence_s)
                if said:
                    self._pushed(str(said["course"]), _push(said))

    async def _report(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with asyncio.timeout(_REPORT_EVERY_S * (0.8 + 0.4 * random.random())):
                    await self._changed.wait()
                await asyncio.sleep(_REPORT_AFTER_S)  # a class tells of an update one after the other
            except TimeoutError:
                pass
            if not self.connected:
                self._changed.clear()  # reported as soon as it is back
                await asyncio.sleep(_REPORT_AFTER_S)
                continue
            self._changed.clear()
            problem = await self._reported_well(session)
            if problem != self._reported:
                self._reported = problem
                _log.log(logging.WARNING if problem else logging.INFO, "report to the hub: %s", problem or "taken")
            await asyncio.sleep(_REPORT_GAP_S)

    async def _reported_well(self, session: aiohttp.ClientSession) -> str:
        """Why it was not taken; '' if it was."""
        try:
            async with (
                asyncio.timeout(3 * _PATIENCE_S),
                session.post(
                    f"{self._url}api/v1/nodes",
                    json=self._document(),
                    headers=await self._proof(),
                    allow_redirects=False,
                ) as answer,
            ):
                self._check(answer)
                return ""
        except Exception as error:  # noqa: BLE001  (as above)
            return _why(error)

    async def _proof(self) -> dict[str, str]:
        token = await asyncio.to_thread(read_secret, self._token_file)
        if not token.isascii() or not token.isprintable() or not token:
            raise NeedsUser(f"{self._token_file} holds no token: write the token of this node's service there.")
        return {"Authorization": f"token {token}"}

    def _check(self, answer: aiohttp.ClientResponse) -> None:
        if answer.status == 200:
            return
        if answer.status in _SAID:
            raise NeedsUser(_SAID[answer.status].format(url=self._url, file=self._token_file))
        if answer.status in (429, 503):
            wish = answer.headers.get("Retry-After", "")
            busy = TryAgain("The hub is busy; courses are polled.")
            busy.after_s = min(float(wish), _LONGEST_WISH_S) if wish.isdecimal() else None
            raise busy
        raise TryAgain(f"The hub at {self._url} answers {answer.status}; courses are polled.")

    def _say(self, sentence: str, level: int) -> None:
        if sentence != self._sentence:
            self._sentence = sentence
            _log.log(level, "%s", sentence)


async def _line(answer: aiohttp.ClientResponse, silence_s: float) -> dict[str, Any]:
    """The next line.  ValueError if it is too long or no object, TimeoutError after so long a silence."""
    async with asyncio.timeout(silence_s):
        line = await answer.content.readline()
    said = json.loads(line) if line else {}
    if not isinstance(said, dict):
        raise ValueError("a line is no object")
    return said


def _push(said: Mapping[str, Any]) -> Push:
    branch, commit = said.get("branch"), said.get("commit")
    return Push(
        branch if isinstance(branch, str) else None,
        commit if isinstance(commit, str) and _COMMIT.fullmatch(commit) else None,
    )


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200] or type(error).__name__
