"""The broker: a small root process that mounts for agents without rights, and lets them pass opens through.

`python -m fuse_mount.broker SOCKET`.  One conversation per mount, in fixed messages (see
`kernel.registration`): the mount's /dev/fuse descriptor first, then files to register.  It opens
nothing by name and reads nothing: an agent hands over what it has opened itself, so that a
registration gives it no byte that it could not have, and it is refused what would:
- anything but a regular file, and a file open for writing that is not the agent's own;
- anything but a FUSE device; more registrations than `MOST`, which hold files open in the kernel;
- a mount anywhere but on a folder of the agent's own, more of them than `_MOUNTS`, and taking away
  any but its own.
An agent that does not read its answers is hung up on.  When the broker ends, open files go on, and
what is opened next is read through the mount.
"""

import array
import contextlib
import errno
import fcntl
import logging
import os
import resource
import selectors
import signal
import socket
import stat
import struct
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuse_mount.kernel.mount import KIND, MountOptions, mount_device, mount_id
from fuse_mount.kernel.registration import CLOSE, DEVICE, FILE, MOUNT, UNMOUNT, register_on, unregister_on
from fuse_mount.syscalls import detach

_log = logging.getLogger(__name__)

MOST = 4096
"""Registrations of one mount at a time."""
_MOUNTS = 64
"""Conversations of one user at a time."""
_FUSE = os.makedev(10, 229)
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


@dataclass(slots=True)
class _Mount:
    """A conversation with who serves a mount."""

    peer: socket.socket
    uid: int
    gid: int
    device: int = -1
    registered: set[int] = field(default_factory=set)


class Broker:
    """Answers agents until told to end."""

    def __init__(self, listener: socket.socket) -> None:
        """`listener`: SOCK_SEQPACKET, listening."""
        self._listener = listener
        self._mounts: dict[int, _Mount] = {}
        self._made: Counter[int] = Counter()
        self._waiting = selectors.DefaultSelector()

    def run(self, end: int) -> None:
        """Until there is something to read from `end`."""
        for source in (self._listener, end):
            self._waiting.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self._waiting.select():
                if key.fileobj is self._listener:
                    self._welcome()
                elif key.fd == end:
                    return
                else:
                    self._hear(self._mounts[key.fd])

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            peer, _ = self._listener.accept()
            _, uid, gid = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
            if sum(mount.uid == uid for mount in self._mounts.values()) >= _MOUNTS:
                _log.warning("the user %s asks for more than %s mounts", uid, _MOUNTS)
                peer.close()
                return
            peer.setblocking(False)
            self._mounts[peer.fileno()] = _Mount(peer, uid, gid)
            self._waiting.register(peer, selectors.EVENT_READ)

    def _hear(self, mount: _Mount) -> None:
        fds: list[int] = []
        try:
            words, fds = _received(mount.peer)
            if not words:
                self._part(mount)
                return
            try:
                number = 0
                if words == MOUNT and len(fds) == 1:
                    device = self._mount(mount, fds[0])
                    fds.append(device)
                    socket.send_fds(mount.peer, [bytes(4)], [device])
                    return
                number = self._answer(mount, words, fds)
            except OSError as error:
                number = -(error.errno or errno.EIO)
            mount.peer.send(number.to_bytes(4, "little", signed=True))
        except OSError as error:
            _log.debug("a mount of user %s is hung up on: %s", mount.uid, error)
            self._part(mount)
        finally:
            for fd in fds:
                if fd != mount.device:
                    os.close(fd)

    def _answer(self, mount: _Mount, words: bytes, fds: list[int]) -> int:
        if words == DEVICE and len(fds) == 1 and mount.device < 0:
            found = os.fstat(fds[0])
            if not stat.S_ISCHR(found.st_mode) or found.st_rdev != _FUSE:
                raise OSError(errno.EINVAL, "not a FUSE device")
            mount.device = fds[0]
            return 0
        if words == FILE and len(fds) == 1 and mount.device >= 0:
            _check(fds[0], mount.uid)
            if len(mount.registered) >= MOST:
                raise OSError(errno.EMFILE, "too many registrations")
            number = register_on(mount.device, fds[0])
            mount.registered.add(number)
            return number
        if words == UNMOUNT and len(fds) == 1:
            _check_is_theirs(fds[0], mount.uid)
            detach(b"/proc/self/fd/%d" % fds[0])
            self._made[mount.uid] -= 1
            return 0
        number = int.from_bytes(words[1:], "little")
        if words[:1] == CLOSE and len(words) == 5 and number in mount.registered:
            mount.registered.discard(number)
            unregister_on(mount.device, number)
            return 0
        raise OSError(errno.EINVAL, "not a question")

    def _mount(self, mount: _Mount, folder: int) -> int:
        found = os.fstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != mount.uid or found.st_dev in _not_for_mounts():
            raise OSError(errno.EPERM, "not a folder of their own")
        if self._made[mount.uid] >= _MOUNTS:
            # They end without us, too: only the kernel knows how many there are.
            self._made[mount.uid] = _mounts_of(mount.uid)
            if self._made[mount.uid] >= _MOUNTS:
                raise OSError(errno.EMFILE, "too many mounts")
        device = mount_device(b"/proc/self/fd/%d" % folder, mount.uid, mount.gid, MountOptions())
        self._made[mount.uid] += 1
        return device

    def _part(self, mount: _Mount) -> None:
        # What it registered stays with the mount: its successor's open files use it.
        self._waiting.unregister(mount.peer)
        del self._mounts[mount.peer.fileno()]
        mount.peer.close()
        if mount.device >= 0:
            os.close(mount.device)


