"""How far long work has come, for whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from syncd.core.transfer import Direction, Transfer


@dataclass(frozen=True, slots=True)
class Progress:
    """So much of a piece of work is done; `total` None: not known.  `size` is in bytes, where that says more."""

    what: str
    done: int
    total: int | None
    unit: Literal["files", "objects", "bytes"]
    size: int | None = None


Told = Callable[[Progress], None]


def nobody(progress: Progress) -> None:
    """For work that nobody watches."""


def of_transfer(told: Told) -> Callable[[Transfer], None]:
    """Hears of transfers, and tells of them."""

    def heard(far: Transfer) -> None:
        what = "Downloading" if far.direction is Direction.FETCH else "Uploading"
        told(Progress(what, far.objects, far.of or None, "objects", far.bytes))

    return heard
