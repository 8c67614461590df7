"""How often somebody may do something: so many at once, then so many a minute."""

import time
from collections import OrderedDict

_MOST = 20_000


class Rate:
    """Token buckets by name; those not used for longest are forgotten when there are too many."""

    def __init__(self, burst: int = 20, per_minute: float = 30.0) -> None:
        self._burst, self._per_second = burst, per_minute / 60
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Whether it may be done once more now; it counts as done if so."""
        now = time.monotonic()
        left, at = self._left.pop(name, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_second)
        may = left >= 1
        self._left[name] = (left - 1 if may else left, now)
        while len(self._left) > _MOST:
            self._left.popitem(last=False)
        return may
