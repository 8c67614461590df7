"""The remotes: reached, with a token that may push and goes on to hold; and both clocks agree."""

import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime

from syncd.account.http import ask
from syncd.account.rights import api_of, ends_soon, expiry, rights, sentence
from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.doctor.finding import Finding, good, problem, warning
from syncd.doctor.place import Here
from syncd.git.address import Kind, parse_address
from syncd.publisher.credentials import Credentials
from syncd.publisher.status import asking

_SKEW_S = 60.0


def remotes(at: Here) -> Iterator[Finding]:
    """Each remote once."""
    for remote in sorted({folder.remote for folder in at.folders}):
        try:
            address = parse_address(remote)
            found = rights(remote, Credentials(at.state).asker(remote), api_of(address, at.api))
        except TryAgain as error:
            yield warning(str(error))
            continue
        except NeedsUser as error:
            yield problem(asking(error, remote))
            continue
        if not found.reads or not found.writes:
            yield problem(f"{sentence(found)} Give a better one: syncd login {remote}")
        elif ends_soon(found.expires_at, time.time()):
            yield warning(f"The token for {remote} ends. {expiry(found.expires_at)}")
        else:
            yield good(sentence(found))


def clocks(at: Here) -> Iterator[Finding]:
    """A clock that is wrong spoils certificates, times in the history and `restore --at`."""
    yield from clocks_of(folder.remote for folder in at.folders)


def clocks_of(remotes: Iterable[str]) -> Iterator[Finding]:
    """Compare this machine's clock with those of remotes, of each host once."""
    seen: set[str] = set()
    for remote in sorted(set(remotes)):
        try:
            address = parse_address(remote)
            if address.kind is not Kind.HTTP or address.host in seen:
                continue
            began = time.time()
            said = ask(f"{address.url}/info/refs?service=git-upload-pack").headers.get("date")
        except SyncError:
            continue  # the check of the remote says so
        try:
            theirs = parsedate_to_datetime(said or "").timestamp()
        except (ValueError, TypeError):
            continue
        seen.add(address.host)
        ours = (began + time.time()) / 2
        if abs(ours - theirs) > _SKEW_S:
            way = "ahead of" if ours > theirs else "behind"
            minutes = abs(ours - theirs) / 60
            yield warning(f"This machine's clock is {minutes:.0f} minutes {way} that of {address.host}: set it right.")
        else:
            yield good(f"This machine's clock agrees with that of {address.host}.")
