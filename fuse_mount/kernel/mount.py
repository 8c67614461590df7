"""Getting a mount: by mount(2) where we may, else by the broker, else by fusermount3; and taking it away."""

import array
import contextlib
import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuse_mount.kernel.registration import has_broker, mount_by_broker, unmount_by_broker
from fuse_mount.syscalls import MountFlag, detach, mount

_DEVICE = "/dev/fuse"
KIND = b"fuse.synced-folders"
_MAX_READ = 1 << 20
_WORDS = {"ro": MountFlag.READ_ONLY, "noexec": MountFlag.NOEXEC, "noatime": MountFlag.NOATIME}
"""What fusermount3 calls them."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """How the mount presents itself."""

    name: str = "synced-folders"
    """What `mount` and `df` show as its source."""
    allow_other: bool = False
    flags: MountFlag = MountFlag.NONE
    """Besides those that it always has; without root's rights only the ones of `_WORDS`."""


def open_mount(point: Path, options: MountOptions) -> int:
    """Mount at a folder; the descriptor to serve.  OSError says why not."""
    if os.geteuid() == 0:
        try:
            return mount_device(os.fsencode(point), os.geteuid(), os.getegid(), options)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES) or shutil.which("fusermount3") is None:
                raise
    elif not options.allow_other:
        with contextlib.suppress(OSError), _opened(point) as folder:
            return mount_by_broker(folder)
    return _by_fusermount(point, options)


def mount_device(point: bytes, uid: int, gid: int, options: MountOptions) -> int:
    """Mount for somebody by mount(2); the descriptor to serve.  OSError without the right to."""
    fd = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    # The top's mode until we have told it.  What we tell is thrown away if an invalidation overtakes it, and the kernel
    # then goes by this: whom the mount is for, and nobody else reaches, must not be refused.
    mode = 0o40000 if options.allow_other else 0o40777
    data = f"fd={fd},rootmode={mode:o},user_id={uid},group_id={gid},default_permissions"
    data += f",max_read={_MAX_READ}" + (",allow_other" if options.allow_other else "")
    flags = MountFlag.NOSUID | MountFlag.NODEV | options.flags
    try:
        mount(options.name.encode(), point, KIND, flags, data.encode())
    except OSError:
        os.close(fd)
        raise
    return fd


def _by_fusermount(point: Path, options: MountOptions) -> int:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    words = f"default_permissions,nosuid,nodev,max_read={_MAX_READ},fsname={options.name},subtype=synced-folders"
    if options.allow_other:
        words += ",allow_other"
    words += "".join(f",{word}" for word, flag in _WORDS.items() if flag in options.flags)
    if os.geteuid() != 0:
        with contextlib.suppress(OSError):
            point.chmod(0o755)  # it mounts for others only where they may write
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
    else:
        with contextlib.suppress(OSError), _opened(point) as top:
            unmount_by_broker(top)
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
    """Whether something is mounted there, by the mounts' numbers and so without asking who serves it."""
    try:
        with _opened(Path(os.path.realpath(point.parent))) as above, _opened(point) as top:
            return mount_id(above) != mount_id(top)
    except (FileNotFoundError, NotADirectoryError):
        return False


def mount_id(fd: int) -> int:
    """The number (as in mountinfo) of the mount that an open file is on."""
    with open(f"/proc/self/fdinfo/{fd}") as facts:
        return next(int(line.split()[1]) for line in facts if line.startswith("mnt_id:"))


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A folder's descriptor, without asking who serves it."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


_DEVICE_NUMBER = os.makedev(10, 229)  # Linux's Documentation/admin-guide/devices.txt


def unavailable() -> str | None:
    """Why no FUSE mount can be had here, in one sentence; None if it can."""
    if not os.path.exists(_DEVICE):
        return "This machine has no /dev/fuse, so folders are kept as plain copies."
    if os.stat(_DEVICE).st_rdev != _DEVICE_NUMBER:
        return "/dev/fuse is not the FUSE device here, so folders are kept as plain copies."
    if os.geteuid() != 0 and has_broker():
        return None
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
