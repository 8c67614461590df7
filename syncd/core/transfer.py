"""How far a transfer is: what a progress bar needs, worded by nobody."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

_SOON_S = 2.0
_FEWEST = 0.05


class Direction(Enum):
    """Which way contents go."""

    PUSH = "push"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Objects (of git) and bytes so far; `of` is 0 while the number of objects is unknown."""

    direction: Direction
    objects: int
    of: int
    bytes: int
    seconds: float
    """Since it began."""

    @property
    def seconds_left(self) -> float | None:
        """A guess by the share that is done; None while that says too little."""
        share = self.objects / self.of if self.of else 0.0
        if self.seconds < _SOON_S or share < _FEWEST:
            return None
        return self.seconds * (1 - share) / share

    def report(self) -> dict[str, object]:
        """As the publisher's status shows it."""
        return {
            "kind": self.direction.value,
            "objects": self.objects,
            "of": self.of,
            "bytes": self.bytes,
            "seconds_left": self.seconds_left,
        }


Told = Callable[[Transfer], None]
"""Called now and then while a transfer goes on, from its thread; must not raise."""
