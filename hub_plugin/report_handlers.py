"""Where agents and nodes elsewhere report: each with its own token, an agent of itself only."""

import json
from typing import Any

from aiohttp import web

from hub_plugin import words
from hub_plugin.context import admit, context_key, open_to_anybody, token_of
from hub_plugin.courses import Role, role_in
from syncd.core.errors import NeedsUser

_LARGEST_VIEW, _LARGEST_NODE = 64 << 10, 16 << 20


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    app.router.add_post(f"{prefix}api/v1/views", _view)
    app.router.add_post(f"{prefix}api/v1/nodes", _node)
    app.router.add_get(f"{prefix}api/v1/nodes/events", _events)


@open_to_anybody  # in place of the pages' way to find out who asks: reports do not ask the hub each time
async def _view(request: web.Request) -> web.Response:
    context = request.app[context_key]
    token = token_of(request)
    visitor = await context.hub.reporter(token) if token else None
    if visitor is None or context.everywhere is None:
        return web.json_response({"error": words.LOGIN_AGAIN}, status=401)
    admit(context.reports, visitor.name, 30)
    said = await _json(request, _LARGEST_VIEW)
    course = context.courses.named(str(said.get("course")))
    if course is None or role_in(visitor, course) < Role.STUDENT:
        return web.json_response({"error": words.NOT_IN_COURSE}, status=403)
    # Whose folder it is says the token, whatever the report says.
    await context.events.tell("view", json.dumps([context.account(visitor.name), course.name, said]))
    return web.json_response({})


@open_to_anybody
async def _node(request: web.Request) -> web.Response:
    context = request.app[context_key]
    name = await _node_that_asks(request)
    if context.everywhere is None:
        return web.json_response({"error": words.LOGIN_AGAIN}, status=401)
    admit(context.reports, f"node {name}", 30)
    await context.events.tell("node", json.dumps([name, await _json(request, _LARGEST_NODE)]))
    return web.json_response({})


@open_to_anybody
async def _events(request: web.Request) -> web.StreamResponse:
    context = request.app[context_key]
    name, token = await _node_that_asks(request), token_of(request) or ""
    admit(context.reports, f"events {name}", 30)

    async def welcome() -> bool:
        return await context.hub.service(token) == name

    return await context.fan_out.serve(request, name, welcome)


async def _node_that_asks(request: web.Request) -> str:
    """The service whose token a node shows; 401 or 403 if it is none of the nodes'."""
    context = request.app[context_key]
    token = token_of(request)
    name = await context.hub.service(token) if token else None
    if name is None:
        raise web.HTTPUnauthorized(text=json.dumps({"error": words.LOGIN_AGAIN}), content_type="application/json")
    if name not in context.settings.node_services:
        raise web.HTTPForbidden(text=json.dumps({"error": words.NO_NODE_SERVICE}), content_type="application/json")
    return name


async def _json(request: web.Request, largest: int) -> dict[str, Any]:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > largest:
            raise web.HTTPRequestEntityTooLarge(max_size=largest, actual_size=len(body))
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NeedsUser(words.API_JSON) from error
    if not isinstance(said, dict):
        raise NeedsUser(words.API_JSON)
    return said
