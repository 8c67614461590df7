"""What differs in a student's folder from the instructor's.  The student's own agent says it, never another's."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_plugin import words
from hub_plugin.cleaned import path_of
from hub_plugin.context import Context
from hub_plugin.courses import Course, Visitor
from hub_plugin.differences import Part, compare
from hub_plugin.links import clean_path
from syncd.core.errors import NeedsUser

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """A file of a list; `about` says in which way it differs, or why it was kept.

    Its `path` is '' if no address can hold it.
    """

    path: str
    shown: str
    about: str
    version: str = ""
    when: float | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What the student has otherwise than the instructor, and what updates replaced."""

    edited: tuple[Difference, ...]
    kept: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file now beside what it was: at the instructor's, or in an earlier `version` of the student's own.

    `notes` say of each side why there is no text of it, '' where there is one.
    """

    path: str
    shown: str
    version: str
    parts: tuple[Part, ...]
    notes: tuple[str, str]
    same: bool


async def changes_of(context: Context, visitor: Visitor, course: Course) -> Changes:
    """Ask the visitor's agent."""
    said = await context.agents.ask(visitor.name, "changes", {"course": course.name})
    return Changes(_edited(said), _kept(said))


async def comparison_of(
    context: Context, visitor: Visitor, course: Course, asked_path: str, version: str
) -> Comparison:
    """The same of one file.  NeedsUser if there can be no such file or version."""
    path = clean_path(asked_path)
    if not path or (version and not (version.isascii() and version.isalnum() and len(version) <= 64)):
        raise NeedsUser(words.LINK_BAD_PATH)
    said = await context.agents.ask(visitor.name, "compare", {"course": course.name, "path": path, "version": version})
    before, now, unread = _text(said, "before"), _text(said, "now"), said.get("unread") or []
    parts: tuple[Part, ...] = ()
    if not unread:
        async with context.comparing:
            parts = await asyncio.to_thread(compare, path, before, now)
    notes = tuple(
        words.NOT_READABLE if side in unread else words.NO_FILE if text is None else ""
        for side, text in (("before", before), ("now", now))
    )
    return Comparison(path, path_of(path), version, parts, (notes[0], notes[1]), not unread and before == now)


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
