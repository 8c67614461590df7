"""How the control reads what it is asked and says what is wrong: JSON both ways."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs

from aiohttp import web

from syncd.core.entry import RelPath

_T = TypeVar("_T")
Now = Callable[[], Awaitable[Mapping[str, _T]]]
"""The folders that the list names by now, by their ids."""

UNKNOWN = "There is no folder with this id; `syncd status` lists them."


async def body_of(request: web.Request) -> dict[str, Any]:
    """The request's JSON object; {} for an empty body, and 400 for anything else."""
    text = await request.text()
    try:
        found = json.loads(text) if text else {}
    except ValueError as problem:
        raise web.HTTPBadRequest(text="This is not JSON.") from problem
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text="This is not a JSON object.")
    return found


def say(status: int, sentence: str) -> web.Response:
    """An answer that says what is wrong."""
    return web.json_response({"error": sentence}, status=status)


def path_of(request: web.Request) -> RelPath:
    """The path that a query names; its bytes may be no text, so that aiohttp's own reading would lose them."""
    asked = parse_qs(request.rel_url.raw_query_string, errors="surrogateescape")
    return RelPath(asked.get("path", [""])[0])
