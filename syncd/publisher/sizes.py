"""How large files may be: of which size on it is said, and of which size on they stay out."""

from dataclasses import dataclass
from pathlib import Path

from syncd.core.entry import RelPath
from syncd.core.left_out import LeftOut
from syncd.publisher.settings import Settings
from syncd.publisher.words import short

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes; those of GitHub, which warns above the first and refuses above the second."""

    warn: int = 50 * MEGABYTE
    most: int = 100 * MEGABYTE


def limits_of(state: Path) -> Limits:
    """As set for a state folder by `size.warn` and `size.most`, in MB."""
    found, usual = Settings(state).all(), Limits()
    warn, most = found.get("size.warn"), found.get("size.most")
    return Limits(int(warn) * MEGABYTE if warn else usual.warn, int(most) * MEGABYTE if most else usual.most)


def too_large(path: RelPath, size: int, limits: Limits) -> LeftOut:
    """Why a file stays out for its size (bytes)."""
    return LeftOut(
        f"“{short(path)}” has {_shown(size)} MB, more than the {limits.most // MEGABYTE} MB that may be "
        "published: it stays here and is not published; put it elsewhere and link to it, or let git-lfs carry it.",
        "size",
    )


def large(path: RelPath, size: int, limits: Limits) -> str:
    """What to say of a file that goes in although it is large (bytes)."""
    return (
        f"“{short(path)}” has {_shown(size)} MB, which every student downloads; more than "
        f"{limits.most // MEGABYTE} MB are not published. A link to a download may be better."
    )


def _shown(size: int) -> str:
    """In the MB of the limits, rounded up: what is over a limit must not look as if it were at it."""
    return f"{-(-size // MEGABYTE):,}"
