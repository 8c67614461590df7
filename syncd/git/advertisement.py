"""What a git server over HTTP shows first: branches, the default branch, and whether we may come in.

One GET of `info/refs` (gitprotocol-http, gitprotocol-pack), made by ourselves since it tells
status, content type and the server's own words, which libgit2 keeps to itself.
"""

import base64
import http.client
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.git.address import Address, Kind
from syncd.git.failure import by_status, by_text, not_git
from syncd.git.shown import BRANCH, Shown, shown

READ, WRITE = "git-upload-pack", "git-receive-pack"
_LARGEST = 64 << 20
_BRANCH = BRANCH.encode()


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a remote shows, and where it really lies (after redirects on the same host)."""

    shown: Shown
    address: Address


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token goes to the host the person named and nowhere else, so each step is judged by us."""

    def redirect_request(self, *_: object) -> None:
        return None


def authorization(token: str) -> str:
    """The header's value.  Hosts take a token as the password of any user name; `user:password` is sent as it is."""
    pair = token if ":" in token else f"x-access-token:{token}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def advertised(address: Address, service: str, token: str | None, timeout_s: float) -> Advertisement:
    """Ask the server.  Raises the error that its answer stands for."""
    for _ in range(4):
        answer = _get(address, service, token, timeout_s)
        if isinstance(answer, Address):
            address = answer
            continue
        return _parse(address, answer)
    raise NeedsUser(f"The repository at {address} leads from one address to the next without end: check the address.")


def _get(address: Address, service: str, token: str | None, timeout_s: float) -> bytes | Address:
    request = urllib.request.Request(  # http and https only, see address.py
        f"{address.url}/info/refs?service={service}",
        headers={"User-Agent": "git/2.40 (synced-folders)", "Accept": "*/*", "Pragma": "no-cache"},
    )
    if token:
        request.add_unredirected_header("Authorization", authorization(token))
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if address.is_loopback:
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
            if not answer.headers.get("Content-Type", "").startswith(f"application/x-{service}-advertisement"):
                raise not_git(address)
            body: bytes = answer.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(address, error, service, token)
    except urllib.error.URLError as error:
        raise _unreachable(address, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(address, error) from error
    if len(body) > _LARGEST:
        raise NeedsUser(f"{address} has too many branches and tags for us: use a repository of its own for the folder.")
    return body


def _refused(address: Address, error: urllib.error.HTTPError, service: str, token: str | None) -> Address:
    where = error.headers.get("Location")
    if 300 <= error.code < 400 and where:
        return _moved(address, urljoin(f"{address.url}/info/refs", where), service)
    words = ""
    if error.headers.get("Content-Type", "").startswith("text/plain"):
        words = " ".join(error.read(300).decode("utf-8", "replace").split()).removeprefix("remote: ").rstrip(".")
    raise by_status(
        address,
        error.code,
        pushing=service == WRITE,
        with_token=bool(token),
        words=words,
        after_s=_seconds(error.headers.get("Retry-After", "")),
    ) from None


def _seconds(after: str) -> float | None:
    """What Retry-After asks for: seconds, or a date (RFC 9110); None if it says nothing."""
    if after.isdigit():
        return float(after)
    try:
        return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
    except ValueError:
        return None


def _moved(address: Address, where: str, service: str) -> Address:
    target, _, _ = where.partition("/info/refs")
    old, new = urlsplit(address.url), urlsplit(target)
    same = new.hostname == old.hostname and (new.scheme == "https" or (new.scheme, new.port) == (old.scheme, old.port))
    if not same or f"/info/refs?service={service}" not in where or new.username is not None:
        raise NeedsUser(
            f"The repository at {address} has moved to another place: look up its new address and give that."
        )
    return Address(target, Kind.HTTP, address.host)


def _unreachable(address: Address, reason: object) -> SyncError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return by_text(address, "certificate")
    if isinstance(reason, TimeoutError):
        return by_text(address, "timed out")
    return by_text(address, str(reason))


def _parse(address: Address, body: bytes) -> Advertisement:
    refs: list[tuple[str, str]] = []
    default: str | None = None
    for number, line in enumerate(_lines(address, body)):
        names, _, capabilities = line.rstrip(b"\n").partition(b"\0")
        for capability in capabilities.split():
            if capability.startswith(b"symref=HEAD:" + _BRANCH):
                default = capability.split(_BRANCH, 1)[1].decode("utf-8", "surrogateescape")
        commit, _, ref = names.partition(b" ")
        if number == 0 and commit == b"#":
            continue
        refs.append((ref.decode("utf-8", "surrogateescape"), commit.decode("ascii", "replace")))
    return Advertisement(shown(refs, default), address)


def _lines(address: Address, body: bytes) -> list[bytes]:
    """The payloads of all pkt-lines; flushes are left out.  A cut answer is a connection that broke off."""
    lines, at, flushes = [], 0, 0
    while at < len(body):
        try:
            length = int(body[at : at + 4], 16)
        except ValueError:
            raise not_git(address) from None
        if length < 4:
            flushes += 1
            at += 4
            continue
        if at + length > len(body):
            break
        line = body[at + 4 : at + length]
        if line.startswith(b"ERR "):
            raise TryAgain(f"{address.host} answered: {line[4:].decode('utf-8', 'replace').strip()}")
        lines.append(line)
        at += length
    if flushes < 2:
        raise TryAgain(f"The connection to {address.host} broke off; we try again by ourselves.")
    return lines
