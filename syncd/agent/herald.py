"""Telling a node's agents of new versions: one look at the node for all, one page of memory, one word to each kernel.

Part of the agents' parent, on its loop.  A version is posted (`news`), and the kernel of every mount told that what
it knows may be old: whoever looks from then on sees the new version, and an agent that is asked for nothing is not
woken.  Those are gone through afterwards, a few at a time, so that merges are made and told of; what many views did
by themselves is reported in one message.
"""

import json
import logging
import os
import selectors
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from syncd.agent.news import MOST_COURSES, Answers, Page
from syncd.agent.update import up_to_date
from syncd.core.entry import RelPath
from syncd.log_fields import about
from syncd.view import Posted

_log = logging.getLogger(__name__)
_LONGEST_LINE = 4 << 20
_SILENCE_S = 45.0
"""The node says something every 15 s."""
_FIRST_AGAIN_S, _LONGEST_AGAIN_S = 0.2, 15.0
_SWEPT_AFTER_S = 0.3
"""Who looks comes first; the others have time."""
_AT_ONCE = 2 * (os.cpu_count() or 1)
_ANSWER_S = 15.0
_LOOK_AGAIN_S = 0.05
_WAKE, _NUDGE = b".", b"n"

Notices = Callable[[Mapping[RelPath, str] | None], list[bytes]]
"""What to write to each mount's device, for a version that changes these paths."""


class Agent(Protocol):
    """As far as it is told of versions."""

    courses: tuple[str, ...]
    answers: Answers
    wake: int
    started: float
    """When it was, on the monotonic clock."""

    def devices(self) -> Iterable[int]:
        """Of its mounts."""
        ...

    @property
    def user(self) -> str:
        """Whose it is."""
        ...

    @property
    def uid(self) -> int:
        """The same, as a number."""
        ...

    @property
    def hears(self) -> bool:
        """Whether it runs, and was started by us."""
        ...


@dataclass(slots=True)
class _Course:
    page: Page = field(default_factory=Page)
    talk: socket.socket | None = None
    heard: bytes = b""
    in_body: bool = False
    heard_at: float = 0.0
    again_at: float = 0.0
    pause_s: float = _FIRST_AGAIN_S
    posted: Posted | None = None
    posted_s: float = 0.0
    """When, on the monotonic clock."""
    swept_at: float | None = None
    """When the agents that nobody asked are gone through."""
    visible_s: float = 0.0
    """From ready until all kernels were told."""
    woken: set[int] = field(default_factory=set)
    """Agents that were woken for `posted`."""


