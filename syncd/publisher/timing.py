"""How patient a publisher is, and how often it pushes."""

from dataclasses import dataclass, field

from syncd.core.retry import Backoff
from syncd.publisher.conversation import Pushes


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a publisher is, in seconds."""

    quiet_s: float = 0.2
    longest_s: float = 3.0
    patience_s: float = 60.0
    """With half-written files (MERGE_SPEC I9)."""
    poll_s: float = 30.0
    """The remote is asked this often at least."""
    reconcile_s: float = 600.0
    """The whole folder is looked at this often at least."""
    ask_again_s: float = 300.0
    """After a "no" of the remote that only a person can change."""
    presence_s: float = 5.0
    """How often to see whether the folder is still there (or there again): one stat; and which network there is."""
    backoff: Backoff = field(default_factory=Backoff)
    """After what passes by itself."""
    pushes: Pushes = field(default_factory=Pushes)
