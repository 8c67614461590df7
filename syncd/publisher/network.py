"""Whether this machine has a network, and which: told without sending anything."""

import socket
import time

from syncd.core.retry import SleepWatch

# Addresses for documentation (RFC 5737, RFC 3849): routed like any far host, and nobody's.
_FAR = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def way_out() -> tuple[str, ...]:
    """Our own addresses towards the world; other ones, or some where there were none, mean another network."""
    out = []
    for family, far in _FAR:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))  # of a datagram socket: looks the route up, and sends nothing
                out.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return tuple(out)


class Surroundings:
    """Whether the machine slept, or is in another network than before; cheap enough to ask every few seconds."""

    def __init__(self) -> None:
        self._sleep_watch = SleepWatch()
        self._way_out = way_out()

    def slept(self, now: float) -> bool:
        """Whether it did since the last call; `now` is monotonic."""
        return self._sleep_watch.slept(now, time.time())

    def moved(self) -> bool:
        """Whether the way out is another than at the last call."""
        before, self._way_out = self._way_out, way_out()
        return before != self._way_out
