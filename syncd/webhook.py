"""Signed webhooks of GitHub's form: a hint that something was pushed, and nothing more.

The body counts for nothing before its signature is checked over the raw bytes; whoever is hinted
asks the remote itself.  Answered at once.
"""

import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

LARGEST_BODY = 1 << 20
_REMEMBERED = 4_096
_COURSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Push:
    """What a push event says; None where it does not say."""

    branch: str | None
    commit: str | None


def signed(secret: str, body: bytes, header: str) -> bool:
    """Whether `X-Hub-Signature-256` fits the body.  An empty secret fits nothing."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), header.encode("utf-8", "replace"))


def read_push(event: str, body: bytes) -> Push | None:
    """The push an event tells of; None for other events and for pushes to what is no branch."""
    if event != "push":
        return None
    try:
        said = json.loads(body)
    except ValueError:
        return Push(None, None)
    ref, after = (said.get("ref"), said.get("after")) if isinstance(said, dict) else (None, None)
    if not isinstance(ref, str):
        return Push(None, None)
    if not ref.startswith("refs/heads/"):
        return None
    commit = after if isinstance(after, str) and re.fullmatch(r"[0-9a-f]{40}", after) else None
    return Push(ref.removeprefix("refs/heads/"), commit)


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


def webhook_app(secret: Callable[[str], str | None], pushed: Callable[[str, Push], None]) -> web.Application:
    """`POST /webhook/{course}`: 202, and `pushed` is called once per delivery that tells of a push to a branch.

    `secret` gives a course's secret; None where there is no such course, or it takes no webhooks.
    The answer to both, and to a wrong signature, is the same.
    """
    deliveries = Deliveries()

    async def receive(request: web.Request) -> web.Response:
        course = request.match_info["course"]
        if (request.content_length or 0) > LARGEST_BODY:
            return web.Response(status=413, text="A webhook of more than 1 MB is not taken.\n")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text="A webhook of more than 1 MB is not taken.\n")
        known = secret(course) if _COURSE.fullmatch(course) else None
        if not signed(known or "", body, request.headers.get("X-Hub-Signature-256", "")):
            return web.Response(status=403, text="The signature does not fit: check URL and secret of the webhook.\n")
        # The id alone is not signed; with the body it tells a replay.  Under another id it costs one look, no more.
        delivery = f"{course} {request.headers.get('X-GitHub-Delivery', '')[:64]} {hashlib.sha256(body).hexdigest()}"
        push = read_push(request.headers.get("X-GitHub-Event", "push"), body)
        if push is not None and deliveries.is_new(delivery):
            pushed(course, push)
        return web.Response(status=202, text="Thank you.\n")

    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([web.post("/webhook/{course}", receive)])
    return app
