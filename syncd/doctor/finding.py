"""What a doctor says, and how checks are run one after the other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Generic, TypeVar

from syncd.core.errors import SyncError

Place = TypeVar("Place")


class Level(Enum):
    """How bad it is; only a problem needs somebody."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence that says what to do.  `mend` does it, where that is safe, and says what it did."""

    level: Level
    sentence: str
    mend: Callable[[], str] | None = field(default=None, compare=False, repr=False)
    check: str = ""
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Check(Generic[Place]):
    """One kind of look at a place; a suite is a tuple of them."""

    name: str
    look: Callable[[Place], Iterable[Finding]]


def good(sentence: str) -> Finding:
    """All is well."""
    return Finding(Level.GOOD, sentence)


def note(sentence: str) -> Finding:
    """For completeness."""
    return Finding(Level.NOTE, sentence)


def warning(sentence: str, mend: Callable[[], str] | None = None) -> Finding:
    """It works, but not for long or not well."""
    return Finding(Level.WARNING, sentence, mend)


def problem(sentence: str, mend: Callable[[], str] | None = None) -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, sentence, mend)


def examined(checks: Iterable[Check[Place]], place: Place, *, mend: bool) -> Iterator[Finding]:
    """All findings, in order; with `mend` what is safe to repair is repaired at once."""
    for check in checks:
        try:
            for found in check.look(place):
                found = replace(found, check=check.name)
                if mend and found.mend is not None:
                    found = _mended(found)
                yield found
        except (SyncError, OSError) as error:
            yield Finding(Level.PROBLEM, f"This could not be looked at: {error}", check=check.name)


def _mended(found: Finding) -> Finding:
    assert found.mend is not None
    try:
        return replace(found, level=Level.GOOD, sentence=found.mend(), mend=None, mended=True)
    except (SyncError, OSError) as error:
        return replace(found, sentence=f"{found.sentence} The repair failed: {error}", mend=None)
