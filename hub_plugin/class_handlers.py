"""An instructor's page of one course: the class by version, each student, the roster, and links to hand out."""

import asyncio
import time

from aiohttp import web

from hub_plugin.class_page import class_layout, links_to, without_folder
from hub_plugin.courses import Course, Role
from hub_plugin.hub_service import Context, context_key, draw, stream, visitor_key
from hub_plugin.links import clean_path
from hub_plugin.mine import folder_of
from hub_plugin.reports import Names
from hub_plugin.shelf import Cut
from syncd.core.errors import TryAgain

_ROSTER_KEPT_S = 30.0
_rosters = web.AppKey("rosters", dict[str, tuple[float, tuple[str, ...]]])


def add_routes(app: web.Application, prefix: str) -> None:
    """Where it is."""
    app[_rosters] = {}
    app.router.add_get(f"{prefix}courses/{{course}}/", _page)
    app.router.add_get(f"{prefix}courses/{{course}}/events", _events, allow_head=False)


async def _page(request: web.Request) -> web.Response:
    context = request.app[context_key]
    course = context.course(request.match_info["course"], request[visitor_key], Role.INSTRUCTOR)
    _, roster = await asyncio.gather(context.watcher.refresh(), _roster(request.app, context, course))
    place = context.shelf.at("class", course.name, _cut(course), context.watcher.shown)
    assert place is not None
    missing = None
    if roster is not None:
        missing = without_folder(context.watcher.shown, course, [context.account(name) for name in roster])
    path = clean_path(request.query.get("path", ""))
    service = context.prefix.rstrip("/").rsplit("/", 1)[-1]
    hub = hub_address(request, context)
    last = await context.webhooks.log.last(course.name, 1)
    return draw(
        request,
        "class.html",
        board=place.board,
        course=course,
        missing=missing if missing is None or missing.total else Names(),
        path=path,
        links=links_to(course, path, hub, service),
        webhook=f"{hub}services/{service}/webhooks/{course.name}",
        publishes=folder_of(context.watcher.shown, course) is not None,
        secret=await context.webhooks.log.secret(course.name),
        last=last[0] if last else None,
    )


async def _events(request: web.Request) -> web.StreamResponse:
    context = request.app[context_key]
    course = context.course(request.match_info["course"], request[visitor_key], Role.INSTRUCTOR)
    # Somebody else's page may have been the first one here: the class is the same for all who may see it.
    context.shelf.at("class", course.name, _cut(course), context.watcher.shown)
    return await stream(request, lambda: context.shelf.at("class", course.name, None, context.watcher.shown))


def _cut(course: Course) -> Cut:
    return lambda shown: class_layout(shown, course)


async def _roster(app: web.Application, context: Context, course: Course) -> tuple[str, ...] | None:
    """Who is in the course by the hub's groups; None if the hub does not say."""
    at, names = app[_rosters].get(course.name, (-_ROSTER_KEPT_S, ()))
    if time.monotonic() - at < _ROSTER_KEPT_S:
        return names
    try:
        groups = await asyncio.gather(*(context.hub.members(group) for group in course.groups))
    except TryAgain:
        return None
    names = tuple(sorted({name for group in groups for name in group}))
    app[_rosters][course.name] = time.monotonic(), names
    return names


def hub_address(request: web.Request, context: Context) -> str:
    """The hub as browsers and git hosts see it, ending in a slash."""
    if context.settings.public_url:
        return context.settings.public_url.rstrip("/") + "/"
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme).split(",")[0].strip()
    scheme = "https" if scheme == "https" else "http"
    return f"{scheme}://{request.host}{context.hub.address.base_url}"
