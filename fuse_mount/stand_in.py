"""A stand-in for a process that died: it serves the files, takes no updates, and ends when it is relieved."""

import os
import signal
import time
from collections.abc import Callable
from typing import Protocol

from fuse_mount.overlay import Overlay

_LOOK_S = 2.0
_IDLE_S = 600.0
"""After that long without an open file and without relief, the folder is put away."""


class _Served(Protocol):
    def serves(self) -> bool: ...


def serve_until_relieved(overlay: Overlay, engine: _Served, put_away: Callable[[], None] | None = None) -> None:
    """Until SIGTERM, which all threads block: the mount stays for whoever is next.

    Also until it is unmounted, or until nobody seems to care.
    """
    used = time.monotonic()
    while engine.serves():
        if signal.sigtimedwait({signal.SIGTERM}, _LOOK_S) is not None:
            # Between two requests; one that is read from now on is asked of the successor again.
            with overlay.lock:
                overlay.log.sync()
                os._exit(0)
        if overlay.opened:
            used = time.monotonic()
        elif put_away is not None and time.monotonic() - used > _IDLE_S:
            put_away()
            return
