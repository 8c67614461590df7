"""One student's agent, as its parent has it: what is kept of it, and how it is forked."""

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from syncd.agent.become import Student, become
from syncd.agent.kept import KEEPER, Kept
from syncd.agent.news import MOST_COURSES, Answers, News
from syncd.agent.service import Told
from syncd.agent.zygote import Birth, Forked, Life, Zygote
from syncd.log_fields import about

_log = logging.getLogger(__name__)
_FIRST_AGAIN_S, LONGEST_AGAIN_S = 0.02, 30.0
"""How long after a crash an agent is started again."""
_SERVED_S, _SETTLED_S = 0.3, 60.0
LONGEST_HANG_S = 1.0
"""Who asks something of a folder whose agent crashed gets an error only if the next one takes longer than that."""
LONGEST_NAME = 63
"""Of a node: what fits into a host's name, and into a message to the parent."""
_COURSES, _SHARED, _PAGE, _DOOR, _ASLEEP, _ANSWERS = "courses", "shared", "page ", "door ", "asleep", "answers"


@dataclass(frozen=True, slots=True)
class Given:
    """What a child is given."""

    doors: Mapping[str, int]
    """Descriptors of the courses' content."""
    shared: bool | None
    """Whether other machines have the disk of homes, too; None: as the kind of disk says."""
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
    """Where it tells of each course that shows (S and its place in `courses`), of another node that has the folders (W
    and its name), of what to keep (see `kept`), that it did as it was woken for (D), and its exit status last (X)."""
    kept: Kept = field(default_factory=Kept)
    answers: Answers = field(init=False)
    """There once it was begun."""
    wake: int = -1
    """The end of a pipe that wakes it (see `service.Told`); -1: it was started by an earlier parent."""
    shown: set[str] = field(default_factory=set)
    elsewhere: str = ""
    """The node that has the folders, where it is not this one."""
    started: float = 0.0
    again_at: float | None = None
    pause_s: float = _FIRST_AGAIN_S
    ending: bool = False
    ends_by: float = float("inf")
    """When it is killed, if it was told to end and has not: a student can stop an agent that is theirs."""
    status: int = 1
    """Its exit status, where it told it."""
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


def pause_after(lived_s: float, pause_s: float) -> float:
    """How long to wait with the next start of an agent that crashed, after `pause_s` the last time.

    One that can't even start is tried ever less often; one that served meanwhile is back soon, however often it dies.
    """
    if lived_s > _SETTLED_S:
        return _FIRST_AGAIN_S
    if lived_s > _SERVED_S:
        return min(pause_s * 1.25, LONGEST_HANG_S)
    return min(pause_s * 2, LONGEST_AGAIN_S)


def begin(
    zygote: Zygote, agent: Running, courses: Mapping[str, Path], pages: Mapping[str, int], shared: bool | None
) -> Forked:
    """A new agent's process.  OSError leaves nothing behind.

    `pages` (MOST_COURSES) are where versions are posted; `shared`: see `AgentConfig`.
    """
    asleep, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    opened = [asleep]
    fds = {_ASLEEP: asleep, _ANSWERS: agent.answers.fd, **{_PAGE + name: fd for name, fd in pages.items()}}
    try:
        for name, content in list(courses.items())[:MOST_COURSES]:
            with contextlib.suppress(OSError):  # not there yet: the agent asks the node for it then
                opened.append(os.open(content, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
                fds[_DOOR + name] = opened[-1]
        forked = zygote.fork(
            agent.who,
            fds,
            {_COURSES: list(courses), _PAGE: list(pages), _SHARED: [] if shared is None else [str(shared)]},
        )
    except OSError:
        os.close(wake)
        raise
    finally:
        for fd in opened:
            os.close(fd)
    agent.wake = wake
    return forked


def living(work: Work) -> Life:
    """What an agent does from its birth to its end."""

    def live(birth: Birth) -> NoReturn:
        status, who, say, fds = 1, birth.who, birth.say, birth.fds
        try:
            os.setsid()
            courses = tuple(birth.said[_COURSES])
            doors = {name.removeprefix(_DOOR): fd for name, fd in fds.items() if name.startswith(_DOOR)}
            become(who, {say, *fds.values()})
            answers = Answers(fds[_ANSWERS])
            news = {name: News(fds[_PAGE + name], answers, place) for place, name in enumerate(birth.said[_PAGE])}
            for name, fd in fds.items():
                if name == _ANSWERS or name.startswith(_PAGE):
                    os.close(fd)  # it is mapped
            os.environ[KEEPER] = str(say)
            told = Told(news, fds[_ASLEEP], lambda: _say(say, b"D"))
            shared = next((word == str(True) for word in birth.said[_SHARED]), None)
            given = Given(
                doors,
                shared,
                lambda name: _say(say, b"S%d" % courses.index(name)),
                lambda node: _say(say, b"W" + node.encode()[:LONGEST_NAME]),
                told,
            )
            status = work(who, courses, given)
        except Exception:  # noqa: BLE001 - the end of a process
            about(_log, user=who.name).exception("the agent of %s ended", who.name)
        finally:
            _say(say, b"X%c" % status)
            os._exit(status)

    return live


def _say(say: int, word: bytes) -> None:
    with contextlib.suppress(OSError):  # the parent is gone: nobody wants to know
        os.write(say, word)
