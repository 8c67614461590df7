"""Doing something in a process that is nobody's to wait for and has no part in what we have open.

A thread that the kernel makes wait for a folder's lock can't be killed: it would keep a dying process's files open,
its lock on the state among them, and nobody could go on with the mount; which may be what the lock waits for.
"""

import contextlib
import os
from collections.abc import Callable


def apart(work: Callable[[], None], *kept: int) -> None:
    """Have a grandchild do it, which has none of our descriptors but these; nobody hears what comes of it."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            if os.fork() == 0:  # a grandchild is nobody's to wait for
                _close_all_but(*kept)
                work()
        os._exit(0)
    os.waitpid(child, 0)


def _close_all_but(*kept: int) -> None:
    first = 0
    for fd in sorted(kept):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, first + os.sysconf("SC_OPEN_MAX"))
