"""What a webhook's delivery says, in the forms of GitHub, GitLab, Gitea and Forgejo.

A delivery counts for nothing before it is known to be genuine: by an HMAC-SHA256 of the raw body, or (GitLab) by a
secret token.  It is a hint that something was pushed, and nothing more: whoever is hinted asks the remote itself.
Sources: "Validating webhook deliveries" of GitHub's documentation, "Webhooks" of GitLab's and of Gitea's.
"""

import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Push:
    """What a push event says; None where it does not say."""

    branch: str | None
    commit: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A genuine delivery; `push` is None for other events, and for pushes to what is no branch."""

    form: str
    id: str
    push: Push | None


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    proof: str
    fits: Callable[[str, bytes, str], bool]
    event: str
    pushes: frozenset[str]
    id: str


def signed(secret: str, body: bytes, header: str) -> bool:
    """Whether `X-Hub-Signature-256` fits the body.  An empty secret fits nothing."""
    return _signed_bare(secret, body, header.removeprefix("sha256=")) and header.startswith("sha256=")


def _signed_bare(secret: str, body: bytes, header: str) -> bool:
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), header.encode("utf-8", "replace"))


def _same_token(secret: str, body: bytes, header: str) -> bool:
    return bool(secret) and hmac.compare_digest(secret.encode(), header.encode("utf-8", "replace"))


# The first form whose proof a delivery carries is the one that counts: Gitea and Forgejo send GitHub's headers too.
_FORMS = (
    _Form("Forgejo", "X-Forgejo-Signature", _signed_bare, "X-Forgejo-Event", frozenset({"push"}), "X-Forgejo-Delivery"),
    _Form("Gitea", "X-Gitea-Signature", _signed_bare, "X-Gitea-Event", frozenset({"push"}), "X-Gitea-Delivery"),
    _Form("GitHub", "X-Hub-Signature-256", signed, "X-GitHub-Event", frozenset({"push", ""}), "X-GitHub-Delivery"),
    _Form("GitLab", "X-Gitlab-Token", _same_token, "X-Gitlab-Event", frozenset({"Push Hook"}), "X-Gitlab-Event-UUID"),
)


def read_delivery(headers: Mapping[str, str], body: bytes, secret: str) -> Delivery | None:
    """A delivery, if it is genuine; `headers` are looked up as HTTP does, whatever their case."""
    for form in _FORMS:
        if form.proof in headers:
            if not form.fits(secret, body, headers[form.proof]):
                return None
            event = headers.get(form.event, "")
            push = read_push("push" if event in form.pushes else event, body)
            return Delivery(form.name, headers.get(form.id, "")[:64], push)
    return None


def read_push(event: str, body: bytes) -> Push | None:
    """The push an event tells of; None for other events and for pushes to what is no branch."""
    if event != "push":
        return None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Push(None, None)
    ref, after = (said.get("ref"), said.get("after")) if isinstance(said, dict) else (None, None)
    if not isinstance(ref, str):
        return Push(None, None)
    if not ref.startswith("refs/heads/"):
        return None
    commit = after if isinstance(after, str) and re.fullmatch(r"[0-9a-f]{40}", after) else None
    return Push(ref.removeprefix("refs/heads/")[:255], commit)


class Deliveries:
    """The delivery ids seen last; a replay is told from a new one."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._seen: OrderedDict[str, None] = OrderedDict()

    def is_new(self, delivery: str) -> bool:
        """Whether this id was not seen before; it is remembered now."""
        if delivery in self._seen:
            return False
        self._seen[delivery] = None
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return True
