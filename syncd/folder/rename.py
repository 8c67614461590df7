"""Renames that never replace, and renames that swap: the two that lose nothing in a race.

Linux: renameat2(2); macOS: renameatx_np(2); Windows: MoveFile never replaces.  Where the file
system knows neither, a hard link does for files, and a check before the rename for the rest.
"""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

Name = str | Path
_HERE = -2 if sys.platform == "darwin" else -100  # AT_FDCWD
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)

_Flagged = Callable[[Name, int | None, Name, int | None, int], None]


@cache
def _system() -> tuple[_Flagged, int, int] | None:
    """The call, and its flags for "no replace" and "swap"; None where there is none."""
    if sys.platform == "win32":
        return None
    linux = sys.platform.startswith("linux")
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2" if linux else "renameatx_np", None)
    if call is None:
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]

    def flagged(old: Name, old_fd: int | None, new: Name, new_fd: int | None, flag: int) -> None:
        from_fd = _HERE if old_fd is None else old_fd
        to_fd = _HERE if new_fd is None else new_fd
        if call(from_fd, os.fsencode(old), to_fd, os.fsencode(new), flag):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(old), None, str(new))

    return (flagged, 1, 2) if linux else (flagged, 4, 2)  # RENAME_NOREPLACE/EXCHANGE, RENAME_EXCL/SWAP


def exchange(old: Name, old_fd: int | None, new: Name, new_fd: int | None) -> bool:
    """Swap two names in one step; False where system or file system can't."""
    system = _system()
    if system is None:
        return False
    flagged, _, swap = system
    try:
        flagged(old, old_fd, new, new_fd, swap)
    except OSError as problem:
        if problem.errno in _UNKNOWN:
            return False
        raise
    return True


def no_replace(old: Name, old_fd: int | None, new: Name, new_fd: int | None) -> None:
    """Rename; FileExistsError if anything is at the new name."""
    if sys.platform == "win32":
        os.rename(old, new)
        return
    system = _system()
    if system is not None:
        flagged, keep, _ = system
        try:
            flagged(old, old_fd, new, new_fd, keep)
            return
        except OSError as problem:
            if problem.errno not in _UNKNOWN:
                raise
    if not stat.S_ISDIR(os.stat(old, dir_fd=old_fd, follow_symlinks=False).st_mode):
        try:
            os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)
            os.unlink(old, dir_fd=old_fd)
            return
        except OSError as problem:
            if problem.errno not in (*_UNKNOWN, errno.EPERM, errno.EMLINK):
                raise
    try:
        os.stat(new, dir_fd=new_fd, follow_symlinks=False)
    except FileNotFoundError:
        # RACE: on this file system nothing closes the gap between the check and the rename.
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))
