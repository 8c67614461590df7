"""The service of a hub: its parts put together, and its life."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from hub_plugin import (
    admin_handlers,
    api_handlers,
    change_handlers,
    class_handlers,
    deed_handlers,
    link_handlers,
    my_handlers,
    release_handlers,
    report_handlers,
    words,
)
from hub_plugin.agents import Agents
from hub_plugin.answers import message
from hub_plugin.context import Context, context_key, open_to_anybody, session_key
from hub_plugin.course_list import CourseList
from hub_plugin.database import Database
from hub_plugin.delivery_log import DeliveryLog
from hub_plugin.events import Events
from hub_plugin.fan_out import FanOut
from hub_plugin.guard import guarded
from hub_plugin.hub_facts import WholeHub
from hub_plugin.login import Hub, Login
from hub_plugin.members import MembersFiles
from hub_plugin.pages import Pages
from hub_plugin.rate import Rate
from hub_plugin.reported import Everywhere
from hub_plugin.rosters import Groups
from hub_plugin.service import HEADERS, static_file
from hub_plugin.settings import Settings
from hub_plugin.shelf import Shelf
from hub_plugin.sources import Node, Publisher
from hub_plugin.starting import Starting
from hub_plugin.watch import Watcher
from hub_plugin.webhooks import LARGEST_BODY, Webhooks

# Forms are sent to ourselves only; all else as on the page without a hub.
_POLICY = HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")


def make_hub_app(
    settings: Settings,
    hub: Hub,
    database: Database,
    watcher: Watcher,
    agents: Agents,
    node: Node | None = None,
    publisher: Publisher | None = None,
    events: Events | None = None,
    everywhere: Everywhere | None = None,
    groups: Groups | None = None,
) -> web.Application:
    """The service; it closes what it was given when it ends.

    `node` is told of webhooks, `publisher` does what instructors ask for; both are the watcher's sources as well.
    """
    pages, events, courses = Pages(), events or Events(), CourseList(settings, watcher)
    fan_out, log = FanOut(), DeliveryLog(database)
    watcher.also(whole := WholeHub(node, everywhere, log))

    async def has_webhook(course: str) -> bool:
        return await courses.find(course) is not None

    shelf = Shelf(pages)

    def renew(user: str) -> None:
        shelf.renew("mine", user)
        watcher.board.wake()

    app = web.Application(middlewares=[guarded], client_max_size=LARGEST_BODY)
    context = Context(
        settings=settings,
        courses=courses,
        hub=hub,
        login=Login(hub, database),
        database=database,
        watcher=watcher,
        pages=pages,
        shelf=shelf,
        agents=agents,
        starting=Starting(agents if settings.agents and settings.node else None, renew),
        rate=Rate(),
        reports=Rate(burst=30, per_minute=60),
        listens=Rate(burst=120, per_minute=300),
        node=node,
        publisher=publisher,
        events=events,
        everywhere=everywhere,
        groups=groups,
        whole=whole,
        webhooks=Webhooks(log, node, fan_out, has_webhook, events),
        fan_out=fan_out,
        ending=asyncio.Event(),
    )
    app[context_key] = context
    events.on("heard", context.heard)
    if everywhere is not None:
        events.on("view", everywhere.hear_view)
        events.on("node", everywhere.hear_node)
    app.cleanup_ctx.append(_living)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_end_streams)
    prefix = context.prefix
    app.router.add_get(f"{prefix}static/{{name}}", _static)
    app.router.add_get(f"{prefix}badge.svg", _badge)
    app.router.add_get(f"{prefix}health", _health)
    app.router.add_get(f"{prefix}oauth_callback", _callback)
    app.router.add_post(f"{prefix}logout", _logout)
    my_handlers.add_routes(app, prefix)
    change_handlers.add_routes(app, prefix)
    class_handlers.add_routes(app, prefix)
    release_handlers.add_routes(app, prefix)
    deed_handlers.add_routes(app, prefix)
    admin_handlers.add_routes(app, prefix)
    api_handlers.add_routes(app, prefix)
    report_handlers.add_routes(app, prefix)
    link_handlers.add_routes(app, prefix, hub.address.base_url)
    return app


async def _static(request: web.Request) -> web.Response:
    return static_file(request.app[context_key].pages, request.match_info["name"])


async def _badge(request: web.Request) -> web.Response:
    """For other sites' pages, at an address that stays."""
    pages = request.app[context_key].pages
    badge = pages.static[pages.name_of("badge.svg")]
    return web.Response(body=badge.content, content_type=badge.type, headers={"Cache-Control": "public, max-age=86400"})


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _callback(request: web.Request) -> web.StreamResponse:
    raise await request.app[context_key].login.finish(request)


async def _logout(request: web.Request) -> web.Response:
    session = request[session_key]
    await request.app[context_key].database.end_session(session.key)
    return message(request, 200, words.LOGGED_OUT)


for _handler in (_static, _badge, _health, _callback):
    open_to_anybody(_handler)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = _POLICY
    if request.path.endswith("/badge.svg"):
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers.popall("Server", None)


async def _living(app: web.Application) -> AsyncIterator[None]:
    context = app[context_key]
    running = [context.watcher.run(), context.events.run()]
    settings = context.settings
    if settings.members_folder and context.groups is not None:
        folder = Path(settings.members_folder)
        running.append(MembersFiles(folder, settings.courses, context.account, context.groups).run())
    tasks = {asyncio.create_task(one) for one in running}
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await context.webhooks.close()
    await context.starting.close()
    await context.events.close()
    await context.watcher.close()
    await context.hub.close()
    await context.database.close()


async def _end_streams(app: web.Application) -> None:
    app[context_key].ending.set()
    app[context_key].fan_out.end()
    app[context_key].watcher.board.wake()
