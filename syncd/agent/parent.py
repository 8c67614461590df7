"""The parent of a node's agents: forks one for a student who needs it, and starts it again if it crashes.

`syncd agents run`, as root.  It mounts nothing and reads nothing of a student's: an agent becomes the student first
(`become`) and has its mounts made by the broker.  It is forked from a process that has imported everything (`zygote`),
so that students share that memory.  Who asks is root or the hub (the socket's group); what an agent says is of a fixed
form.  Agents live on when their parent ends; the next one finds them again (`records`).
"""

import contextlib
import logging
import os
import re
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from syncd.agent.alone import elsewhere_sentence
from syncd.agent.asked import Answer, Asked, Wait
from syncd.agent.become import Student, student
from syncd.agent.cgroup import Groups
from syncd.agent.herald import Agent, Herald
from syncd.agent.news import MOST_COURSES, Answers
from syncd.agent.records import Record, Records, began, opened
from syncd.agent.running import LONGEST_HANG_S, Running, begin, pause_after
from syncd.agent.zygote import Zygote
from syncd.core.errors import NeedsUser
from syncd.log_fields import about
from syncd.sd_notify import Telling, tell_ready, tell_stopping

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[^ A-Za-z0-9._-]")
"""What is in no name of a node: an agent, which says it, is not trusted."""
_LONGEST_ASKED_S = 1.0
"""Who has just asked for an agent waits no longer for its next start."""
_LONGEST_END_S = 10.0
"""After that long an agent that was told to end is killed."""
_LOOK_S = 5.0


class Courses(Protocol):
    """The node's settings, as they are now."""

    def of(self, who: Student) -> Mapping[str, Path]:
        """The courses of which somebody is a member, and where their content lies."""
        ...

    @property
    def shared_homes(self) -> bool | None:
        """Whether other nodes have the students' homes, too; None: as their disk says."""
        ...


