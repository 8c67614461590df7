"""The API, version 1: what the pages show, as JSON.  What they do is in `deed_handlers.py`.

Described by `api/v1/openapi.json`.
"""

from dataclasses import asdict
from functools import partial

from aiohttp import web

from hub_plugin.class_handlers import addresses
from hub_plugin.context import admit, context_key, open_to_anybody, visitor_key
from hub_plugin.openapi import document
from hub_plugin.readings import READINGS, Asked, Reading


def add_routes(app: web.Application, prefix: str) -> None:
    """Where it is."""
    app.router.add_get(f"{prefix}api/v1/openapi.json", _openapi)
    for reading in READINGS:
        app.router.add_get(f"{prefix}api/v1/{reading.path}", partial(_read, reading))


@open_to_anybody
async def _openapi(request: web.Request) -> web.Response:
    return web.json_response(document(request.app[context_key].prefix))


async def _read(reading: Reading, request: web.Request) -> web.Response:
    context, visitor = request.app[context_key], request[visitor_key]
    name = request.match_info.get("course")
    course = await context.courses.of(name, visitor, reading.least) if name is not None else None
    admit(context.rate, f"GET {visitor.name}", 2)
    asked = Asked(context, visitor, course, request.query, *addresses(request, context))
    return web.json_response(asdict(await reading.read(asked)))
