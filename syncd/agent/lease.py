"""The lease of a student's layer, for homes that several nodes share: one node serves it at a time.

<state>/lease.N    the lease; the highest N counts.  Its content says who has it, an empty one is free, and its
                   holder sets the time of its change anew, again and again

It is taken by link(2) to the next number, which the file server does once and for one only, also over NFS (open(2),
O_EXCL).  Not by a lock: of a holder whose machine was cut off the server gives the lock away while that machine, once
it is back, still writes; and some mounts keep locks to themselves (nfs(5), local_lock).  Within one machine a lock on
the lease's own file does tell who lives, so an agent's successor there takes the next number at once.

No two machines' clocks are compared.  A holder renews the lease every `renewed_s`, and the kernel kills it `held_s`
after the last renewal that came to an end had begun (`dead_man`), stopped or not.  Who waits takes the next number once
it has seen the same file unchanged for `expired_s` of its own, which is more than `held_s`, and than the 60 s for which
an NFS client may believe in what it saw (nfs(5), acregmax).  What this can't see: a virtual machine that was paused
whole may serve until it renews the next time, and what programs have written to open files (not what is closed) may
reach the disk when a machine that was cut off comes back, as in any folder on NFS.
"""

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from syncd.agent.dead_man import DeadMan, now_s
from syncd.core.errors import Stop

_log = logging.getLogger(__name__)
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAME, _ASIDE = "lease.", "lease-new."
ANOTHER = "another node"
"""Where it is not known which."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds; see above."""

    renewed_s: float = 5.0
    held_s: float = 20.0
    expired_s: float = 75.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """A lease as it was found: of which node and boot of it, whether its holder lives (known of our own boot only)."""

    number: int
    stamp: tuple[int, int, int]
    node: str = ""
    boot: str = ""
    lives: bool = False

    @property
    def free(self) -> bool:
        return not self.boot


class Lease:
    """The lease of one state folder.  `take` until it says nothing; `release`, or the end of the process."""

    def __init__(self, state: Path, times: Times | None = None) -> None:
        """Nothing is taken yet."""
        self._state, self._times = state, times or Times()
        self._node, self._boot = socket.gethostname(), _BOOT.read_text().strip()
        self._fd, self._number = -1, 0
        self._seen: tuple[_Seen, float] | None = None
        self._end = threading.Event()
        self._renewing: threading.Thread | None = None

    def take(self) -> str | None:
        """Take it if it can be had; else the node that has it.  Stop if another agent of this machine has."""
        seen = _newest(self._state, self._boot)
        if seen is not None and not seen.free:
            if seen.boot == self._boot:
                if seen.lives:
                    raise Stop(
                        f"Another agent keeps these folders already (its state is {self._state}); end that one first."
                    )
            elif not self._has_expired(seen):
                return seen.node
        number = seen.number + 1 if seen is not None else 1
        return None if self._begin(number) else ANOTHER

    def release(self) -> None:
        """Others may have it at once."""
        self._end.set()
        if self._renewing is not None:
            self._renewing.join()
            os.ftruncate(self._fd, 0)
            self._dead_man.end()
            os.close(self._fd)
            self._renewing = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _has_expired(self, seen: _Seen) -> bool:
        now = now_s()
        if self._seen is None or self._seen[0] != seen:
            self._seen = seen, now
        return now - self._seen[1] >= self._times.expired_s

    def _begin(self, number: int) -> bool:
        """Whether the lease of this number is ours now, and no higher one is there."""
        began, dead_man = now_s(), DeadMan()
        dead_man.dies_at(began + self._times.held_s)  # before anybody can take it for ours
        aside, lease = self._state / f"{_ASIDE}{self._boot}.{os.getpid()}", self._state / f"{_NAME}{number}"
        fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.write(fd, json.dumps({"node": self._node, "boot": self._boot, "pid": os.getpid()}).encode())
            os.fsync(fd)
            with contextlib.suppress(FileExistsError):
                os.link(aside, lease)
            # An answer may be lost and the question asked again, so what was done is seen by the file itself; and what
            # an NFS client believes of a folder is old at most until it has changed something there.
            others = [each for each in _numbers(self._state) if each != number]
            if not _is(fd, lease) or max(others, default=0) > number:
                if _is(fd, lease):
                    lease.unlink()
                os.close(fd)
                dead_man.end()
                return False
        except OSError:
            os.close(fd)
            dead_man.end()
            raise
        finally:
            aside.unlink(missing_ok=True)
        for other in others:
            (self._state / f"{_NAME}{other}").unlink(missing_ok=True)
        self._fd, self._number, self._dead_man = fd, number, dead_man
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()
        return True

    def _renew(self) -> None:
        while not self._end.wait(self._times.renewed_s):
            began = now_s()
            try:
                os.utime(self._fd)  # needs no room on a disk that may be full
                is_ours = self._counts()
            except OSError as error:
                _log.warning("%s: its lease can't be renewed: %s", self._state, error)
                continue
            if not is_ours:
                _log.error("%s: another node has taken its lease, so this agent ends at once", self._state)
                os.kill(os.getpid(), signal.SIGKILL)
            self._dead_man.dies_at(began + self._times.held_s)

    def _counts(self) -> bool:
        is_there = _is(self._fd, self._state / f"{_NAME}{self._number}")
        return is_there and max(_numbers(self._state), default=0) == self._number


def served_on(state: Path) -> str | None:
    """The node, other than this one, that serves the folders of a state now, as far as its lease tells; else None."""
    with contextlib.suppress(OSError):
        boot = _BOOT.read_text().strip()
        seen = _newest(state, boot)
        return seen.node if seen is not None and not seen.free and seen.boot != boot else None
    return None


def _numbers(state: Path) -> list[int]:
    found = (name.removeprefix(_NAME) for name in os.listdir(state) if name.startswith(_NAME))
    return [int(number) for number in found if number.isdecimal()]


def _newest(state: Path, boot: str) -> _Seen | None:
    """The lease that counts; None if there never was one.

    What can't be read is somebody's: a person's own tampering must not free it sooner.
    """
    for number in sorted(_numbers(state), reverse=True):
        with contextlib.suppress(FileNotFoundError):  # whoever took the next one has removed it
            fd = os.open(state / f"{_NAME}{number}", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                found, said = os.fstat(fd), os.read(fd, 4096)
                stamp = found.st_ino, found.st_mtime_ns, found.st_ctime_ns
                if not said:
                    return _Seen(number, stamp)
                try:
                    who = json.loads(said)
                    seen = _Seen(number, stamp, str(who["node"]), str(who["boot"]))
                except (ValueError, KeyError, TypeError):
                    seen = _Seen(number, stamp, ANOTHER, "unknown")
                return replace(seen, lives=_is_locked(fd)) if seen.boot == boot else seen
            finally:
                os.close(fd)
    return None


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # its holder's excludes others, that of who looks does not
    except BlockingIOError:
        return True
    return False


def _is(fd: int, path: Path) -> bool:
    """Whether a path leads to an open file."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
