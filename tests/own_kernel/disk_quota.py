"""Quotas of a mounted disk: quotactl(2) and the project ids of FS_IOC_FSSETXATTR (<linux/fs.h>)."""

import ctypes
import fcntl
import os
import struct
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_SET_USERS = 0x800008 << 8  # QCMD(Q_SETQUOTA, USRQUOTA)
_LIMITS = struct.Struct("=8QI4x")  # struct if_dqblk
_BLOCK_LIMITS = 1
_GET, _SET, _FACTS = 0x801C581F, 0x401C5820, struct.Struct("=5I8x")  # struct fsxattr


def limit_blocks(disk: str, uid: int, size: int) -> None:
    """Let a user have so many bytes on a disk, and no more."""
    limits = ctypes.create_string_buffer(_LIMITS.pack(size >> 10, size >> 10, 0, 0, 0, 0, 0, 0, _BLOCK_LIMITS))
    if _libc.quotactl(_SET_USERS, disk.encode(), uid, limits) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def set_project(folder: Path | str, project: int) -> None:
    """Count a folder to a project.  OSError if the kernel does not let us."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        flags, extent, extents, _, cow = _FACTS.unpack(fcntl.ioctl(fd, _GET, bytes(_FACTS.size)))
        fcntl.ioctl(fd, _SET, _FACTS.pack(flags, extent, extents, project, cow))
    finally:
        os.close(fd)
