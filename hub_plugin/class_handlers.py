"""An instructor's page of one course: the class by version, each student, the roster, and links to hand out."""

from aiohttp import web

from hub_plugin.answers import draw
from hub_plugin.class_page import class_layout, links_to
from hub_plugin.context import Context, context_key, visitor_key
from hub_plugin.courses import Course, Role
from hub_plugin.links import clean_path
from hub_plugin.mine import folder_of
from hub_plugin.shelf import Cut
from hub_plugin.streams import stream


def add_routes(app: web.Application, prefix: str) -> None:
    """Where it is."""
    app.router.add_get(f"{prefix}courses/{{course}}/", _page)
    app.router.add_get(f"{prefix}api/v1/courses/{{course}}/events", _events, allow_head=False)


async def _page(request: web.Request) -> web.Response:
    context = request.app[context_key]
    course = await context.courses.of(request.match_info["course"], request[visitor_key], Role.INSTRUCTOR)
    await context.watcher.refresh()
    place = context.shelf.at("class", course.name, _cut(context, course), context.watcher.shown)
    assert place is not None
    path = clean_path(request.query.get("path", ""))
    hub, pages = addresses(request, context)
    last = await context.webhooks.log.last(course.name, 1)
    return draw(
        request,
        "class.html",
        board=place.board,
        events=f"api/v1/courses/{course.name}/events",
        course=course,
        path=path,
        links=links_to(course, path, hub, pages),
        webhook=f"{pages}webhooks/{course.name}",
        publishes=folder_of(context.watcher.shown, course) is not None,
        secret=await context.webhooks.log.secret(course.name),
        last=last[0] if last else None,
    )


async def _events(request: web.Request) -> web.StreamResponse:
    context = request.app[context_key]
    course = await context.courses.of(request.match_info["course"], request[visitor_key], Role.INSTRUCTOR)
    # Somebody else's page may have been the first one here: the class is the same for all who may see it.
    context.shelf.at("class", course.name, _cut(context, course), context.watcher.shown)
    return await stream(request, lambda: context.shelf.at("class", course.name, None, context.watcher.shown))


def _cut(context: Context, course: Course) -> Cut:
    return lambda shown: class_layout(shown, context.courses.named(course.name) or course, context.account)


def addresses(request: web.Request, context: Context) -> tuple[str, str]:
    """The hub and our pages as browsers and git hosts see them, each ending in a slash."""
    address = context.hub.address
    if address.own_host:
        return f"{address.host}{address.base_url}", f"{address.own_host}{address.prefix}"
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme).split(",")[0].strip()
    scheme = "https" if scheme == "https" else "http"
    hub = context.settings.public_url or f"{scheme}://{request.host}{address.base_url}"
    hub = hub.rstrip("/") + "/"
    return hub, f"{hub}{address.prefix.removeprefix(address.base_url)}"
