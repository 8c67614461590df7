"""What the parent keeps of its agents' mounts, so that the next agent of a student goes on where one crashed.

The other end is `fuse_mount.keeper`, which has the messages.  An agent is not trusted: a message is of
fixed form, and what it may have kept is bounded.
"""

import contextlib
import ctypes
import os
import socket
import stat
import struct
from collections.abc import Mapping

KEEPER = "SYNCD_KEEPER"
_FUSE = os.makedev(10, 229)
_MOST = 64
_KEY = 16
_NUMBERS = struct.Struct("<ii")
_PIDFD_GETFD = 438  # the same on every architecture


class Kept:
    """Of one agent: by key, the descriptors of a mount's device and of the table of what is held."""

    def __init__(self) -> None:
        self._fds: dict[bytes, tuple[int, int]] = {}
        self.numbers: dict[str, tuple[int, int]] = {}
        """The same in the agent's own counting, by key in hexadecimal."""

    def devices(self) -> list[int]:
        """Of the mounts that are kept."""
        return [device for device, _ in self._fds.values()]

    def heard(self, peer: socket.socket, words: bytes, fds: list[int]) -> bool:
        """Do as an agent says; whether what is kept has changed.  Takes the descriptors over."""
        kind, key, rest = words[:1], words[1 : 1 + _KEY], words[1 + _KEY :]
        if kind == b"K" and len(fds) == 2 and len(rest) == _NUMBERS.size and self._may_keep(key, fds[0]):
            self._drop(key)
            self._fds[key] = fds[0], fds[1]
            self.numbers[key.hex()] = _NUMBERS.unpack(rest)
            return True
        for fd in fds:
            os.close(fd)
        if len(key) == _KEY and kind == b"E" and key in self._fds:
            self._drop(key)
            return True
        if len(key) == _KEY and kind == b"C":
            with contextlib.suppress(OSError):
                if key in self._fds:
                    socket.send_fds(peer, [b"Y"], self._fds[key])
                else:
                    peer.send(b"N")
        return False

    def _may_keep(self, key: bytes, device: int) -> bool:
        return len(key) == _KEY and _is_fuse(device) and (key in self._fds or len(self._fds) < _MOST)

    def take(self, pidfd: int, numbers: Mapping[str, tuple[int, int]]) -> None:
        """Get from a running agent what an earlier parent kept of it."""
        libc = ctypes.CDLL(None, use_errno=True)
        for key, both in list(numbers.items())[:_MOST]:
            got = [int(libc.syscall(_PIDFD_GETFD, pidfd, number, 0)) for number in both]
            if min(got) >= 0 and _is_fuse(got[0]):
                self._fds[bytes.fromhex(key)] = got[0], got[1]
                self.numbers[key] = both[0], both[1]
            else:
                for fd in got:
                    if fd >= 0:
                        os.close(fd)

    def close(self) -> None:
        """Let all go: who waits for an answer of such a mount gets an error now."""
        for key in list(self._fds):
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        for fd in self._fds.pop(key, ()):
            os.close(fd)
        self.numbers.pop(key.hex(), None)


def _is_fuse(fd: int) -> bool:
    found = os.fstat(fd)
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == _FUSE
