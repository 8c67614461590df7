"""One process at a time keeps a layer's state."""

import fcntl
import os
import time
from pathlib import Path

from syncd.core.errors import Stop

DYING_S = 5.0
"""For how long a process that is killed, or that was unmounted, may still be closing its files, its lock among them."""
_AGAIN_S = 0.002


def lock(state: Path, patience_s: float) -> int:
    """The descriptor that keeps a state folder ours until it is closed.  Stop if another process goes on having it."""
    fd = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < until:
                time.sleep(_AGAIN_S)
                continue
            os.close(fd)
            raise Stop(f"Another process keeps the folder of {state} already; end that one first.") from error
        return fd
