"""Whether other machines may have a folder's disk, too (NFS and its kin), by the kind of its file system."""

import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_LOCAL = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # xfs
        0x9123683E,  # btrfs
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
        0x794C7630,  # overlay
        0x2FC12FC1,  # zfs
        0xF2F52010,  # f2fs
        0xCA451A4E,  # bcachefs
        0x3153464A,  # jfs
        0x3434,  # nilfs
        0x52654973,  # reiserfs
    }
)
"""Numbers of statfs(2), from <linux/magic.h>: those of one machine alone.  What is not here may be shared."""
_SIZE = 256  # more than any architecture's struct statfs, of which the kind is the first word


def may_be_shared(folder: Path) -> bool:
    """Whether other machines may write there.  OSError if the folder can't be asked."""
    facts = ctypes.create_string_buffer(_SIZE)
    if _libc.statfs(os.fsencode(folder), facts) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fspath(folder))
    kind = ctypes.c_long.from_buffer(facts).value & 0xFFFFFFFF
    return kind not in _LOCAL
