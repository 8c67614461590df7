"""The tone of a state."""

from enum import Enum


class Tone(Enum):
    """How a state looks; the words say the same."""

    GOOD = "good"
    BUSY = "busy"
    WAIT = "wait"
    BAD = "bad"
    QUIET = "quiet"
