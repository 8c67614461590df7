"""Why a file of a folder stays out of what is published."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sentence for people, and the guard that the person may override; None if there is none."""

    sentence: str
    guard: str | None = None
