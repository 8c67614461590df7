"""One flush for many files: Linux' syncfs(2), which waits for all of one file system."""

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache


@cache
def flush_call() -> Callable[[int], int] | None:
    """The system's call, on an open descriptor; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


def file_system(fd: int) -> None:
    """Make durable what lies on the file system of an open folder.  Only where there is a `flush_call`."""
    call = flush_call()
    if call is None:
        raise NotImplementedError("this system makes only single files durable")
    if call(fd):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
