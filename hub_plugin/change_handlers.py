"""A student's pages of what differs from the instructor's, side by side."""

from aiohttp import web

from hub_plugin.answers import draw
from hub_plugin.changes import changes_of, comparison_of
from hub_plugin.context import admit, context_key, visitor_key
from hub_plugin.courses import Course, Role


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    app.router.add_get(f"{prefix}courses/{{course}}/changes/", _page)
    app.router.add_get(f"{prefix}courses/{{course}}/changes/compare", _compare)


async def _page(request: web.Request) -> web.StreamResponse:
    course = await _course(request)
    found = await changes_of(request.app[context_key], request[visitor_key], course)
    return draw(request, "changes.html", course=course, found=found)


async def _compare(request: web.Request) -> web.StreamResponse:
    course, asked = await _course(request), request.query
    found = await comparison_of(
        request.app[context_key], request[visitor_key], course, asked.get("path", ""), asked.get("version", "")
    )
    return draw(request, "compare.html", course=course, found=found)


async def _course(request: web.Request) -> Course:
    context, visitor = request.app[context_key], request[visitor_key]
    course = await context.courses.of(request.match_info["course"], visitor, Role.STUDENT)
    admit(context.rate, f"changes {visitor.name}", 2)
    return course
