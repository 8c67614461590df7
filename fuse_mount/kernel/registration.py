"""What needs CAP_SYS_ADMIN: ourselves, or by the broker (`fuse_mount.broker`) where we lack it.

That is registering a file with the kernel, so that a mount's opens are passed through to it; and
mounting and unmounting, for agents that can't gain rights by fusermount3.
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
MOUNT, UNMOUNT = b"M", b"U"
"""Mount at this folder of mine, and answer with the descriptor to serve; take away the mount whose top this is."""


def register_on(device: int, file: int) -> int:
    """A registration's number.  OSError: EPERM without the right to it, ELOOP for a file on a stacked file system."""
    number: int = fcntl.ioctl(device, BACKING_OPEN, bytearray(BACKING_MAP.pack(file, 0, 0)), True)
    return number


def unregister_on(device: int, number: int) -> None:
    """Close a registration; open files keep it."""
    fcntl.ioctl(device, BACKING_CLOSE, number.to_bytes(4, "little"))


def has_broker() -> bool:
    """Whether there is a broker's socket."""
    return os.path.exists(os.environ.get(BROKER) or _DEFAULT)


def mount_by_broker(folder: int) -> int:
    """The descriptor to serve a new mount at an open folder of ours.  OSError if no broker gives one."""
    with _conversation() as broker:
        answer, fds = _ask(broker, MOUNT, folder)
    for fd in fds[1:]:
        os.close(fd)
    if answer != 0 or not fds:
        raise ConnectionError(errno.EPIPE, "the broker sent no descriptor")
    return fds[0]


def unmount_by_broker(top: int) -> None:
    """Take our mount away, at once.  OSError if the broker does not."""
    with _conversation() as broker:
        _ask(broker, UNMOUNT, top)


def _conversation() -> socket.socket:
    broker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    broker.settimeout(_PATIENCE_S)
    try:
        broker.connect(os.environ.get(BROKER) or str(_DEFAULT))
    except OSError:
        broker.close()
        raise
    return broker


def _ask(broker: socket.socket, words: bytes, *fds: int) -> tuple[int, list[int]]:
    socket.send_fds(broker, [words], fds)
    answer, got, _, _ = socket.recv_fds(broker, 8, 1, socket.MSG_CMSG_CLOEXEC)
    if len(answer) != 4:
        raise ConnectionError(errno.EPIPE, "the broker is gone")
    number = int.from_bytes(answer, "little", signed=True)
    if number < 0:
        raise OSError(-number, os.strerror(-number))
    return number, list(got)


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
        broker: socket.socket | None = None
        try:
            self._broker = broker = _conversation()
            self._ask(DEVICE, self._device)
        except OSError as error:
            self._broker = None
            if broker is not None:
                broker.close()
            raise PermissionError(errno.EPERM, f"no broker answers ({error})") from error
        return broker

    def _ask(self, words: bytes, *fds: int) -> int:
        assert self._broker is not None
        try:
            with self._lock:
                return _ask(self._broker, words, *fds)[0]
        except OSError as error:
            if error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
                raise
            # An answer that comes late must not be taken for another question's.
            with contextlib.suppress(OSError):
                self._broker.shutdown(socket.SHUT_RDWR)
            raise
