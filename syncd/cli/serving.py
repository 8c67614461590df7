"""How a daemon runs from the command line: in the foreground, until SIGTERM or Ctrl-C, with its log on stderr."""

import asyncio
import contextlib
import copy
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from syncd.cli.journal import JournalHandler, goes_to_journal


class _Sentences(logging.Formatter):
    """What passes by itself is one sentence; what should not have happened comes with its traceback.

    With SYNCD_DEBUG set everything has its traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno < logging.ERROR and "SYNCD_DEBUG" not in os.environ:
            record = copy.copy(record)
            record.exc_info = record.exc_text = None
        return super().format(record)


def speak() -> None:
    """Log to systemd's journal with all fields where that is what stderr leads to; else to stderr, in sentences."""
    sentences = _Sentences("%(levelname)s %(name)s: %(message)s")
    handler: logging.Handler
    if goes_to_journal():
        handler = JournalHandler(sentences)
        handler.setFormatter(_Sentences("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(sentences)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def serve(daemon: Coroutine[Any, Any, None], reload: Callable[[], None] | None = None) -> None:
    """Run a daemon to its end; a request to end is no error.  `reload` is called at SIGHUP."""
    speak()

    async def until_told() -> None:
        task = asyncio.ensure_future(daemon)
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
            if reload is not None:
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_told())
