"""The API, version 1: what the pages show and do, as JSON, for programs with a token of the hub.

Whose token it is says whose data: there is no way to name another person.  Described by `api/v1/openapi.json`.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from hub_plugin import words
from hub_plugin.class_page import class_of
from hub_plugin.context import Context, admit, context_key, open_to_anybody, token_of, visitor_key
from hub_plugin.courses import Course, Role, my_courses, role_in
from hub_plugin.links import clean_path
from hub_plugin.mine import rows_of
from hub_plugin.openapi import document
from hub_plugin.shown import ViewRow
from syncd.core.errors import NeedsUser


def add_routes(app: web.Application, prefix: str) -> None:
    """Where it is."""
    api = f"{prefix}api/v1"
    app.router.add_get(f"{api}/openapi.json", _openapi)
    app.router.add_get(f"{api}/me", _me)
    app.router.add_get(f"{api}/courses/{{course}}", _course)
    app.router.add_post(f"{api}/courses/{{course}}/update", _update)
    app.router.add_post(f"{api}/courses/{{course}}/restore", _restore)
    app.router.add_post(f"{api}/courses/{{course}}/pause", _pause)


@open_to_anybody
async def _openapi(request: web.Request) -> web.Response:
    return web.json_response(document(request.app[context_key].prefix))


async def _me(request: web.Request) -> web.Response:
    context, visitor = _admitted(request), request[visitor_key]
    await context.watcher.refresh()
    courses = my_courses(context.courses.now(), visitor)
    mine = [_mine(context, course, visitor.name, role_in(visitor, course)) for course in courses]
    return web.json_response({"name": visitor.name, "admin": visitor.admin, "courses": mine})


async def _course(request: web.Request) -> web.Response:
    context = _admitted(request)
    course = await context.courses.of(request.match_info["course"], request[visitor_key], Role.INSTRUCTOR)
    await context.watcher.refresh()
    card, rows = class_of(context.watcher.shown, course, context.account) or (None, ())
    counts = card.counts if card else ()
    said = {
        "name": course.name,
        "title": course.title,
        "state": card.status.words if card else words.UNFOLLOWED_YET,
        "versions": [{"sentence": count.words, "count": count.count, "newest": count.newest} for count in counts],
        "students": [{"user": row.user, **_row(row)} for row in rows],
    }
    return web.json_response(said)


async def _update(request: web.Request) -> web.Response:
    return await _act(request, "update", {})


async def _restore(request: web.Request) -> web.Response:
    path = clean_path(str((await _body(request)).get("path") or ""))
    if not path:
        raise NeedsUser(words.RESTORE_WHAT)
    return await _act(request, "restore", {"path": path})


async def _pause(request: web.Request) -> web.Response:
    return await _act(request, "pause", {"paused": (await _body(request)).get("paused") is not False})


async def _act(request: web.Request, question: str, more: Mapping[str, Any]) -> web.Response:
    context, visitor = _admitted(request), request[visitor_key]
    course = await context.courses.of(request.match_info["course"], visitor, Role.STUDENT)
    said = await context.agents.ask(visitor.name, question, {"course": course.name, **more})
    return web.json_response({"sentence": str(said.get("sentence") or words.DONE)})


def _admitted(request: web.Request) -> Context:
    """Not too often; and what changes something only with a token, which no other site's page can send."""
    context, visitor = request.app[context_key], request[visitor_key]
    if request.method == "POST" and token_of(request) is None:
        raise NeedsUser(words.API_TOKEN)
    admit(context.rate, f"{request.method} {visitor.name}", 2)
    return context


async def _body(request: web.Request) -> Mapping[str, Any]:
    try:
        said = await request.json()
    except ValueError as error:
        raise NeedsUser(words.API_JSON) from error
    if not isinstance(said, dict):
        raise NeedsUser(words.API_JSON)
    return said


def _mine(context: Context, course: Course, user: str, role: Role) -> dict[str, Any]:
    account = context.account(user)
    row = next((row for row in rows_of(context.watcher.shown, course) if row.user == account), None)
    about = {"name": course.name, "title": course.title, "folder": course.folder, "role": role.name.lower()}
    return {**about, "view": _row(row) if row else None}


def _row(row: ViewRow) -> dict[str, Any]:
    at = row.updated_at
    return {
        "version": row.version,
        "state": row.status.words,
        "tone": row.status.tone.value,
        "sentence": row.status.detail,
        "waiting": row.waiting.total,
        "updated_at": datetime.fromtimestamp(at, UTC).isoformat() if at else None,
        "age_s": max(0.0, time.time() - at) if at else None,
    }
