"""Memory that Python and the C library keep for later is given back to the system: an idle daemon has no later."""

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import cache


@cache
def _call() -> Callable[[int], int] | None:
    """malloc_trim(3), which only glibc has."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def trim() -> None:
    """Of all threads' heaps; dead cycles first, of which only much new work would make Python look for them."""
    gc.collect()
    call = _call()
    if call is not None:
        call(0)