def _received(peer: socket.socket) -> tuple[bytes, list[int]]:
    """A message and the descriptors that came with it, none of which our children get."""
    words, ancillary, _, _ = peer.recvmsg(16, socket.CMSG_SPACE(8 * 4), socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return words, list(fds)


def _not_for_mounts() -> set[int]:
    """The kernel's own file systems, where folders can be a user's too."""
    return {os.stat(one).st_dev for one in ("/proc", "/sys", "/sys/fs/cgroup") if os.path.isdir(one)}


def _mounts_of(uid: int) -> int:
    with open("/proc/self/mountinfo", "rb") as table:
        return sum(_is_theirs(line, uid) for line in table)


def _is_theirs(line: bytes, uid: int) -> bool:
    return b" - " + KIND + b" " in line and b"user_id=%d," % uid in line.rpartition(b" ")[2] + b","


def _check_is_theirs(top: int, uid: int) -> None:
    number = b"%d" % mount_id(top)
    with open("/proc/self/mountinfo", "rb") as table:
        if not any(line.split(b" ", 1)[0] == number and _is_theirs(line, uid) for line in table):
            raise OSError(errno.EPERM, "not a mount of their own")


def _check(file: int, uid: int) -> None:
    found = os.fstat(file)
    how = fcntl.fcntl(file, fcntl.F_GETFL)
    if not stat.S_ISREG(found.st_mode) or how & os.O_PATH:
        raise OSError(errno.EINVAL, "not a regular file that is open")
    if how & os.O_ACCMODE != os.O_RDONLY and found.st_uid != uid:
        raise OSError(errno.EPERM, "open for writing, and another's")


def main() -> None:
    """Listen at the path given, until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if len(sys.argv) != 2 or os.geteuid() != 0:
        sys.exit("usage (as root): python -m fuse_mount.broker SOCKET")
    path = Path(sys.argv[1])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    end, ending = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(ending, b"."))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(aside))
        aside.chmod(0o666)  # who asks is told by the kernel
        listener.listen(4096)
        listener.setblocking(False)
        aside.rename(path)  # nobody meets a socket that refuses them
        Broker(listener).run(end)
    path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
