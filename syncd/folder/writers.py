"""Whether a file is open for writing in some process.

Linux grants a read lease (fcntl(2), F_SETLEASE) only on a file that nobody has open for writing,
mapped writable included.  Only the owner, or root, is told; and some file systems grant none to
anybody, which `tells` finds out once.  Where it can't be told, nobody counts as writing.
"""

import fcntl
import os
import signal
import sys

from syncd.folder.root import Dir, InTheWay

_SETLEASE, _SETSIG = getattr(fcntl, "F_SETLEASE", 1024), 10


def open_for_writing(folder: Dir, name: str) -> bool:
    """Whether a process has this regular file open for writing, as far as can be told here."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        number = folder.open(name)
    except (OSError, InTheWay):
        return False
    try:
        return not _leased(number) and _tells(folder)
    finally:
        os.close(number)


def _leased(number: int) -> bool:
    """Whether a lease is granted; it is given back at once.  True as well where leases are not for us."""
    try:
        # A writer that opens the file in this moment breaks the lease: the signal for that must be one
        # that does nothing by default, or it would end us.
        fcntl.fcntl(number, _SETSIG, signal.SIGURG)
        fcntl.fcntl(number, _SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    fcntl.fcntl(number, _SETLEASE, fcntl.F_UNLCK)
    return True


_answers: dict[int, bool] = {}


def _tells(folder: Dir) -> bool:
    """Whether this file system grants leases at all: NFS, for one, may refuse all of them."""
    device = folder.stat().st_dev
    if device not in _answers:
        _answers[device] = _probe(folder)
    return _answers[device]


def _probe(folder: Dir) -> bool:
    name = f".~syncd-new-lease-{os.getpid()}"
    try:
        os.close(folder.create(name, 0o600))
    except OSError:
        return False
    try:
        number = folder.open(name)
        try:
            fcntl.fcntl(number, _SETSIG, signal.SIGURG)
            fcntl.fcntl(number, _SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(number, _SETLEASE, fcntl.F_UNLCK)
        finally:
            os.close(number)
    except OSError:
        return False
    finally:
        folder.unlink(name)
    return True
