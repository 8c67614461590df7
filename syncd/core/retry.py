"""When to try again, and how often one may; chance and clock come from outside."""

import math
from collections import deque
from dataclasses import dataclass

_LONGEST_PATIENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double up to a longest one, spread so that a class of machines does not come at once."""

    first_s: float = 1.0
    longest_s: float = 60.0

    def wait_s(self, failures: int, chance: float) -> float:
        """How long to wait after so many failures in a row; `chance` is in [0, 1)."""
        whole = min(self.longest_s, self.first_s * 2.0 ** min(max(failures - 1, 0), 32))
        return whole * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class Again:
    """When something that may fail is tried again.  Times are seconds of one monotonic clock."""

    failures: int = 0
    """In a row."""
    at: float = -math.inf
    not_before: float = -math.inf
    """What a server asked for holds for all that comes up meanwhile as well."""

    def after_failure(self, now: float, wait_s: float, wish_s: float | None = None) -> "Again":
        """One more: wait so long, or as long as the server wishes (an hour at most)."""
        if not wish_s:
            return Again(self.failures + 1, now + wait_s, self.not_before)
        at = now + min(max(wish_s, wait_s), _LONGEST_PATIENCE_S)
        return Again(self.failures + 1, at, at)

    def at_once(self) -> "Again":
        """Somebody says that it may go now, whatever was asked for."""
        return Again(self.failures)

    def wait_s(self, now: float, *, news: bool = False) -> float:
        """How long to wait yet; with news, as long as the server asked for.  0: try now."""
        return max(0.0, (self.not_before if news else self.at) - now)


class Pace:
    """At most so many in so many seconds; the first ones go at once."""

    def __init__(self, most: int | None, per_s: float = 60.0) -> None:
        """`most` None: as many as there are."""
        self._most, self._per_s = most, per_s
        self._times: deque[float] = deque()

    def wait_s(self, now: float) -> float:
        """How long until the next may go; 0 if it may go now."""
        while self._times and self._times[0] <= now - self._per_s:
            self._times.popleft()
        if self._most is None or len(self._times) < self._most:
            return 0.0
        return self._times[-self._most] + self._per_s - now

    def went(self, now: float) -> None:
        """One went."""
        if self._most is not None:
            self._times.append(now)


class SleepWatch:
    """Notices that the machine slept: then the clock on the wall went further than the one that counts work."""

    def __init__(self, least_s: float = 10.0) -> None:
        self._least_s = least_s
        self._ahead: float | None = None

    def slept(self, monotonic: float, wall: float) -> bool:
        """Whether it slept (or the wall's clock was set forward) since the last call."""
        before, self._ahead = self._ahead, wall - monotonic
        return before is not None and self._ahead - before >= self._least_s
