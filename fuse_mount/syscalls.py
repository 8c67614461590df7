"""System calls that Python's os module lacks: mount, renameat2, fallocate, reflink."""

import ctypes
import errno
import fcntl
import os
from enum import IntFlag

_libc = ctypes.CDLL(None, use_errno=True)
_FICLONE = 0x40049409


class MountFlag(IntFlag):
    """Flags of mount(2)."""

    NOSUID = 2
    NODEV = 4


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
