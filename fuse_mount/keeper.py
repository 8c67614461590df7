"""Handing over a mount by way of the process that started us and starts us again if we crash.

It leaves us a conversation (SOCK_SEQPACKET) under the number that SYNCD_KEEPER says, keeps a copy of what
a successor needs, and gives it to the one that it starts.  So no mount needs a process of its own beside
the one that serves it.  Messages begin with a letter and the view's key:

    K key device held    keep these two descriptors; the numbers are ours, for a keeper that starts anew
    E key                they are not needed any more
    C key                do you keep some for me?  Answered: Y with both, or N
"""

import contextlib
import functools
import hashlib
import logging
import os
import socket
import struct
import threading
from pathlib import Path

from fuse_mount.handover import Handed

_log = logging.getLogger(__name__)
KEEPER = "SYNCD_KEEPER"
_KEPT = struct.Struct("<c16sii")
_PATIENCE_S = 5.0
_asking = threading.Lock()


class Kept:
    """A mount that somebody keeps for our successor."""

    def __init__(self, keeper: socket.socket, key: bytes) -> None:
        self._keeper, self._key = keeper, key

    def end(self) -> None:
        """The mount ends: nobody shall have it."""
        with contextlib.suppress(OSError):
            self._keeper.send(b"E" + self._key)


def keep(state: Path, handed: Handed) -> Kept | None:
    """Have a view's mount kept; None if there is nobody who would."""
    keeper, key = _keeper(), _key(state)
    if keeper is None:
        return None
    try:
        words = _KEPT.pack(b"K", key, handed.device, handed.held)
        socket.send_fds(keeper, [words], [handed.device, handed.held])
    except OSError as error:
        _log.debug("nobody keeps the mount: %s", error)
        return None
    return Kept(keeper, key)


def kept_for(state: Path) -> Handed | None:
    """What is kept of a view whose process died; None if nothing is."""
    keeper = _keeper()
    if keeper is None:
        return None
    try:
        with _asking:
            keeper.settimeout(_PATIENCE_S)
            keeper.send(b"C" + _key(state))
            word, fds, _, _ = socket.recv_fds(keeper, 16, 2, socket.MSG_CMSG_CLOEXEC)
    except OSError as error:
        _log.debug("nobody answers for the mount: %s", error)
        return None
    return Handed(*fds) if word == b"Y" and len(fds) == 2 else None


def let_go(state: Path) -> None:
    """What is kept of a view can't be used: as long as it is, callers of that mount wait for nobody."""
    keeper = _keeper()
    if keeper is not None:
        Kept(keeper, _key(state)).end()


@functools.cache
def _keeper() -> socket.socket | None:
    """Never closed: it ends with the process."""
    number = os.environ.get(KEEPER)
    return socket.socket(fileno=int(number)) if number and number.isdigit() else None


def _key(state: Path) -> bytes:
    return hashlib.blake2b(os.fsencode(state), digest_size=16).digest()
