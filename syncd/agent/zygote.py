"""The process that all agents are forked from: it has imported everything and does nothing else.

A child shares memory with it for as long as neither writes to it, and CPython writes a reference count into whatever it
looks at.  A parent that serves in between writes to other pages before every fork, and leaves each child the old ones
for itself alone: a megabyte of each agent's.  So the agents' parent keeps this one beside it (as Android and Chromium
do, who call it a zygote), which runs a few lines for each fork.  It holds nothing of any student either, which a child
of the parent's itself would be born with.
"""

import contextlib
import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from syncd.agent.become import Student, close_all_but

_LONGEST, _MOST_FDS = 128 << 10, 253  # SCM_MAX_FD
_PATIENCE_S = 5.0
_HELLO, _GO = b"P", b"G"

Life = Callable[["Birth"], NoReturn]
"""What a child does; it does not return."""


class Birth(NamedTuple):
    """What a child is born with; it is root's still."""

    who: Student
    say: int
    """Where it talks to who asked for it."""
    fds: Mapping[str, int]
    """The descriptors that it was given."""
    said: Mapping[str, Sequence[str]]
    """And the words."""


class Forked(NamedTuple):
    """A process that was forked.  It is no child of ours: its end shows in its pidfd.

    It begins when it is told to (`go`), so that whoever asked for it can write down first that it is there; and ends if
    whoever asked is gone before that.
    """

    pid: int
    pidfd: int
    hear: socket.socket
    """Where it talks to us (SOCK_SEQPACKET)."""

    def go(self) -> None:
        """Let it begin."""
        with contextlib.suppress(OSError):  # it is gone already, which its pidfd says
            self.hear.send(_GO)


class Zygote:
    """The side of who asks.  Not thread-safe."""

    def __init__(self, life: Life) -> None:
        """Forks at once: what is to be shared must have been imported."""
        self._life = life
        self._pid, self._talk = self._begin()

    def fork(self, who: Student, fds: Mapping[str, int], said: Mapping[str, Sequence[str]]) -> Forked:
        """A new process with copies of `fds` (250 at most).  OSError leaves nothing behind."""
        hear, say = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with say:
                self._ask(_words(who, list(fds), said), [say.fileno(), *fds.values()])
            hear.settimeout(_PATIENCE_S)
            words, got, _, _ = socket.recv_fds(hear, 64, 1, socket.MSG_CMSG_CLOEXEC)
            if words[:1] != _HELLO or len(got) != 1:
                number = int(words) if words.isdigit() else errno.ECHILD
                raise OSError(number, os.strerror(number))
        except OSError:
            hear.close()
            raise
        hear.setblocking(False)
        return Forked(int(words[1:]), got[0], hear)

    def close(self) -> None:
        """End it; what was forked goes on."""
        self._talk.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _ask(self, words: bytes, fds: Sequence[int]) -> None:
        try:
            socket.send_fds(self._talk, [words], fds)
        except (BrokenPipeError, ConnectionResetError):
            self.close()  # somebody killed it
            self._pid, self._talk = self._begin()
            socket.send_fds(self._talk, [words], fds)

    def _begin(self) -> tuple[int, socket.socket]:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, its):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LONGEST)
        pid = os.fork()
        if pid == 0:
            try:
                close_all_but({its.fileno()})
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with who keeps it
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
                _serve(its, self._life)
            finally:
                os._exit(1)
        its.close()
        return pid, ours


def _serve(talk: socket.socket, life: Life) -> None:
    """As few lines as can be: what they touch is what children do not share."""
    while True:
        words, fds, _, _ = socket.recv_fds(talk, _LONGEST, _MOST_FDS, socket.MSG_CMSG_CLOEXEC)
        if not words:
            os._exit(0)
        try:
            if os.fork() == 0:
                _be_born(words, fds, life)
        except OSError as problem:
            os.write(fds[0], b"%d" % (problem.errno or errno.EAGAIN))
        for fd in fds:
            os.close(fd)


def _be_born(words: bytes, fds: Sequence[int], life: Life) -> NoReturn:
    try:
        birth = _birth(words, fds)
        with socket.socket(fileno=os.dup(birth.say)) as talk:
            pidfd = os.pidfd_open(os.getpid())
            socket.send_fds(talk, [_HELLO + b"%d" % os.getpid()], [pidfd])
            word = talk.recv(1)
        if word == _GO:
            life(birth)
    finally:
        os._exit(1)


def _words(who: Student, names: Sequence[str], said: Mapping[str, Sequence[str]]) -> bytes:
    return json.dumps([[who.name, who.uid, who.gid, who.groups, str(who.home)], names, said]).encode()


def _birth(words: bytes, fds: Sequence[int]) -> Birth:
    (name, uid, gid, groups, home), names, said = json.loads(words)
    who = Student(name, uid, gid, tuple(groups), Path(home))
    return Birth(who, fds[0], dict(zip(names, fds[1:], strict=True)), said)
