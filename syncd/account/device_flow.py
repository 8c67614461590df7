"""Signing in on another page with a short code: OAuth's device flow (RFC 8628) as GitHub serves it.

An OAuth app's token stays until it is taken back; a GitHub App's ends after hours and comes with
another one that renews it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.account.http import ask
from syncd.core.errors import NeedsUser, SyncError, TryAgain

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_S = 5.0
"""What `slow_down` adds to the interval (RFC 8628, 3.5)."""
_LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where to sign in: the host's own address (https://github.com), and the app that asks."""

    base: str
    client_id: str

    def __post_init__(self) -> None:
        if not self.client_id.strip():
            raise NeedsUser(
                "Signing in with a code needs the client id of an OAuth or GitHub App: give it by --client-id, "
                "or use a token."
            )


@dataclass(frozen=True, slots=True)
class Code:
    """What the person types on the page, and what we ask with meanwhile.  Times in seconds."""

    user_code: str
    page: str
    device_code: str
    expires_s: float
    interval_s: float


@dataclass(frozen=True, slots=True)
class Grant:
    """A token; `renewal` gets the next one, `expires_at` is in seconds since 1970 (None: it stays)."""

    token: str
    renewal: str | None = None
    expires_at: float | None = None


def begin(place: Place, scope: str = "repo") -> Code:
    """Ask for a code.  NeedsUser if the host does not know the app, or has no device flow."""
    found = _asked(f"{place.base}/login/device/code", {"client_id": place.client_id, "scope": scope})
    try:
        return Code(
            str(found["user_code"]),
            str(found["verification_uri"]),
            str(found["device_code"]),
            min(_LONGEST_S, float(found.get("expires_in", 900))),
            max(0.0, float(found.get("interval", _SLOWER_S))),
        )
    except (KeyError, TypeError, ValueError):
        raise _no_device_flow(place, found) from None


def wait(
    place: Place,
    code: Code,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Grant:
    """Until the person has agreed on the page.  NeedsUser if they declined, or the code ended first."""
    until, interval_s = clock() + code.expires_s, code.interval_s
    while True:
        sleep(interval_s)
        try:
            found = _asked(
                f"{place.base}/login/oauth/access_token",
                {"client_id": place.client_id, "device_code": code.device_code, "grant_type": _GRANT},
            )
        except TryAgain:
            # A network that is away for a moment costs nothing but time (RFC 8628, 3.5: wait longer).
            found, interval_s = {"error": "authorization_pending"}, interval_s * 2
        if "access_token" in found:
            return _granted(found)
        error = str(found.get("error", ""))
        if error == "slow_down":
            interval_s = max(interval_s + _SLOWER_S, _seconds(found.get("interval")))
        elif error != "authorization_pending":
            raise _ended(place, error)
        if clock() + interval_s > until:
            raise _ended(place, "expired_token")


def renew(place: Place, renewal: str) -> Grant:
    """The next token.  NeedsUser if the renewal has ended too."""
    found = _asked(
        f"{place.base}/login/oauth/access_token",
        {"client_id": place.client_id, "grant_type": "refresh_token", "refresh_token": renewal},
    )
    if "access_token" not in found:
        raise NeedsUser(f"The sign-in at {_host(place)} has ended: say `syncd login` again.")
    return _granted(found)


def _asked(url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    answer = ask(url, form=form)
    if answer.status >= 500 or answer.status == 429:
        raise TryAgain(f"The server answered {answer.status} to the sign-in; we try again by ourselves.")
    return answer.body


def _granted(found: Mapping[str, Any]) -> Grant:
    renewal, lasts_s = found.get("refresh_token"), _seconds(found.get("expires_in"))
    return Grant(
        str(found["access_token"]), str(renewal) if renewal else None, time.time() + lasts_s if lasts_s else None
    )


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) and str(value).isdigit() else 0.0


def _no_device_flow(place: Place, found: Mapping[str, Any]) -> SyncError:
    if found.get("error") == "device_flow_disabled":
        return NeedsUser("Signing in with a code is switched off for this app: its owner enables the device flow.")
    return NeedsUser(
        f"{_host(place)} does not know the app {place.client_id}, or can't sign in with a code: "
        "check the client id, or use a token."
    )


def _ended(place: Place, error: str) -> SyncError:
    if error == "expired_token":
        return NeedsUser("The code has expired before it was entered: say `syncd login` again for a new one.")
    if error == "access_denied":
        return NeedsUser("The sign-in was declined on the page; nothing has changed.")
    return _no_device_flow(place, {"error": error})


def _host(place: Place) -> str:
    return place.base.partition("://")[2]
