"""Webhooks' address, and the page of whoever runs the hub: the node, its courses, and the last deliveries."""

import secrets
from importlib.metadata import version

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import draw, message
from hub_plugin.cleaned import path_of
from hub_plugin.context import Context, context_key, open_to_anybody, visitor_key
from hub_plugin.login import NotAllowed
from hub_plugin.node_facts import node_facts

_SHOWN = 50


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    app.router.add_post(f"{prefix}webhooks/{{course}}", _receive)
    app.router.add_get(f"{prefix}admin/", _page)
    app.router.add_post(f"{prefix}admin/replay", _replay)


@open_to_anybody
async def _receive(request: web.Request) -> web.Response:
    return await request.app[context_key].webhooks.receive(request.match_info["course"], request)


async def _page(request: web.Request) -> web.Response:
    context = _for_admins(request)
    await context.watcher.refresh()
    shown = context.watcher.shown
    deliveries = await context.webhooks.log.last(None, _SHOWN)
    cards = [card for card, _ in shown.courses]
    facts = node_facts(await context.node.metrics() if context.node else "")
    document = (context.node.last.document if context.node else None) or {}
    versions = words.versions(version("synced-folders"), path_of(document.get("version")))
    said = {"notices": shown.notices, "cards": cards, "deliveries": deliveries, "facts": facts, "versions": versions}
    return draw(request, "admin.html", None, **said)


async def _replay(request: web.Request) -> web.StreamResponse:
    """As if the delivery came once more: the nodes look at the remote, which is all that a delivery ever does."""
    context = _for_admins(request)
    wanted = (await request.post()).get("delivery")
    found = await context.webhooks.log.one(wanted) if isinstance(wanted, str) else None
    if found is None or await context.courses.find(found.course) is None:
        return message(request, 404, words.NOT_FOUND)
    await context.webhooks.replay(found.course)
    note = context.webhooks.log.note
    await note(
        found.course, found.form, "taken", words.WEBHOOK_REPLAYED, found.branch, found.commit, secrets.token_bytes(32)
    )
    return message(request, 200, words.WEBHOOK_REPLAYED)


def _for_admins(request: web.Request) -> Context:
    if not request[visitor_key].admin:
        raise NotAllowed(words.ONLY_ADMINS)
    return request.app[context_key]
