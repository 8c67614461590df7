"""When a node looks at a remote next, if nobody hints before."""

import random
from collections.abc import Callable

from syncd.core.retry import Backoff

_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 300.0
_UNSEEN_S = (0.5, 1.0, 2.0, 4.0)


def wait_s(
    poll_s: float,
    failures: int,
    *,
    passing: bool = True,
    wish_s: float | None = None,
    unseen: int | None = None,
    chance: Callable[[], float] = random.random,
) -> float:
    """Seconds to wait after a look.

    After `failures` in a row: doubling, from a second where the trouble passes by itself, from the poll
    interval where a person must act; never under the server's own wish.  `unseen` counts the looks that
    did not yet show a commit that a webhook named (a host's own copies lag behind a little).
    """
    if failures == 0:
        if unseen is not None and unseen < len(_UNSEEN_S):
            return min(poll_s, _UNSEEN_S[unseen])
        return poll_s * (0.9 + 0.2 * chance())
    first = min(_FIRST_RETRY_S, poll_s) if passing else poll_s
    backoff = Backoff(first, max(_LONGEST_RETRY_S, poll_s))
    return max(backoff.wait_s(failures, chance()), wish_s or 0.0)
