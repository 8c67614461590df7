"""Registering a file with the kernel, so that a mount's opens are passed through to it: ourselves, or by the broker.

The ioctl needs CAP_SYS_ADMIN, which an agent lacks; see `fuse_mount.broker` for who does it then.
"""

import contextlib
import errno
import fcntl
import os
import socket
import threading
from pathlib import Path

from fuse_mount.kernel.protocol import BACKING_CLOSE, BACKING_MAP, BACKING_OPEN

BROKER = "SYNCD_BROKER"
"""The environment's word for where the broker listens."""
_DEFAULT = Path("/run/synced-folders/broker.sock")
_PATIENCE_S = 1.0

DEVICE, FILE, CLOSE = b"D", b"F", b"C"
"""What is asked of the broker: here is my mount's descriptor; register this file; close this registration."""


def register_on(device: int, file: int) -> int:
    """A registration's number.  OSError: EPERM without the right to it, ELOOP for a file on a stacked file system."""
    number: int = fcntl.ioctl(device, BACKING_OPEN, bytearray(BACKING_MAP.pack(file, 0, 0)), True)
    return number


def unregister_on(device: int, number: int) -> None:
    """Close a registration; open files keep it."""
    fcntl.ioctl(device, BACKING_CLOSE, number.to_bytes(4, "little"))


class Registrar:
    """Registers files of one mount."""

    def __init__(self, device: int) -> None:
        """The mount's descriptor stays the caller's."""
        self._device = device
        self._broker: socket.socket | None = None
        self._lock = threading.Lock()
        """Held from a question to its answer: registrations are closed by another thread than the one that opens."""

    def register(self, file: int) -> int:
        """A registration's number.  OSError if it can't be had, now or ever."""
        if self._broker is None:
            try:
                return register_on(self._device, file)
            except OSError as error:
                if error.errno != errno.EPERM:
                    raise
                self._broker = self._call()
        return self._ask(FILE, file)

    def close(self, number: int) -> None:
        """Close a registration.  OSError if nobody can."""
        if self._broker is None:
            unregister_on(self._device, number)
        else:
            self._ask(CLOSE + number.to_bytes(4, "little"))

    def _call(self) -> socket.socket:
        broker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        broker.settimeout(_PATIENCE_S)
        try:
            broker.connect(os.environ.get(BROKER) or str(_DEFAULT))
            self._broker = broker
            self._ask(DEVICE, self._device)
        except OSError as error:
            self._broker = None
            broker.close()
            raise PermissionError(errno.EPERM, f"no broker answers ({error})") from error
        return broker

    def _ask(self, words: bytes, *fds: int) -> int:
        assert self._broker is not None
        try:
            with self._lock:
                socket.send_fds(self._broker, [words], fds)
                answer = self._broker.recv(8)
        except OSError:
            # An answer that comes late must not be taken for another question's.
            with contextlib.suppress(OSError):
                self._broker.shutdown(socket.SHUT_RDWR)
            raise
        if len(answer) != 4:
            raise ConnectionError(errno.EPIPE, "the broker is gone")
        number = int.from_bytes(answer, "little", signed=True)
        if number < 0:
            raise OSError(-number, os.strerror(-number))
        return number
