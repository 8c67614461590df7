"""When to try again, and how often one may; chance and clock come from outside."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double up to a longest one, spread so that a class of machines does not come at once."""

    first_s: float = 1.0
    longest_s: float = 60.0

    def wait_s(self, failures: int, chance: float) -> float:
        """How long to wait after so many failures in a row; `chance` is in [0, 1)."""
        whole = min(self.longest_s, self.first_s * 2.0 ** min(max(failures - 1, 0), 32))
        return whole * (0.5 + chance / 2)


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
