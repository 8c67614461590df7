"""Errors by who must act: nobody yet (we try again), the user, or whoever runs the service.

Every message is one sentence for a person that says what is wrong and what to do next; the
cause travels as `__cause__` and goes to the log.
"""


class SyncError(Exception):
    """Anything that keeps a folder from being in step."""


class TryAgain(SyncError):
    """Passes by itself: no network, a busy server, a lost race.  The caller retries."""

    after_s: float | None = None
    """The server's own wish, in seconds, if it has one."""


class NeedsUser(SyncError):
    """Only the person can go on: a wrong token, a folder in the way, a name that can't be kept."""


class NeedsToken(NeedsUser):
    """The remote wants a token, or another one; how it is given differs between a person, a node and a hub."""


class Refused(NeedsUser):
    """The remote said no to this very push (protected branch, file too large, no right)."""


class MayNot(NeedsToken, Refused):
    """The token has not the right; another one may have it."""


class Stop(SyncError):
    """The process must end: a second daemon, an unreadable state, no rights."""


def first_of(group: BaseExceptionGroup[Stop]) -> BaseException:
    """The first error of a group, however deep it lies."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
