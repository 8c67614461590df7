"""A course's newest version, in memory that all its agents read: nobody is woken by an update.

The agents' parent writes; a page is sealed, so that nobody else can.  Agents answer in a page of their own, by how far
each of their courses has come.  Both hold words of 64 bits that are stored whole, which struct does not promise.

A page has the version's number, then two places for what is said of it, of which each version takes the other one: as
long as the number is the same, nobody writes to its place.
"""

import contextlib
import fcntl
import json
import mmap
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from syncd.core.entry import CommitId, RelPath
from syncd.view import Posted

_ROOM = 256 << 10
_SIZE = mmap.PAGESIZE + 2 * _ROOM
_SIZED = 0x0002 | 0x0004  # F_SEAL_SHRINK, F_SEAL_GROW
_SEALS = _SIZED | 0x0010  # F_SEAL_FUTURE_WRITE: our own mapping stays
MOST_COURSES = 120
"""Of one agent, which is given their pages and contents as descriptors in one message (see `Zygote.fork`); it asks the
node for more than these."""


class Page:
    """The writer's side, of one course."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("news", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, _SIZE)
        self._map = mmap.mmap(self.fd, _SIZE)
        self._map.madvise(mmap.MADV_DONTFORK)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)
        self._words = memoryview(self._map).cast("Q")

    @property
    def version(self) -> int:
        """How many were posted."""
        return self._words[0]

    def post(self, line: bytes) -> Posted | None:
        """Say what is the newest from now on, by a line of the node's (of its `follow`); None: it isn't one."""
        version = self.version + 1
        posted = _posted(version, line)
        if posted is None:
            return None
        if len(line) > _ROOM - 8:
            posted = replace(posted, since=None, paths=None)
            line = _line(posted)
        at = mmap.PAGESIZE + version % 2 * _ROOM
        self._words[at // 8] = len(line)
        self._map[at + 8 : at + 8 + len(line)] = line
        self._words[0] = version  # from here on it counts
        return posted


@dataclass(frozen=True, slots=True)
class Switched:
    """A view went over to a version by itself, at a time (seconds since the epoch)."""

    posted: Posted
    at: float


class News:
    """A reader's side, of one course in one agent; see `syncd.view.Newest`."""

    def __init__(self, fd: int, answers: "Answers", place: int) -> None:
        """`place`: the course's, among the agent's."""
        self._map = mmap.mmap(fd, _SIZE, prot=mmap.PROT_READ)
        self._words = memoryview(self._map).cast("Q")
        self._answers, self._place = answers, place
        self.switched: Switched | None = None

    @property
    def version(self) -> int:
        """How many were posted."""
        return self._words[0]

    def read(self) -> Posted | None:
        """The newest; None if there is none yet."""
        while version := self.version:
            at = mmap.PAGESIZE + version % 2 * _ROOM
            line = self._map[at + 8 : at + 8 + min(self._words[at // 8], _ROOM - 8)]
            if self.version == version:
                return _posted(version, line)
        return None

    def settle(self, posted: Posted, by_itself: bool) -> None:
        """The view shows this version; `by_itself`: because somebody looked, and the agent need not know."""
        if by_itself:
            self.switched = Switched(posted, time.time())
        self._answers.say(self._place, posted.version, by_itself)


class Answers:
    """What an agent answers, for each of its courses; made by its parent, and given to the agent as a descriptor."""

    def __init__(self, given: int | None = None) -> None:
        """`given`: the descriptor, in the agent."""
        if given is None:
            self.fd = os.memfd_create("answers", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(self.fd, mmap.PAGESIZE)
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SIZED)
        self._map = mmap.mmap(self.fd if given is None else given, mmap.PAGESIZE)
        self._map.madvise(mmap.MADV_DONTFORK)
        self._words = memoryview(self._map).cast("Q")

    def close(self) -> None:
        """The parent's side, once the agent has it: it stays mapped."""
        os.close(self.fd)

    def say(self, place: int, version: int, by_itself: bool) -> None:
        """The agent's side."""
        self._words[place] = version << 1 | by_itself

    def of(self, place: int) -> tuple[int, bool]:
        """The version that a course has come to, and whether it went over by itself."""
        word = self._words[place]
        return word >> 1, bool(word & 1)


def _line(posted: Posted) -> bytes:
    said = {"commit": posted.commit, "manifest": str(posted.manifest), "blobs": str(posted.blobs)}
    return json.dumps({**said, "ready_at": posted.ready_at}).encode()


def _posted(version: int, line: bytes) -> Posted | None:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        said = json.loads(line)
        since, paths = said.get("since"), said.get("paths")
        return Posted(
            version,
            CommitId(said["commit"]),
            Path(said["manifest"]),
            Path(said["blobs"]),
            float(said["ready_at"]),
            CommitId(since) if since else None,
            {RelPath(path): kind for path, kind in paths.items()} if paths is not None else None,
        )
    return None
