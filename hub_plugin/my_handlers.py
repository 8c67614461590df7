"""A student's own page, and the stream that keeps it as things are."""

from aiohttp import web

from hub_plugin.answers import draw
from hub_plugin.context import Context, context_key, visitor_key
from hub_plugin.courses import Role, Visitor, followed_by, my_courses, role_in
from hub_plugin.live import Layout
from hub_plugin.mine import is_kept, my_layout
from hub_plugin.shelf import Place
from hub_plugin.shown import Overview
from hub_plugin.streams import stream


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    app.router.add_get(prefix, _page)
    app.router.add_get(f"{prefix}api/v1/events", _events, allow_head=False)


async def _page(request: web.Request) -> web.Response:
    context, visitor = request.app[context_key], request[visitor_key]
    await context.watcher.refresh()
    context.starting.note(visitor)
    mine, account = followed_by(visitor, context.courses.now()), context.account(visitor.name)
    kept = [is_kept(context.watcher.shown, course, account) for course in mine]
    if not all(kept):
        context.starting.begin(visitor.name, mine)
    return draw(request, "mine.html", board=(await _visited(context, visitor)).board, events="api/v1/events")


async def _events(request: web.Request) -> web.StreamResponse:
    context, visitor = request.app[context_key], request[visitor_key]

    def place() -> Place | None:
        return context.shelf.at("mine", visitor.name, None, context.watcher.shown)

    if place() is None:  # the page was opened at another replica, or at the service before this one
        await _visited(context, visitor)
    return await stream(request, place)


async def _visited(context: Context, visitor: Visitor) -> Place:
    """What the visitor is shown, with what is new since the visit before this one."""
    courses = my_courses(context.courses.now(), visitor)
    seen = {course.name: await context.database.visit(visitor.name, course.name) for course in courses}
    account = context.account(visitor.name)

    def cut(shown: Overview) -> Layout:
        courses = my_courses(context.courses.now(), visitor)
        taught = frozenset(course.name for course in courses if role_in(visitor, course) >= Role.INSTRUCTOR)
        away, starting = context.watcher.node_away, context.starting.of(visitor.name)
        return my_layout(shown, account, courses, taught, seen, away, starting)

    place = context.shelf.at("mine", visitor.name, cut, context.watcher.shown)
    assert place is not None
    return place
