"""A student's pages of what differs from the instructor's, side by side.  What the agent says is the student's own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import draw
from hub_plugin.cleaned import path_of
from hub_plugin.context import admit, context_key, visitor_key
from hub_plugin.courses import Course, Role
from hub_plugin.differences import Part, compare
from hub_plugin.links import clean_path
from syncd.core.errors import NeedsUser

_SHOWN = 100
_comparing = web.AppKey("comparing", asyncio.Semaphore)


@dataclass(frozen=True, slots=True)
class Difference:
    """A file of a list; `about` says in which way it differs, or why it was kept."""

    path: str
    shown: str
    about: str
    version: str = ""
    when: float | None = None


def add_routes(app: web.Application, prefix: str) -> None:
    """Where they are."""
    app[_comparing] = asyncio.Semaphore(1)  # it takes the processor, and others shall not wait for it
    app.router.add_get(f"{prefix}courses/{{course}}/changes/", _page)
    app.router.add_get(f"{prefix}courses/{{course}}/changes/compare", _compare)


async def _page(request: web.Request) -> web.StreamResponse:
    course = await _course(request)
    said = await _ask(request, course, "changes", {})
    return draw(request, "changes.html", course=course, edited=_edited(said), kept=_kept(said))


async def _compare(request: web.Request) -> web.StreamResponse:
    course, version = await _course(request), request.query.get("version", "")
    path = clean_path(request.query.get("path", ""))
    if not path or (version and not (version.isascii() and version.isalnum() and len(version) <= 64)):
        raise NeedsUser(words.LINK_BAD_PATH)
    said = await _ask(request, course, "compare", {"path": path, "version": version})
    before, now, unread = _text(said, "before"), _text(said, "now"), said.get("unread") or []
    parts: tuple[Part, ...] = ()
    if not unread:
        async with request.app[_comparing]:
            parts = await asyncio.to_thread(compare, path, before, now)
    notes = [
        words.NOT_READABLE if side in unread else words.NO_FILE if text is None else ""
        for side, text in (("before", before), ("now", now))
    ]
    return draw(
        request,
        "compare.html",
        course=course,
        path=path,
        shown=path_of(path),
        version=version,
        parts=parts,
        notes=notes,
        same=not unread and before == now,
    )


async def _ask(request: web.Request, course: Course, question: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the visitor's own agent: only ever the visitor's, whatever the request says."""
    context, visitor = request.app[context_key], request[visitor_key]
    admit(context.rate, f"changes {visitor.name}", 2)
    return await context.agents.ask(visitor.name, question, {"course": course.name, **body})


async def _course(request: web.Request) -> Course:
    courses = request.app[context_key].courses
    return await courses.of(request.match_info["course"], request[visitor_key], Role.STUDENT)


def _edited(said: Mapping[str, Any]) -> tuple[Difference, ...]:
    found = []
    for one in _items(said.get("edited")):
        if path := _text(one, "path"):
            above = _text(one, "beside")
            about = words.put_beside(path_of(above)) if above else words.what_differs(path_of(one.get("what")))
            found.append(Difference(_linked(path), path_of(path), about))
    return tuple(found[:_SHOWN])


def _kept(said: Mapping[str, Any]) -> tuple[Difference, ...]:
    found = []
    for one in _items(said.get("kept")):
        path, version, when = _text(one, "path"), _text(one, "version"), one.get("when")
        if path and version:
            at = when if isinstance(when, float) else None
            about = words.kept_because(path_of(one.get("reason")))
            found.append(Difference(_linked(path), path_of(path), about, version, at))
    return tuple(found[:_SHOWN])


def _linked(path: str) -> str:
    """A path as an address can hold it; '' for one whose bytes are no text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return ""
    return path


def _items(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(said: Mapping[str, Any], name: str) -> str | None:
    found = said.get(name)
    return found if isinstance(found, str) else None
