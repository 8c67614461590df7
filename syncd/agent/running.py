"""One student's agent, as its parent has it: what is kept of it, and how it is forked."""

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn

from syncd.agent.become import Student, become
from syncd.agent.kept import KEEPER, Kept
from syncd.agent.news import Answers, News
from syncd.agent.service import Told
from syncd.log_fields import about

_log = logging.getLogger(__name__)
FIRST_AGAIN_S = 0.02
LONGEST_NAME = 63
"""Of a node: what fits into a host's name, and into a message to the parent."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a child is given."""

    doors: Mapping[str, int]
    """Descriptors of the courses' content."""
    shown: Callable[[str], None]
    """To be called once a course shows."""
    elsewhere: Callable[[str], None]
    """To be called with the node that has the folders, while it is waited for."""
    told: Told


Work = Callable[[Student, Sequence[str], Given], int]
"""A child's life, as the student, for some courses.

Its result is the exit status; 0 if it ended because it was told to.
"""


@dataclass(slots=True)
class Running:
    """An agent that runs, or will again."""

    who: Student
    courses: tuple[str, ...]
    pid: int = 0
    pidfd: int = -1
    talk: socket.socket | None = None
    """Where the child tells of each course that shows (S and its place in `courses`), of another node that has the
    folders (W and its name), and what to keep (see `kept`)."""
    kept: Kept = field(default_factory=Kept)
    answers: Answers = field(default_factory=Answers)
    wake: int = -1
    """The end of a pipe that wakes it (see `service.Told`); -1: it was started by an earlier parent."""
    shown: set[str] = field(default_factory=set)
    elsewhere: str = ""
    """The node that has the folders, where it is not this one."""
    adopted: bool = False
    started: float = 0.0
    again_at: float | None = None
    pause_s: float = FIRST_AGAIN_S
    ending: bool = False
    used: float = 0.0

    @property
    def user(self) -> str:
        """The name of whom it is."""
        return self.who.name

    @property
    def uid(self) -> int:
        """The number of whom it is."""
        return self.who.uid

    @property
    def hears(self) -> bool:
        """Whether it runs and can be woken."""
        return self.wake >= 0

    def devices(self) -> Iterable[int]:
        """Of its mounts."""
        return self.kept.devices()


class Forked(NamedTuple):
    """A process that was forked."""

    pid: int
    pidfd: int
    hear: socket.socket
    """Where it talks to its parent."""


def fork(agent: Running, courses: Mapping[str, Path], pages: Mapping[str, int], work: Work) -> Forked:
    """A new agent's process; `pages` are where its courses' versions are posted.  OSError leaves nothing behind."""
    doors: dict[str, int] = {}
    hear, say = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asleep, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        for name, content in courses.items():
            with contextlib.suppress(OSError):  # not there yet: the agent asks the node for it then
                doors[name] = os.open(content, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _live(agent, tuple(courses), doors, pages, asleep, say.fileno(), work)
        agent.answers.keep_from_others()
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)  # nobody would notice its end
            os.waitpid(pid, 0)
            raise
    except OSError:
        hear.close()
        os.close(wake)
        raise
    finally:
        say.close()
        for fd in (asleep, *doors.values()):
            os.close(fd)
    hear.setblocking(False)
    agent.wake = wake
    return Forked(pid, pidfd, hear)


def _live(
    agent: Running,
    courses: Sequence[str],
    doors: Mapping[str, int],
    pages: Mapping[str, int],
    asleep: int,
    say: int,
    work: Work,
) -> NoReturn:
    status, who = 1, agent.who
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        become(who, {*doors.values(), *pages.values(), asleep, say})
        os.environ[KEEPER] = str(say)
        news = {name: News(page, agent.answers, place) for place, (name, page) in enumerate(pages.items())}
        for page in pages.values():
            os.close(page)  # it is mapped
        told = Told(news, asleep, lambda: _say(say, b"D"))
        given = Given(
            doors,
            lambda name: _say(say, b"S%c" % courses.index(name)),
            lambda node: _say(say, b"W" + node.encode()[:LONGEST_NAME]),
            told,
        )
        status = work(who, courses, given)
    except Exception:  # noqa: BLE001 - the end of a process
        about(_log, user=who.name).exception("the agent of %s ended", who.name)
    finally:
        os._exit(status)


def _say(say: int, word: bytes) -> None:
    with contextlib.suppress(OSError):  # the parent is gone: nobody wants to know
        os.write(say, word)