class Herald:
    """Follows the courses whose agents run."""

    def __init__(
        self,
        node: Path,
        waiting: selectors.BaseSelector,
        agents: Callable[[], Iterable[Agent]],
        notices: Notices,
        watching: Callable[[], Collection[int]],
    ) -> None:
        """`node`: its socket; `waiting`: the loop's, in which a key's data is called.

        `watching`: which users have programs that watch folders of such a mount.
        """
        self._node, self._waiting, self._agents = node, waiting, agents
        self._notices, self._watching = notices, watching
        self._courses: dict[str, _Course] = {}
        self._woken: dict[int, tuple[Agent, float]] = {}

    def page(self, course: str) -> Page:
        """Where a course's versions are posted from now on."""
        if course not in self._courses:
            self._courses[course] = _Course()
            self._connect(course, self._courses[course])
        return self._courses[course].page

    def greet(self, agent: Agent) -> None:
        """It has told of a mount: a version that was posted since it began may have passed that one by."""
        if any(self._courses[name].posted_s > agent.started for name in agent.courses if name in self._courses):
            for device in agent.devices():
                _write(device, self._notices(None))

    def done(self, agent: Agent) -> None:
        """An agent that was woken has come as far as it can."""
        self._woken.pop(id(agent), None)

    def due_s(self) -> float:
        """When something is due, on the monotonic clock."""
        due = [
            course.again_at if course.talk is None else course.heard_at + _SILENCE_S
            for course in self._courses.values()
        ]
        due += [course.swept_at for course in self._courses.values() if course.swept_at is not None]
        return min(due, default=float("inf"))

    def do_what_is_due(self) -> None:
        """Connect again, and go through the agents."""
        now = time.monotonic()
        for name, course in self._courses.items():
            if course.talk is None and course.again_at <= now:
                self._connect(name, course)
            elif course.talk is not None and course.heard_at + _SILENCE_S <= now:
                self._lost(course)
        self._woken = {key: one for key, one in self._woken.items() if one[1] > now and one[0].hears}
        for name, course in self._courses.items():
            if course.swept_at is not None and course.swept_at <= now:
                self._sweep(name, course)

    # Following the node

    def _connect(self, name: str, course: _Course) -> None:
        talk = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        talk.setblocking(False)
        try:
            talk.connect(str(self._node))
            talk.send(f"GET /v1/courses/{quote(name)}/follow HTTP/1.0\r\nHost: node\r\n\r\n".encode())
        except OSError:
            talk.close()
            self._lost(course)
            return
        course.talk, course.heard, course.in_body, course.heard_at = talk, b"", False, time.monotonic()
        self._waiting.register(talk, selectors.EVENT_READ, lambda: self._hear(name, course))

    def _lost(self, course: _Course) -> None:
        if course.talk is not None:
            self._waiting.unregister(course.talk)
            course.talk.close()
            course.talk = None
        course.again_at = time.monotonic() + course.pause_s
        course.pause_s = min(2 * course.pause_s, _LONGEST_AGAIN_S)

    def _hear(self, name: str, course: _Course) -> None:
        assert course.talk is not None
        try:
            part = course.talk.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part or len(course.heard) > _LONGEST_LINE:
            self._lost(course)
            return
        course.heard_at = time.monotonic()
        course.heard += part
        if not course.in_body:
            head, end, rest = course.heard.partition(b"\r\n\r\n")
            if not end:
                return
            if head.split(b" ")[1:2] != [b"200"]:
                self._lost(course)
                return
            course.in_body, course.heard = True, rest
        *lines, course.heard = course.heard.split(b"\n")
        for line in lines:
            if line != b"{}" and (posted := course.page.post(line)) is not None:
                course.pause_s = _FIRST_AGAIN_S
                self._post(name, course, posted)

    # Telling of a version

    def _post(self, name: str, course: _Course, posted: Posted) -> None:
        began = time.monotonic()
        course.posted, course.posted_s, course.swept_at = posted, began, began + _SWEPT_AFTER_S
        course.visible_s = max(0.0, time.time() - posted.ready_at)
        course.woken.clear()
        if not any(agent.hears and name in agent.courses for agent in self._agents()):
            return
        devices = [device for agent in self._agents() if name in agent.courses for device in agent.devices()]
        first, *more = self._notices(posted.paths)
        for words in ([first], more):  # names, which is what people look by, before listings
            for device in devices:
                _write(device, words)
        about(_log, course=name, commit=posted.commit).debug(
            "%d mounts told in %.1f ms", len(devices), (time.monotonic() - began) * 1000
        )

    def _sweep(self, name: str, course: _Course) -> None:
        """Wake some of those who are not at the newest version; report those who are."""
        posted = course.posted
        assert posted is not None
        there = [agent for agent in self._agents() if agent.hears and name in agent.courses[:MOST_COURSES]]
        answers = {id(agent): agent.answers.of(agent.courses.index(name)) for agent in there}
        behind = [agent for agent in there if answers[id(agent)][0] < posted.version]
        waits = [agent for agent in behind if id(agent) not in course.woken]
        for agent in waits[: max(0, _AT_ONCE - len(self._woken))]:
            course.woken.add(id(agent))
            self._woken[id(agent)] = agent, time.monotonic() + _ANSWER_S
            _write(agent.wake, [_WAKE])
        is_under_way = waits or any(id(agent) in self._woken for agent in behind)
        course.swept_at = time.monotonic() + _LOOK_AGAIN_S if is_under_way else None
        if not is_under_way:
            # One of them may be asked for something any time yet; its own report tells of that.
            users = [agent.user for agent in there if answers[id(agent)] == (posted.version, True)]
            if users:
                self._report(name, course, posted, users)
            for agent in self._watched(there):
                _write(agent.wake, [_NUDGE])

    def _watched(self, agents: Sequence[Agent]) -> list[Agent]:
        watching = self._watching()
        return [agent for agent in agents if agent.uid in watching]

    def _report(self, name: str, course: _Course, posted: Posted, users: list[str]) -> None:
        said = {
            "course": name,
            "commit": posted.commit,
            "users": users,
            "sentence": up_to_date(len(posted.paths or ())),
            "visible_s": course.visible_s,
        }
        body = json.dumps(said).encode()
        head = f"POST /v1/views/switched HTTP/1.0\r\nHost: node\r\nContent-Length: {len(body)}\r\n"
        _ask_and_forget(self._node, f"{head}Content-Type: application/json\r\n\r\n".encode() + body, self._waiting)


def _ask_and_forget(node: Path, request: bytes, waiting: selectors.BaseSelector) -> None:
    """Whoever misses it hears of the views again when their agents report, at most half a minute later."""
    talk = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    talk.setblocking(False)

    def hear() -> None:
        try:
            if talk.recv(1 << 16):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        waiting.unregister(talk)
        talk.close()

    try:
        talk.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, len(request) + (64 << 10))
        talk.connect(str(node))
        talk.send(request)
        waiting.register(talk, selectors.EVENT_READ, hear)
    except OSError as problem:
        _log.debug("not reported: %s", problem)
        talk.close()


def _write(fd: int, words: Iterable[bytes]) -> None:
    for word in words:
        try:
            os.write(fd, word)
        except OSError:
            continue  # what a kernel does not know it can't be wrong about; and a mount or an agent may be gone
