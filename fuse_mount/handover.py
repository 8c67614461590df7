"""Who keeps a mount alive when its process dies: a small child that holds the descriptor and does nothing else.

It is for processes whose starter does not do that itself (see `keeper`).  The process that serves a
mount forks it.  When that process dies without a word, the child forks a stand-in, which serves the
mount at once: callers that wait get their answer, open files go on.  The next process that opens the
view asks for the descriptor by the socket `handover` in the view's state; the stand-in ends, and the
child with it.  When the process ends in order, it tells the child to end.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)
_NAME, _LOG = "handover", "handover.log"
_END, _CLAIM, _ALIVE, _HERE = b"end", b"claim", b"alive", b"here"
_PATIENCE_S = 10.0
_TRIES, _WITHIN_S = 3, 60.0


@dataclass(frozen=True, slots=True)
class Handed:
    """A mount that somebody else served before: descriptors of the device, and of the table of what is held."""

    device: int
    held: int


class Handover:
    """The child, as the serving process sees it."""

    def __init__(
        self, state: Path, handed: Handed, stand_in: Callable[[Handed], None], kept: Iterable[int] = ()
    ) -> None:
        """Fork it.  `stand_in` serves the mount until it is told to end by SIGTERM, and returns.

        `kept`: further descriptors that it needs.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener = _listen(state)
        self.process = os.fork()
        if self.process == 0:
            with contextlib.suppress(BaseException):
                ours.close()
                _speak_into(state / _LOG)
                _close_all_but(theirs.fileno(), listener.fileno(), handed.device, handed.held, *kept)
                _Child(theirs, listener, handed, stand_in).run()
            os._exit(0)
        theirs.close()
        listener.close()
        self._socket = ours

    def end(self) -> None:
        """The mount ends: nobody shall stand in."""
        with contextlib.suppress(OSError), self._socket:
            self._socket.send(_END)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process, 0)


def claim(state: Path) -> Handed | None:
    """The descriptor of a view whose process died; None if there is none, or the process lives."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking, _short(state) as path:
        asking.settimeout(_PATIENCE_S)
        try:
            asking.connect(path)
            asking.send(_CLAIM)
            word, fds, _, _ = socket.recv_fds(asking, 16, 2)
        except OSError as error:
            _log.debug("no descriptor to take over: %s", error)
            return None
    if word != _HERE or len(fds) != 2:
        return None
    for fd in fds:
        os.set_inheritable(fd, False)
    return Handed(*fds)


@contextlib.contextmanager
def _short(state: Path) -> Iterator[str]:
    """The socket's path, however long the state's own is: a socket's address has 108 bytes."""
    folder = os.open(state, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{_NAME}"
    finally:
        os.close(folder)


def _listen(state: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (state / _NAME).unlink(missing_ok=True)
    with _short(state) as path:
        listener.bind(path)
    listener.listen(4)
    return listener


def _speak_into(log: Path) -> None:
    """Whoever waits for the process's output to end must not wait for us."""
    null = os.open(os.devnull, os.O_RDWR)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for ours, standard in ((null, 0), (said, 1), (said, 2)):
        os.dup2(ours, standard)


def _close_all_but(*kept: int) -> None:
    """Whatever else the process had open ends with it alone: its locks, its sockets, other mounts."""
    last = 2
    for fd in sorted(kept):
        os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX") if last < 65536 else last + 65536)


class _Child:
    """The child's own life."""

    def __init__(
        self, server: socket.socket, listener: socket.socket, handed: Handed, stand_in: Callable[[Handed], None]
    ) -> None:
        self._server, self._listener, self._handed, self._stand_in = server, listener, handed, stand_in
        self._standing_in = 0
        self._tries: list[float] = []

    def run(self) -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        # Blocked, not ignored: a stand-in inherits that, and must not miss its relief before it listens.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        signal.signal(signal.SIGCHLD, lambda *_: None)
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        waiting = selectors.DefaultSelector()
        for source in (self._server, self._listener, wake):
            waiting.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is self._server:
                    if self._server.recv(16) == _END:
                        return
                    waiting.unregister(self._server)
                    self._begin_stand_in()
                elif key.fileobj is self._listener:
                    if self._answer():
                        return
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 64)
                    if self._standing_in and not self._is_standing_in():
                        return

    def _begin_stand_in(self) -> None:
        self._standing_in = os.fork()
        if self._standing_in == 0:
            status = 1
            try:
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                    signal.signal(number, signal.SIG_DFL)
                self._server.close()
                self._listener.close()
                self._stand_in(self._handed)
                status = 0
            except Exception:  # noqa: BLE001 - the end of a process
                _log.exception("standing in for a process that died failed")
            finally:
                os._exit(status)

    def _is_standing_in(self) -> bool:
        """Whether somebody serves after a child has changed its state; one that died is followed by another."""
        process, status = os.waitpid(self._standing_in, os.WNOHANG)
        if process == 0:
            return True
        if status == 0:
            return False  # the mount is gone, or it gave up
        now = time.monotonic()
        self._tries = [at for at in self._tries if now - at < _WITHIN_S] + [now]
        if len(self._tries) > _TRIES:
            return False
        self._begin_stand_in()
        return True

    def _answer(self) -> bool:
        """Hand the mount over to whoever asks; False if its process lives."""
        asking, _ = self._listener.accept()
        with asking, contextlib.suppress(OSError):
            asking.settimeout(_PATIENCE_S)
            if asking.recv(16) != _CLAIM:
                return False
            if not self._standing_in and not self._has_died():
                asking.send(_ALIVE)
                return False
            if self._standing_in:
                os.kill(self._standing_in, signal.SIGTERM)
                os.waitpid(self._standing_in, 0)
            socket.send_fds(asking, [_HERE], [self._handed.device, self._handed.held])
            return True
        return False

    def _has_died(self) -> bool:
        """The end of the server may not have been heard yet."""
        try:
            return self._server.recv(16, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
