"""Receiving webhooks (`syncd.core.delivery`): each genuine delivery once, answered at once."""

import hashlib
import re
from collections.abc import Callable

from aiohttp import web

from syncd.core.delivery import Deliveries, Push, read_delivery

LARGEST_BODY = 1 << 20
_COURSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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
        delivery = read_delivery(request.headers, body, known or "")
        if delivery is None:
            return web.Response(status=403, text="The signature does not fit: check URL and secret of the webhook.\n")
        # The id alone is not signed; with the body it tells a replay.  Under another id it costs one look, no more.
        name = f"{course} {delivery.id} {hashlib.sha256(body).hexdigest()}"
        if delivery.push is not None and deliveries.is_new(name):
            pushed(course, delivery.push)
        return web.Response(status=202, text="Thank you.\n")

    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([web.post("/webhook/{course}", receive)])
    return app
