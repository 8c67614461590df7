"""The hub's groups of the courses, with who is in them, as they are now.

The hub tells nobody when a group changes, so it is asked: all groups at once, while a page is open or a node's lists of
members are kept, and never so often that the answers take more than a small share of the hub's time.
"""

import time
from collections.abc import Awaitable, Callable, Mapping

from hub_plugin import words
from hub_plugin.shown import Look
from syncd.core.errors import TryAgain

INTERVAL_S = 2.0
_SHARE = 20


class Groups:
    """A source of groups; `look` never raises, and what was said last stays known while the hub is away."""

    who = words.HUB

    def __init__(self, ask: Callable[[], Awaitable[dict[str, tuple[str, ...]] | None]]) -> None:
        self.last = Look()
        self.known: Mapping[str, tuple[str, ...]] | None = None
        self._ask = ask
        self._next = 0.0

    async def look(self) -> Look:
        """Ask now, unless that was done a moment ago."""
        began = time.monotonic()
        if began < self._next:
            return self.last
        try:
            found = await self._ask()
        except TryAgain as problem:
            self.last = Look(self.last.document, self.last.at, str(problem))
        else:
            self.known = found if found != self.known else self.known
            self.last = Look(self.known, time.time(), words.ROSTER_UNKNOWN if found is None else None)
        now = time.monotonic()
        self._next = now + max(INTERVAL_S, _SHARE * (now - began))
        return self.last

    async def close(self) -> None:
        """Nothing to let go of: the connection is the hub's."""
