"""What went wrong with a remote, as errors that say who must act, in one sentence.

libgit2 gives only English text; it is looked at here and nowhere else.  Where the text names no
cause, `Remote` asks the server once more by itself (see `advertisement.py`), which is precise.
"""

import re

from syncd.core.errors import MayNot, NeedsToken, NeedsUser, Refused, Stop, SyncError, TryAgain
from syncd.git.address import Address


class Behind(TryAgain):
    """Somebody else pushed first: fetch, merge, push again."""


class NoBranch(NeedsUser):
    """The remote answers, but has no such branch (an empty repository has none)."""


class Busy(TryAgain):
    """The server asks us to come back later; `after_s` is its own wish, if it has one."""

    def __init__(self, sentence: str, after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.after_s = after_s


class Damaged(Stop):
    """The repository on this machine can't be read."""


_STATUS = re.compile(r"unexpected http status code: (\d{3})")


def status_in(message: str) -> int | None:
    """The HTTP status libgit2's text names, if it does."""
    found = _STATUS.search(message)
    if found:
        return int(found[1])
    if "redirect" in message:
        return 302
    if "authentication" in message:
        return 401
    return None


def by_status(
    address: Address, status: int, *, pushing: bool, with_token: bool, words: str = "", after_s: float | None = None
) -> SyncError:
    """The error an HTTP status stands for; `words` are the server's own, if it sent plain text."""
    said = f" ({words})" if words else ""
    if status == 429 or (status == 403 and after_s is not None):
        return Busy(f"{address.host} asks us to slow down; we try again by ourselves.", after_s)
    if status == 401:
        if with_token:
            return NeedsToken(
                f"{address.host} does not accept the token: it is wrong or has expired, so give a new one."
            )
        return NeedsToken(f"{address.host} asks for a token for {address}: give one.")
    if status == 403 and pushing:
        return MayNot(f"The token may not write to {address}{said}: give one that may, or ask its owner for the right.")
    if status == 403:
        return NeedsToken(f"The token may not read {address}{said}: give one that may, or ask its owner for the right.")
    if status == 407:
        return NeedsUser("The proxy of this network asks for a name and password: set them up in HTTPS_PROXY.")
    if status == 511:  # RFC 6585: the network's, not the server's
        return TryAgain("This network wants you to sign in first: open any web page, and it goes on by itself.")
    if status in (404, 410):
        return NeedsToken(
            f"There is no repository at {address}, or the token may not see it: check the address and the token."
        )
    if status == 413:
        return Refused(f"{address.host} finds this push too large{said}: publish large files some other way.")
    if status >= 500 or status == 408:
        return Busy(
            f"{address.host} has trouble of its own (it answered {status}); we try again by ourselves.", after_s
        )
    if 300 <= status < 400:
        return NeedsUser(f"The repository at {address} has moved: look up its new address and give that.")
    return NeedsUser(f"{address.host} does not answer as a git server does (status {status}): check the address.")


def not_git(address: Address) -> SyncError:
    """For a web page where git was expected."""
    return TryAgain(
        f"{address} answered with a web page instead of a repository: sign in to this network if it asks for that, "
        "or check the address."
    )


_TEXTS: tuple[tuple[str, type[SyncError], str], ...] = (
    # libgit2's, Python's, OpenSSL's or git's words, lower case -> who must act, and what to say; the first that fits
    ("no space left", NeedsUser, "The disk is full: free some space, then it goes on by itself."),
    ("disk quota exceeded", NeedsUser, "Your disk quota is used up: free some space, then it goes on by itself."),
    ("read-only file system", NeedsUser, "The disk is read-only: make it writable again."),
    ("not owned by current user", NeedsUser, "{address} belongs to another user of this machine: use it as that user."),
    (
        "host key verification",
        NeedsUser,
        "The ssh key of {host} is not known here: run `ssh {host}` once and accept it.",
    ),
    ("permission denied (publickey", NeedsUser, "{host} does not accept your ssh key: add it to your account there."),
    ("permission denied", NeedsUser, "We may not read or write {address}: check its permissions."),
    ("write access", Refused, "You may not write to {address}: ask its owner for the right."),
    (
        "certificate",
        NeedsUser,
        "The certificate of {host} can't be trusted: check the address, and this machine's clock.",
    ),
    ("ssl error", TryAgain, "A safe connection to {host} could not be made; we try again by ourselves."),
    ("tls", TryAgain, "A safe connection to {host} could not be made; we try again by ourselves."),
    ("could not resolve host", TryAgain, "The host {host} can't be found: check the address, and the network."),
    ("failed to resolve address", TryAgain, "The host {host} can't be found: check the address, and the network."),
    ("name or service not known", TryAgain, "The host {host} can't be found: check the address, and the network."),
    ("name resolution", TryAgain, "The host {host} can't be found: check the address, and the network."),
    ("nodename nor servname", TryAgain, "The host {host} can't be found: check the address, and the network."),
    ("timed out", TryAgain, "{host} did not answer in time; we try again by ourselves."),
    ("timeout", TryAgain, "{host} did not answer in time; we try again by ourselves."),
    ("connection refused", TryAgain, "{host} can't be reached; we try again by ourselves."),
    ("failed to connect", TryAgain, "{host} can't be reached; we try again by ourselves."),
    ("unreachable", TryAgain, "There is no network; we try again by ourselves."),
    (
        "content-type",
        TryAgain,
        "{address} answered with a web page instead of a repository; we try again by ourselves.",
    ),
    ("could not read username", NeedsToken, "{host} asks for a token for {address}: give one."),
    (
        "repository not found",
        NeedsUser,
        "There is no repository at {address}, or you may not see it: check the address.",
    ),
    ("does not appear to be a git repo", NeedsUser, "There is no repository at {address}: check the address."),
    ("not a git repository", NeedsUser, "There is no repository at {address}: check the address."),
    ("no such file or directory", NeedsUser, "There is no repository at {address}: check the address."),
    ("unsupported url protocol", NeedsUser, "There is no repository at {address}: check the address."),
    ("does not exist", NeedsUser, "There is no repository at {address}: check the address."),
)


def by_text(address: Address, message: str) -> SyncError:
    """The error that a library's or a command's words stand for; by default the connection broke off."""
    low = message.lower()
    for words, kind, sentence in _TEXTS:
        if words in low:
            return kind(sentence.format(address=address, host=address.host or address.url))
    return TryAgain(f"The connection to {address.host or address} broke off; we try again by ourselves.")


_BEHIND = (
    "non-fast-forward",
    "non-fastforward",
    "fast-forward",
    "fetch first",
    "fetched first",
    "stale info",
    "cannot lock ref",
    "failed to update ref",
    "failed to lock",
    "reference already exists",
    "not present locally",
    "incorrect old value",
)


def rejected(address: Address, branch: str, reason: str, spoken: str) -> SyncError:
    """A push that the server answered with "no": `reason` is the protocol's, `spoken` what its hook printed."""
    if any(words in reason.lower() for words in _BEHIND):
        return Behind(f"Somebody published to '{branch}' a moment before us; we take that in first, then try again.")
    spoken = " ".join(line for line in map(str.strip, spoken.splitlines()) if line)
    said = f"{spoken} ({reason})" if spoken else reason
    return Refused(f"{address.host or address} refused to publish to '{branch}': {said}")
