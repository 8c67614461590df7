"""The control's part about tokens: the one that a folder asks for is given here."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from syncd.core.errors import SyncError
from syncd.publisher.control_answers import UNKNOWN, Now, body_of, say
from syncd.publisher.sign_in import sign_in


class Asking(Protocol):
    """A folder whose remotes may want a token."""

    def status(self) -> Mapping[str, Any]: ...  # noqa: D102
    def hint(self) -> None: ...  # noqa: D102


def token_routes(state: Path, folders: Now[Asking]) -> Sequence[web.RouteDef]:
    """`POST /v1/folders/{id}/token`: `{"token": ...}`, for the remote that wants one, else the folder's own.

    The token is in no answer, whatever becomes of it.
    """

    async def handle(request: web.Request) -> web.Response:
        known = await folders()
        folder = known.get(request.match_info["id"])
        if folder is None:
            return say(404, UNKNOWN)
        token = (await body_of(request)).get("token")
        if not isinstance(token, str) or not token.strip():
            return say(409, "No token was given: paste it into the field.")
        status = folder.status()
        try:
            sentence = await asyncio.to_thread(sign_in, state, status["token_for"] or status["remote"], token)
        except SyncError as problem:
            return say(409, str(problem))
        for each in known.values():  # others may have waited for the same token
            each.hint()
        return web.json_response({"sentence": sentence})

    return [web.post("/v1/folders/{id}/token", handle)]
