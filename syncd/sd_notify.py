"""Telling systemd how a service is: sd_notify(3), one datagram to the socket that $NOTIFY_SOCKET names.

Without that variable (no systemd, a terminal, a test) everything here does nothing.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Final

_LONGEST_STATUS: Final = 200


def tell(**facts: str) -> bool:
    """Send `KEY=value` lines; whether somebody was told.  Never raises: a manager that is gone harms nobody."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    text = "\n".join(f"{key}={_line(value)}" for key, value in facts.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        # A name in the abstract namespace is written with @ for its leading zero byte.
        door.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)
        return True
    return False


def tell_ready(status: str) -> None:
    """All that clients need is there."""
    tell(READY="1", STATUS=status)


def tell_reloading() -> None:
    """The settings are read again; `tell_ready` says when that is done."""
    tell(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1_000))


def tell_stopping() -> None:
    """The service ends."""
    tell(STOPPING="1", STATUS="Ending.")


def watchdog_s() -> float | None:
    """How often systemd wants a sign of life (half of WatchdogSec), in seconds; None if it wants none."""
    text, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not text.isdigit() or (pid is not None and pid != str(os.getpid())):
        return None
    return int(text) / 2_000_000


class Telling:
    """What a service says while it goes on: its status if the words changed, and the watchdog's sign of life."""

    def __init__(self) -> None:
        self._watched, self._said = watchdog_s() is not None, ""

    def go_on(self, status: str) -> None:
        """To be called more often than `watchdog_s`."""
        facts = {"STATUS": status} if status != self._said else {}
        if self._watched:
            facts["WATCHDOG"] = "1"
        if facts:
            tell(**facts)
        self._said = status


async def keep_told(status: Callable[[], str], every_s: float = 5.0) -> None:
    """Until cancelled: the status whenever its words changed, and the watchdog's signs of life, from the event loop.

    A loop that hangs sends none, and systemd starts the service anew.
    """
    if "NOTIFY_SOCKET" not in os.environ:
        return
    limit, telling = watchdog_s(), Telling()
    while True:
        telling.go_on(status())
        await asyncio.sleep(min(every_s, limit) if limit else every_s)


def _line(value: str) -> str:
    return " ".join(value.split())[:_LONGEST_STATUS]
