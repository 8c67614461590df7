"""Taking connections from a listener, on the event loop."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

_log = logging.getLogger(__name__)
_AT_ONCE = 256
_PAUSE_S = 1.0
_SHORT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Accepting:
    """Hands each connection on until closed.

    While the process has no descriptor left it looks away for a moment: the listener stays readable, and the loop
    would do nothing else than ask it.  Who knocked waits in the kernel meanwhile.
    """

    def __init__(self, listener: socket.socket, welcome: Callable[[socket.socket], None]) -> None:
        """`listener`: listening, not blocking; it is closed with us.  `welcome` owns what it gets."""
        self._listener, self._welcome = listener, welcome
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self._look()

    def close(self) -> None:
        """Take nobody any more."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _look(self) -> None:
        self._again = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _SHORT_OF:
                    _log.warning("nobody can be let in just now (%s); it is tried again", error.strerror)
                    self._loop.remove_reader(self._listener)
                    self._again = self._loop.call_later(_PAUSE_S, self._look)
                return
            self._welcome(connection)
