"""What a token may do with a repository: asked of the git server, and of GitHub's API where there is one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from syncd.account.http import Reply, ask
from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.git.address import Address, Kind, parse_address
from syncd.git.remote import Remote

_DAY_S = 86_400.0
_SOON_S = 14 * _DAY_S


@dataclass(frozen=True, slots=True)
class Rights:
    """What was found.  None is "not known"; `expires_at` is in seconds since 1970."""

    remote: str
    name: str
    reads: bool
    writes: bool
    private: bool | None = None
    expires_at: float | None = None
    account: str | None = None
    wide: bool = False
    """It holds for all repositories of the account (a classic token)."""
    problem: str | None = None
    """Why it does not read, in a sentence."""

    @property
    def is_token(self) -> bool:
        """Whether a token was looked at, and not a key or a folder of this machine."""
        return parse_address(self.remote).kind is Kind.HTTP


def rights(remote: str, credentials: Callable[[], str | None], api: str | None = None) -> Rights:
    """Look what may be done.  TryAgain without network; NeedsUser if the address or token is wrong.

    `api` is the address of GitHub's API (see `api_of`); whatever goes wrong there is passed over in silence.
    """
    there = Remote(remote, credentials)
    address = there.address
    name = _name(address)
    account = _account(api, credentials())
    try:
        there.branches()
    except TryAgain:
        raise
    except NeedsUser as problem:
        return Rights(address.url, name, False, False, problem=_unseen(problem, address, account))
    writes = there.may_push()
    token = credentials()
    if api is None or token is None or address.kind is not Kind.HTTP:
        return Rights(address.url, name, True, writes)
    found = _quiet(f"{api}/repos/{name}", token)
    body: Mapping[str, Any] = found.body if found else {}
    private = body.get("private")
    return Rights(
        address.url,
        name,
        True,
        writes,
        private if isinstance(private, bool) else None,
        _expiry(found.headers) if found else None,
        account,
        wide="repo" in (found.headers.get("x-oauth-scopes") or "").replace(" ", "").split(",") if found else False,
    )


def api_of(address: Address, given: str | None) -> str | None:
    """The API of a remote's host: as given (an Enterprise server's is https://HOST/api/v3), or github.com's own."""
    if given:
        return given.rstrip("/")
    return "https://api.github.com" if address.host.lower() in ("github.com", "www.github.com") else None


def sentence(found: Rights, now: float | None = None) -> str:
    """The rights in words."""
    if not found.reads:
        return found.problem or f"The token may not read {found.name}."
    what = "The token" if found.is_token else "You"
    if found.writes:
        out = f"{what} may read and write {found.name}."
    else:
        out = f"{what} may read {found.name} but not write to it."
    if found.account:
        out += f" It belongs to {found.account}."
    if found.wide:
        out += " It holds for all repositories of that account: one for this repository alone would be safer."
    return " ".join([out, *filter(None, [expiry(found.expires_at, now)])])


def expiry(at: float | None, now: float | None = None) -> str | None:
    """When a token ends, if that is soon or known."""
    if at is None:
        return None
    left_s = at - (time.time() if now is None else now)
    day = datetime.fromtimestamp(at).strftime("%Y-%m-%d")
    if left_s <= 0:
        return f"It expired on {day}: make a new one and say `syncd login`."
    if left_s < _SOON_S:
        return f"It expires on {day}: make a new one before that, and say `syncd login`."
    return f"It expires on {day}."


def ends_soon(at: float | None, now: float) -> bool:
    """Whether a token ends within two weeks."""
    return at is not None and at - now < _SOON_S


def _unseen(problem: SyncError, address: Address, account: str | None) -> str:
    if "no repository" not in str(problem) or account is None:
        return str(problem)
    owner = _name(address).partition("/")[0]
    return (
        f"The token of {account} can't see {_name(address)}: check the address; if it is one of the private "
        f"repositories of {owner}, make a token that may read and write it."
    )


def _account(api: str | None, token: str | None) -> str | None:
    found = _quiet(f"{api}/user", token) if api and token else None
    name = found.body.get("login") if found else None
    return name if isinstance(name, str) and name.isprintable() else None


def _quiet(url: str, token: str) -> Reply | None:
    try:
        found = ask(url, token=token, timeout_s=5.0)
    except SyncError:
        return None
    return found if found.status == 200 else None


def _expiry(headers: Mapping[str, str]) -> float | None:
    text = (headers.get("github-authentication-token-expiration") or "").removesuffix(" UTC").strip()
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S %z"):
        try:
            found = datetime.strptime(text, form)
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None


def _name(address: Address) -> str:
    """`owner/repository` of a hosted one, else the address."""
    if address.kind is Kind.HTTP:
        return urlsplit(address.url).path.strip("/").removesuffix(".git") or address.url
    return address.url
