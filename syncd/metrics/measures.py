"""What is counted while a service works, in plain numbers: durations, and failures by their kind."""

from bisect import bisect_left

from syncd.core.errors import SyncError

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds, from what an update costs on one machine to what a person calls broken."""


class Durations:
    """How often something took how long."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        """Of those up to each of `BUCKETS` and above the one before; at the end, of those above all."""
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """It took so long; what no clock can have told is left out."""
        if (took := plausible_s(seconds)) is not None:
            self.counts[bisect_left(BUCKETS, took)] += 1
            self.sum_s += took


def kind_of(problem: BaseException) -> str:
    """The kind of a failure, as a label: its class where that is one of ours, else what Python calls it."""
    if isinstance(problem, SyncError | OSError):
        return type(problem).__name__
    return "Unexpected"


def plausible_s(seconds: object) -> float | None:
    """A duration that a clock or a peer told, if it can be one: between nothing and a day."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if 0 <= seconds <= 86_400 else None
