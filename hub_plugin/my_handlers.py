"""A student's own page, and what its buttons do."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import draw, message
from hub_plugin.context import Context, admit, context_key, visitor_key
from hub_plugin.courses import Course, Role, Visitor, my_courses, role_in
from hub_plugin.links import clean_path
from hub_plugin.live import Layout
from hub_plugin.mine import my_layout
from hub_plugin.shelf import Cut
from hub_plugin.shown import Overview
from hub_plugin.streams import stream
from syncd.core.errors import NeedsUser


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    app.router.add_get(prefix, _page)
    app.router.add_get(f"{prefix}events", _events, allow_head=False)
    app.router.add_post(f"{prefix}courses/{{course}}/update", _update)
    app.router.add_post(f"{prefix}courses/{{course}}/restore", _restore)
    app.router.add_post(f"{prefix}courses/{{course}}/pause", _pause)


async def _page(request: web.Request) -> web.Response:
    context, visitor = request.app[context_key], request[visitor_key]
    await context.watcher.refresh()
    courses = my_courses(context.courses.now(), visitor)
    seen = {course.name: await context.database.visit(visitor.name, course.name) for course in courses}
    cut = _cut(context, visitor, seen)
    place = context.shelf.at("mine", visitor.name, cut, context.watcher.shown)
    assert place is not None
    return draw(request, "mine.html", board=place.board, my_courses=courses)


async def _events(request: web.Request) -> web.StreamResponse:
    context, visitor = request.app[context_key], request[visitor_key]
    return await stream(request, lambda: context.shelf.at("mine", visitor.name, None, context.watcher.shown))


async def _update(request: web.Request) -> web.StreamResponse:
    return await _act(
        request, lambda context, course, user: context.agents.ask(user, "update", {"course": course.name})
    )


async def _restore(request: web.Request) -> web.StreamResponse:
    form = await request.post()
    given = form.get(f"path-{request.match_info['course']}")
    path = clean_path(given) if isinstance(given, str) else ""
    if not path:
        raise NeedsUser(words.RESTORE_WHAT)
    return await _act(
        request,
        lambda context, course, user: context.agents.ask(user, "restore", {"course": course.name, "path": path}),
    )


async def _pause(request: web.Request) -> web.StreamResponse:
    paused = (await request.post()).get("paused") != "no"
    return await _act(
        request,
        lambda context, course, user: context.agents.ask(user, "pause", {"course": course.name, "paused": paused}),
    )


_Ask = Callable[[Context, Course, str], Awaitable[dict[str, object]]]


async def _act(request: web.Request, ask: _Ask) -> web.StreamResponse:
    """Have the visitor's own agent do something: only ever the visitor's, whatever the request says."""
    context, visitor = request.app[context_key], request[visitor_key]
    course = await context.courses.of(request.match_info["course"], visitor, Role.STUDENT)
    admit(context.rate, f"act {visitor.name}", 2)
    said = await ask(context, course, visitor.name)
    sentence = said.get("sentence")
    return message(request, 200, sentence if isinstance(sentence, str) and sentence else words.DONE)


def _cut(context: Context, visitor: Visitor, seen: dict[str, float | None]) -> Cut:
    account = context.account(visitor.name)

    def cut(shown: Overview) -> Layout:
        courses = my_courses(context.courses.now(), visitor)
        taught = frozenset(course.name for course in courses if role_in(visitor, course) >= Role.INSTRUCTOR)
        return my_layout(shown, account, courses, taught, seen, context.watcher.node_away)

    return cut
