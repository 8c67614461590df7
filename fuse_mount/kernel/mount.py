"""Getting a mount: by mount(2) where we may, else by fusermount3; and taking it away."""

import array
import errno
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fuse_mount.syscalls import MountFlag, detach, mount

_DEVICE = "/dev/fuse"
_MAX_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class MountOptions:
    """How the mount presents itself."""

    name: str = "synced-folders"
    """What `mount` and `df` show as its source."""
    allow_other: bool = False
    read_only: bool = False


def open_mount(point: Path, options: MountOptions) -> int:
    """Mount at a folder; the descriptor to serve.  OSError says why not."""
    if os.geteuid() == 0:
        try:
            return _by_system_call(point, options)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES) or shutil.which("fusermount3") is None:
                raise
    return _by_fusermount(point, options)


def _by_system_call(point: Path, options: MountOptions) -> int:
    fd = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    data = f"fd={fd},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},default_permissions"
    data += f",max_read={_MAX_READ}" + (",allow_other" if options.allow_other else "")
    flags = MountFlag.NOSUID | MountFlag.NODEV
    try:
        mount(options.name.encode(), os.fsencode(point), b"fuse.synced-folders", flags, data.encode())
    except OSError:
        os.close(fd)
        raise
    return fd


def _by_fusermount(point: Path, options: MountOptions) -> int:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    words = f"default_permissions,nosuid,nodev,max_read={_MAX_READ},fsname={options.name},subtype=synced-folders"
    if options.allow_other:
        words += ",allow_other"
    with ours:
        with theirs:
            done = subprocess.run(
                ["fusermount3", "-o", words, "--", os.fspath(point)],
                env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
                pass_fds=[theirs.fileno()],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise OSError(errno.EPERM, done.stderr.strip() or "fusermount3 failed")
        _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
    for _, kind, data in ancillary:
        if kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(data[:4])
            os.set_inheritable(fds[0], False)
            return fds[0]
    raise OSError(errno.EPERM, "fusermount3 sent no descriptor")


def close_mount(point: Path) -> None:
    """Take a mount away at once; whoever is inside may stay until he leaves."""
    if os.geteuid() == 0:
        try:
            detach(os.fsencode(point))
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
        else:
            return
    subprocess.run(["fusermount3", "-u", "-z", "--", os.fspath(point)], capture_output=True, check=False)


def is_dead(point: Path) -> bool:
    """Whether a mount is there that nobody serves (`exists` and `ismount` lie about it)."""
    try:
        os.statvfs(point)  # never answered from the kernel's caches, as stat is
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def is_mounted(point: Path) -> bool:
    """Whether something is mounted there, read from the kernel's table and so without touching it."""
    wanted = os.fsencode(os.path.realpath(point.parent) + "/" + point.name)
    with open("/proc/self/mountinfo", "rb") as table:
        return any(_unescaped(line.split(b" ")[4]) == wanted for line in table)


def _unescaped(word: bytes) -> bytes:
    for code, char in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        word = word.replace(code, char)
    return word


_DEVICE_NUMBER = os.makedev(10, 229)  # Linux's Documentation/admin-guide/devices.txt


def unavailable() -> str | None:
    """Why no FUSE mount can be had here, in one sentence; None if it can."""
    if not os.path.exists(_DEVICE):
        return "This machine has no /dev/fuse, so folders are kept as plain copies."
    if os.stat(_DEVICE).st_rdev != _DEVICE_NUMBER:
        return "/dev/fuse is not the FUSE device here, so folders are kept as plain copies."
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return "This account may not use /dev/fuse, so folders are kept as plain copies."
    if os.geteuid() == 0:
        return None if _may_mount() else "This container may not mount, so folders are kept as plain copies."
    if shutil.which("fusermount3") is None:
        return "fusermount3 is not installed (Debian: apt install fuse3), so folders are kept as plain copies."
    return None


def _may_mount() -> bool:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> 21 & 1)
    return False
