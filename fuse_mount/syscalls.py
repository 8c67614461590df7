"""System calls that Python's os module lacks: mount, open_tree, renameat2, fallocate, reflink."""

import ctypes
import errno
import fcntl
import os
import struct
from enum import IntFlag

_libc = ctypes.CDLL(None, use_errno=True)
_FICLONE = 0x40049409
_OPEN_TREE, _MOUNT_SETATTR = 428, 442
"""By number: the C library has names for them only since its version 2.36."""
_AT_FDCWD, _AT_EMPTY_PATH, _OPEN_TREE_CLONE = -100, 0x1000, 1
_MOUNT_ATTR = struct.Struct("=QQQQ")  # set, cleared, propagation, user namespace


class MountFlag(IntFlag):
    """Flags of mount(2)."""

    NONE = 0
    READ_ONLY = 1
    NOSUID = 2
    NODEV = 4
    NOEXEC = 8
    NOATIME = 1024
    NODIRATIME = 2048
    STRICTATIME = 1 << 24


class AccessTimes(IntFlag):
    """How a mount keeps access times: what mount_setattr(2) calls MOUNT_ATTR_NOATIME and so on."""

    NEVER = 0x10
    ALWAYS = 0x20
    ALL_WAYS = 0x70
    """The mask of those that exclude one another."""
    NOT_OF_FOLDERS = 0x80


class Rename(IntFlag):
    """Flags of renameat2(2)."""

    PLAIN = 0
    NOREPLACE = 1
    EXCHANGE = 2


def _check(result: int, *names: bytes) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), *names[:1])


def mount(source: bytes, target: bytes, kind: bytes, flags: MountFlag, data: bytes) -> None:
    """Mount a file system."""
    _check(_libc.mount(source, target, kind, ctypes.c_ulong(flags), data), target)


def detach(target: bytes) -> None:
    """Take a mount out of the tree at once, though it may still be in use (umount2 with MNT_DETACH)."""
    _check(_libc.umount2(target, 2), target)


def private_mount(folder: bytes, access_times: AccessTimes) -> int:
    """A folder's descriptor, on a mount that nobody else sees and that ends with it.  OSError without the right to."""
    top: int = _libc.syscall(
        ctypes.c_long(_OPEN_TREE), _AT_FDCWD, folder, ctypes.c_uint(_OPEN_TREE_CLONE | os.O_CLOEXEC)
    )
    _check(min(top, 0), folder)
    wanted = _MOUNT_ATTR.pack(access_times, AccessTimes.ALL_WAYS, 0, 0)
    try:
        _check(
            _libc.syscall(
                ctypes.c_long(_MOUNT_SETATTR), top, b"", _AT_EMPTY_PATH, wanted, ctypes.c_size_t(len(wanted))
            ),
            folder,
        )
    except OSError:
        os.close(top)
        raise
    return top


def renameat2(from_fd: int, old: bytes, to_fd: int, new: bytes, flags: Rename) -> None:
    """Rename with flags."""
    _check(_libc.renameat2(from_fd, old, to_fd, new, ctypes.c_uint(flags)), old)


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """Allocate room; `mode` may punch a hole or keep the size instead."""
    _check(_libc.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)))


def copy_content(source: int, target: int, size: int) -> None:
    """Copy a file's first `size` bytes into an empty one: shared blocks if they can be had, else in the kernel."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        _copy_range(source, target, size)
    else:
        os.ftruncate(target, size)


def _copy_range(source: int, target: int, size: int) -> None:
    done, in_kernel = 0, True
    while done < size:
        if in_kernel:
            try:
                count = os.copy_file_range(source, target, size - done, done, done)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                    raise
                in_kernel = False
                continue
        else:
            count = os.pwrite(target, os.pread(source, 1 << 20, done), done)
        if count == 0:
            return
        done += count
