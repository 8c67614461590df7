"""How a daemon runs from the command line: in the foreground, until SIGTERM or Ctrl-C, with its log on stderr."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any


def serve(daemon: Coroutine[Any, Any, None]) -> None:
    """Run a daemon to its end; a request to end is no error."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")

    async def until_told() -> None:
        task = asyncio.ensure_future(daemon)
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_told())