class Parent:
    """Serves until told to end."""

    def __init__(
        self,
        listener: socket.socket,
        records: Records,
        groups: Groups,
        courses: Courses,
        zygote: Zygote,
        idle_s: float,
        herald: Callable[[selectors.BaseSelector, Callable[[], Iterable[Agent]]], Herald],
    ) -> None:
        """`listener`: SOCK_SEQPACKET.  An agent whose student has had no process for `idle_s` is ended."""
        self._records, self._groups = records, groups
        self._courses, self._zygote, self._idle_s = courses, zygote, idle_s
        self._agents: dict[int, Running] = {}
        self._waiting = selectors.DefaultSelector()
        self._asked = Asked(listener, self._waiting, self._answer)
        self._herald = herald(self._waiting, self._agents.values)
        self._looked = time.monotonic()
        self._telling = Telling()

    def words(self) -> str:
        """All agents in one line, for `systemctl status`."""
        running = sum(bool(agent.pid) for agent in self._agents.values())
        shown = sum(bool(agent.courses) and agent.shown.issuperset(agent.courses) for agent in self._agents.values())
        return f"agents: {running} run, {shown} show all their folders"

    def run(self, end: int) -> None:
        """Until there is something to read from `end`; the agents go on."""
        self._asked.begin()
        self._waiting.register(end, selectors.EVENT_READ, None)
        tell_ready("looks for the agents that run already")  # who asks meanwhile waits in the listener's queue
        self._adopt()
        self._telling.go_on(self.words())
        while True:
            for key, _ in self._waiting.select(self._pause_s()):
                if key.fd == end:
                    tell_stopping()
                    return
                key.data()
            self._do_what_is_due()

    # What is asked

    def _answer(self, what: str, said: Mapping[str, Any]) -> Answer | Wait:
        if what == "list":
            return {"agents": [self._facts(agent) for agent in self._agents.values()]}
        who = student(str(said["user"]))
        if what == "end":
            self._end(who.uid)
            return {"user": who.name, "ended": True}
        if what != "ensure":
            raise ValueError(what)
        wait_s = float(said.get("wait_s", 0.0))
        self._ensure(who)
        return Wait(who.uid, wait_s)

    def _ensure(self, who: Student) -> None:
        agent, courses = self._agents.get(who.uid), self._courses.of(who)
        if not courses:
            self._end(who.uid)
            raise NeedsUser(f"{who.name} is a member of no course on this node.")
        if agent is None:
            self._agents[who.uid] = agent = Running(who, tuple(courses))
            self._start(agent, courses)
        elif set(agent.courses) != set(courses):
            # A course has come or gone: it begins anew as soon as it has ended.
            self._end(who.uid)
            self._agents[who.uid] = agent
            agent.courses, agent.again_at = tuple(courses), time.monotonic()
            agent.shown.clear()
        elif agent.ending or agent.again_at is not None:
            agent.again_at = time.monotonic()  # whoever asks need not wait for the pause after a crash
        agent.used = time.monotonic()

    def _facts(self, agent: Running) -> dict[str, Any]:
        folders = [
            {
                "course": name,
                "folder": str(agent.who.home / name),
                "state": "ready" if name in agent.shown else "elsewhere" if agent.elsewhere else "starting",
            }
            for name in agent.courses
        ]
        said = {"sentence": elsewhere_sentence(agent.elsewhere)} if agent.elsewhere else {}
        return {"user": agent.who.name, "pid": agent.pid, "folders": folders, **said}

    # Starting and ending

    def _start(self, agent: Running, courses: Mapping[str, Path]) -> None:
        """Where descriptors, processes or memory have run out it is tried again by itself."""
        agent.courses, agent.elsewhere = tuple(courses), ""
        agent.shown.clear()
        try:
            agent.answers = Answers()
            pages = {name: self._herald.page(name).fd for name in list(courses)[:MOST_COURSES]}
            try:
                forked = begin(self._zygote, agent, courses, pages, self._courses.shared_homes)
            finally:
                agent.answers.close()
        except OSError as problem:
            agent.pause_s = pause_after(0.0, agent.pause_s)
            agent.again_at = time.monotonic() + agent.pause_s
            about(_log, user=agent.who.name).warning(
                "the agent of %s can't be started just now (%s); it is tried again", agent.who.name, problem.strerror
            )
            return
        self._groups.add(agent.who.uid, forked.pid)
        self._watch(agent, forked.pid, forked.pidfd, forked.hear)
        self._remember(agent)
        forked.go()  # not before: a parent that comes after us must know of it

    def _remember(self, agent: Running) -> None:
        record = Record(agent.who.name, agent.pid, began(agent.pid) or 0, agent.kept.numbers)
        self._records.keep(agent.who.uid, record)

    def _watch(self, agent: Running, pid: int, pidfd: int, talk: socket.socket | None) -> None:
        agent.pid, agent.pidfd, agent.talk, agent.status = pid, pidfd, talk, 1
        agent.started, agent.again_at, agent.ending, agent.ends_by = time.monotonic(), None, False, float("inf")
        self._waiting.register(pidfd, selectors.EVENT_READ, lambda: self._ended(agent))
        if talk is not None:
            self._waiting.register(talk, selectors.EVENT_READ, lambda: self._heard(agent))

    def _heard(self, agent: Running) -> None:
        assert agent.talk is not None
        try:
            words, fds, _, _ = socket.recv_fds(agent.talk, 64, 2, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            words, fds = b"", []
        if not words:
            self._deaf(agent)
        elif words[:1] == b"S":
            agent.shown.update(agent.courses[place] for place in _places(words[1:]) if place < len(agent.courses))
            agent.elsewhere = ""
        elif words[:1] == b"W":
            agent.elsewhere = _NAME.sub("?", words[1:].decode(errors="replace"))
        elif words[:1] == b"X":
            agent.status = words[1] if len(words) > 1 else 1
        elif words[:1] == b"D":
            self._herald.done(agent)
        elif agent.kept.heard(agent.talk, words, list(fds)):
            self._remember(agent)
            self._herald.greet(agent)

    def _deaf(self, agent: Running) -> None:
        if agent.talk is not None:
            self._waiting.unregister(agent.talk)
            agent.talk.close()
            agent.talk = None

    def _ended(self, agent: Running) -> None:
        while agent.talk is not None:
            self._heard(agent)  # what it said last, until the end
        self._waiting.unregister(agent.pidfd)
        os.close(agent.pidfd)
        self._deaf(agent)
        lived_s = time.monotonic() - agent.started
        agent.pid, agent.pidfd = 0, -1
        if agent.hears:
            os.close(agent.wake)
            agent.wake = -1
        agent.shown.clear()
        if agent.ending or agent.status == 0:
            self._records.drop(agent.who.uid)
            agent.kept.close()
            if agent.again_at is None:
                self._groups.remove(agent.who.uid)
                self._agents.pop(agent.who.uid, None)
            return
        agent.pause_s = pause_after(lived_s, agent.pause_s)
        pause_s = min(agent.pause_s, _LONGEST_ASKED_S) if self._asked.is_awaited(agent.uid) else agent.pause_s
        agent.again_at = time.monotonic() + pause_s
        if pause_s > LONGEST_HANG_S:
            agent.kept.close()
        about(_log, user=agent.who.name).warning("the agent of %s died and is started again", agent.who.name)

    def _end(self, uid: int) -> None:
        agent = self._agents.get(uid)
        if agent is None:
            return
        agent.again_at = None
        if not agent.pid:
            self._agents.pop(uid).kept.close()
            self._records.drop(uid)
            return
        if not agent.ending:
            agent.ending, agent.ends_by = True, time.monotonic() + _LONGEST_END_S
        agent.shown.clear()
        _signal(agent, signal.SIGTERM)

    def _adopt(self) -> None:
        """Find the agents of an earlier parent; those that died meanwhile are started again."""
        for uid, record in list(self._records.all()):
            try:
                who = student(record.user)
                courses = self._courses.of(who)
            except NeedsUser:
                self._records.drop(uid)
                continue
            agent = self._agents[uid] = Running(who, tuple(courses), used=time.monotonic())
            pidfd = opened(record)
            if pidfd is None:
                agent.again_at = time.monotonic()
            else:
                self._watch(agent, record.pid, pidfd, None)
                agent.kept.take(pidfd, record.kept)
                agent.shown.update(name for name in courses if _is_mounted(who, name))

    # Time

    def _pause_s(self) -> float:
        now = time.monotonic()
        due = [agent.again_at for agent in self._agents.values() if agent.again_at is not None and not agent.pid]
        due += [agent.ends_by for agent in self._agents.values() if agent.ending]
        due += [self._looked + _LOOK_S, self._herald.due_s(), self._asked.due_s()]
        return max(0.0, min(due) - now)

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        for agent in list(self._agents.values()):
            if agent.again_at is not None and not agent.pid and agent.again_at <= now:
                courses = self._courses.of(agent.who)
                if courses:
                    self._start(agent, courses)
                else:
                    agent.again_at = None
                    self._end(agent.who.uid)
            elif agent.ending and agent.ends_by <= now:
                agent.ends_by = float("inf")
                _signal(agent, signal.SIGKILL)
        self._asked.tell(self._is_settled, self._told)
        self._herald.do_what_is_due()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            self._end_idle(now)
            self._telling.go_on(self.words())

    def _is_settled(self, uid: int) -> bool:
        found = self._agents.get(uid)
        return found is None or bool(found.elsewhere) or (not found.ending and found.shown.issuperset(found.courses))

    def _told(self, uid: int) -> Answer:
        found = self._agents.get(uid)
        return self._facts(found) if found else {"error": "The agent ended at once; see its log."}

    def _end_idle(self, now: float) -> None:
        """A student without any process can have nothing open in a folder that only they can enter."""
        there = _uids()
        for uid, agent in list(self._agents.items()):
            if uid in there:
                agent.used = now
            elif now - agent.used > self._idle_s and agent.pid and not agent.ending:
                about(_log, user=agent.who.name).info(
                    "the agent of %s ends: nobody has used it for %.0f s", agent.who.name, self._idle_s
                )
                self._end(uid)


def _places(word: bytes) -> list[int]:
    """The place that an agent, which is not trusted, names; none if it names none."""
    return [int(word)] if word.isdigit() else []


def _signal(agent: Running, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(agent.pidfd, number)


def _uids() -> set[int]:
    """Whose processes run.  Agents do not count: what may not be looked into is root's (PR_SET_DUMPABLE, proc(5))."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found.add(os.stat(f"/proc/{entry.name}/environ").st_uid)
    return found


def _is_mounted(who: Student, course: str) -> bool:
    wanted = os.fsencode(who.home / course)
    with open("/proc/self/mountinfo", "rb") as table:
        return any(b" %s " % wanted in line and b"user_id=%d," % who.uid in line for line in table)
