"""One request to a host's own pages or API; answers are data, not exceptions, and no redirect is followed."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

from syncd.core.errors import NeedsUser, TryAgain
from syncd.git.address import Address, Kind

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """What a host answered; `body` is {} unless it is a JSON object."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Mapping[str, Any]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes to the host that it is for, and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


def ask(url: str, *, form: Mapping[str, str] | None = None, token: str | None = None, timeout_s: float = 15.0) -> Reply:
    """GET, or POST of a form.  TryAgain if the host can't be reached, NeedsUser if `url` is no web address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise NeedsUser(f"“{url}” is not the address of a web server; give one that begins with https://.")
    if not _is_safe(url):
        raise NeedsUser(f"“{url}” is not encrypted, so no token is asked for or sent there; use https://.")
    request = urllib.request.Request(  # http and https only, see above
        url,
        urlencode(form).encode() if form is not None else None,
        {"Accept": "application/json", "User-Agent": "synced-folders"},
    )
    if token is not None:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if _is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
            return Reply(answer.status, _lower(answer.headers), _object(answer.read(_LARGEST)))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, _lower(error.headers), _object(error.read(_LARGEST)))
    except (OSError, http.client.HTTPException) as error:
        raise TryAgain(f"{parts.hostname} can't be reached; we try again by ourselves.") from error


def _is_loopback(url: str) -> bool:
    return Address(url, Kind.HTTP, urlsplit(url).hostname or "").is_loopback


def _is_safe(url: str) -> bool:
    return urlsplit(url).scheme == "https" or _is_loopback(url)


def _lower(headers: Message) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
