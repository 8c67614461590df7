"""A token is tried, and kept if it is of use: what `syncd login` and the folder's page do."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from syncd.account.rights import Rights, api_of, rights, sentence
from syncd.core.errors import NeedsUser, TryAgain
from syncd.git.address import Address, Kind, parse_address
from syncd.publisher.credentials import Credentials, Kept, well_formed
from syncd.publisher.settings import Settings

KEPT: Mapping[Kept, str] = {
    "keyring": "in this system's keyring",
    "file": "in a file that only you can read",
    "git": "with git",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """What a token may do, in words; `rights` None: that can't be known now."""

    sentence: str
    rights: Rights | None = None


def setting(state: Path, name: str) -> str | None:
    """SYNCD_GITHUB_API and so on, else the person's setting."""
    return os.environ.get("SYNCD_" + name.upper().replace(".", "_").replace("-", "_")) or Settings(state).get(name)


def tried(address: Address, token: str, api: str | None) -> Tried:
    """See what a token may do.  NeedsUser if it is of no use."""
    token = well_formed(token)
    if not urlsplit(address.url).path.strip("/"):
        return Tried(f"The token for all of {address.host} is taken as it is.")
    try:
        found = rights(address.url, lambda: token, api)
    except TryAgain:
        return Tried(f"{address.host} can't be reached now, so what the token may do was not checked.")
    if not found.reads:
        raise NeedsUser(sentence(found))
    if not found.writes:
        raise NeedsUser(f"{sentence(found)} Nothing was kept; make one that may read and write its contents.")
    return Tried(sentence(found), found)


def sign_in(state: Path, remote: str, token: str) -> str:
    """Keep a token for a remote from now on; a sentence.  NeedsUser if it is of no use there."""
    address = parse_address(remote)
    if address.kind is not Kind.HTTP:
        raise NeedsUser(f"{address.kind.value} needs no token.")
    given = os.environ.get("SYNCD_TOKEN_FILE")
    if given:
        raise NeedsUser(f"All tokens come from the file {given} (SYNCD_TOKEN_FILE): put the new one there.")
    found = tried(address, token, api_of(address, setting(state, "github.api")))
    kept = Credentials(state).store(address.url, token)
    return f"{found.sentence} It is kept {KEPT[kept]}."
