"""An instructor's page of publishing from the hub, where the publisher runs on this machine."""

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import draw
from hub_plugin.cleaned import Names
from hub_plugin.context import Context, context_key, visitor_key
from hub_plugin.courses import Course, Role
from hub_plugin.deeds import publisher_of
from hub_plugin.mine import folder_of
from hub_plugin.releases import Releases, releases
from hub_plugin.shown import FolderCard


def add_routes(app: web.Application, prefix: str) -> None:
    """Where it is; its buttons are deeds."""
    app.router.add_get(f"{prefix}courses/{{course}}/releases/", _page)


async def releases_of(context: Context, course: Course) -> tuple[FolderCard | None, Releases]:
    """The instructor's folder on this machine, if there is one, and its releases, if students get those."""
    await context.watcher.refresh()
    folder = folder_of(context.watcher.shown, course)
    if folder is None or folder.way != "release":
        return folder, Releases((), (), Names())
    publisher, at = publisher_of(context, course)
    return folder, releases(await publisher.ask("GET", f"{at}releases"))


async def _page(request: web.Request) -> web.Response:
    context = request.app[context_key]
    course = await context.courses.of(request.match_info["course"], request[visitor_key], Role.INSTRUCTOR)
    folder, found = await releases_of(context, course)
    undone = {release.undoes for release in found.published if release.undoes}
    return draw(
        request, "releases.html", course=course, folder=folder, found=found, undone=undone, no_name=words.NO_MESSAGE
    )
