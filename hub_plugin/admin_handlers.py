"""Webhooks' address, and the page of whoever runs the hub: nodes, courses, and the last deliveries."""

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import draw
from hub_plugin.context import Context, context_key, open_to_anybody, visitor_key
from hub_plugin.hub_facts import whole_layout
from hub_plugin.login import NotAllowed
from hub_plugin.shelf import Place
from hub_plugin.streams import stream


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    app.router.add_post(f"{prefix}webhooks/{{course}}", _receive)
    app.router.add_get(f"{prefix}admin/", _page)
    app.router.add_get(f"{prefix}api/v1/admin/events", _events, allow_head=False)


@open_to_anybody
async def _receive(request: web.Request) -> web.Response:
    return await request.app[context_key].webhooks.receive(request.match_info["course"], request)


async def _page(request: web.Request) -> web.Response:
    context = _for_admins(request)
    await context.watcher.refresh()
    await context.whole.refresh()
    return draw(request, "admin.html", _place(context).board, events="api/v1/admin/events")


async def _events(request: web.Request) -> web.StreamResponse:
    context = _for_admins(request)

    def place() -> Place:
        context.whole.want()
        return _place(context)

    return await stream(request, place)


def _place(context: Context) -> Place:
    place = context.shelf.at("admin", "", lambda shown: whole_layout(shown, context.whole.facts), context.watcher.shown)
    assert place is not None
    return place


def _for_admins(request: web.Request) -> Context:
    if not request[visitor_key].admin:
        raise NotAllowed(words.ONLY_ADMINS)
    return request.app[context_key]
