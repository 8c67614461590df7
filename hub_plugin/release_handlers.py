"""An instructor's publishing from the hub, where the publisher runs on this machine: now, at a time, undone again.

Whoever may see the class as an instructor may publish to it.  What the publisher is asked names its own folder of the
course, found by the remote; a request names paths, times and ids, which the publisher checks as it always does.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import draw, message
from hub_plugin.cleaned import Names, path_of
from hub_plugin.context import Context, admit, context_key, visitor_key
from hub_plugin.courses import Course, Role
from hub_plugin.mine import folder_of
from hub_plugin.releases import Releases, releases
from hub_plugin.shown import FolderCard
from hub_plugin.sources import Publisher
from syncd.core.errors import NeedsUser

_MOST_PATHS = 500


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    at = f"{prefix}courses/{{course}}/releases/"
    app.router.add_get(at, _page)
    app.router.add_post(f"{at}publish", _publish)
    app.router.add_post(f"{at}undo", _undo)
    app.router.add_post(f"{at}cancel", _cancel)


async def _page(request: web.Request) -> web.Response:
    context, course = await _admitted(request)
    await context.watcher.refresh()
    folder = folder_of(context.watcher.shown, course)
    found = Releases((), (), Names())
    if folder is not None and folder.way == "release":
        publisher, at = _folder(context, course)
        found = releases(await publisher.ask("GET", f"{at}releases"))
    undone = {release.undoes for release in found.published if release.undoes}
    return draw(
        request, "releases.html", course=course, folder=folder, found=found, undone=undone, no_name=words.NO_MESSAGE
    )


async def _publish(request: web.Request) -> web.StreamResponse:
    form = await request.post()
    paths = [line.strip() for line in _field(form, "paths").splitlines() if line.strip()]
    if len(paths) > _MOST_PATHS:
        raise NeedsUser(words.TOO_MANY_PATHS)
    body = {"paths": paths, "message": _field(form, "message"), "at": _field(form, "at") or None}
    return await _act(request, "publish", body)


async def _undo(request: web.Request) -> web.StreamResponse:
    return await _act(request, "undo", {"release": _field(await request.post(), "release") or None})


async def _cancel(request: web.Request) -> web.StreamResponse:
    plan = _field(await request.post(), "plan")
    return await _act(request, f"releases/{quote(plan, safe='')}/cancel", {})


async def _act(request: web.Request, what: str, body: Mapping[str, Any]) -> web.StreamResponse:
    context, course = await _admitted(request)
    admit(context.rate, f"release {request[visitor_key].name}", 2)
    await context.watcher.refresh()
    publisher, at = _folder(context, course)
    said = await publisher.ask("POST", f"{at}{what}", body)
    return message(request, 200, path_of(said.get("sentence")) or words.DONE, back="./")


async def _admitted(request: web.Request) -> tuple[Context, Course]:
    context = request.app[context_key]
    return context, await context.courses.of(request.match_info["course"], request[visitor_key], Role.INSTRUCTOR)


def _folder(context: Context, course: Course) -> tuple[Publisher, str]:
    """Who publishes the course, and where its folder is in the publisher's control.  NeedsUser if nobody does here."""
    folder: FolderCard | None = folder_of(context.watcher.shown, course)
    if folder is None or context.publisher is None or not folder.id:
        raise NeedsUser(words.NO_FOLDER_HERE)
    return context.publisher, f"/v1/folders/{quote(folder.id, safe='')}/"


def _field(form: Mapping[str, Any], name: str) -> str:
    found = form.get(name)
    return found.strip() if isinstance(found, str) else ""
