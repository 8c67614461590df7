"""What people do by a button and programs by the API: one table for both.

No deed names a person: it is done with the asker's own agent, or with the publisher of a course that the asker teaches.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hub_plugin import words
from hub_plugin.cleaned import path_of
from hub_plugin.context import Context
from hub_plugin.courses import Course, Role, Visitor
from hub_plugin.links import clean_path
from hub_plugin.login import NotAllowed
from hub_plugin.mine import folder_of
from hub_plugin.shown import FolderCard
from hub_plugin.sources import Publisher
from syncd.core.errors import NeedsUser

_MOST_PATHS = 500
Said = Mapping[str, Any]
"""What was sent with it: texts from a form, JSON from a program."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`path` is where it is done, below the pages and below the API; `fields` name what is sent, and of which kind."""

    path: str
    least: Role
    summary: str
    fields: Mapping[str, type]
    do: Callable[[Context, Visitor, Course, Said], Awaitable[Mapping[str, Any]]]
    """Its answer has a `sentence`, if there is one to say.  NeedsUser or TryAgain if it was not done."""


async def done(deed: Deed, context: Context, visitor: Visitor, course: str, said: Said) -> str:
    """Do it, if the visitor may; what became of it, in one sentence.  `course` is '' where a deed is for none."""
    if course:
        answer = await deed.do(context, visitor, await context.courses.of(course, visitor, deed.least), said)
    elif visitor.admin:
        answer = await deed.do(context, visitor, _NO_COURSE, said)
    else:
        raise NotAllowed(words.ONLY_ADMINS)
    return path_of(answer.get("sentence")) or words.DONE


def publisher_of(context: Context, course: Course) -> tuple[Publisher, str]:
    """Who publishes the course, and where its folder is in the publisher's control.  NeedsUser if nobody does here."""
    folder: FolderCard | None = folder_of(context.watcher.shown, course)
    if folder is None or context.publisher is None or not folder.id:
        raise NeedsUser(words.NO_FOLDER_HERE)
    return context.publisher, f"/v1/folders/{quote(folder.id, safe='')}/"


_NO_COURSE = Course("", "")


def _of_ones_own(question: str) -> Callable[[Context, Visitor, Course, Said], Awaitable[Mapping[str, Any]]]:
    async def do(context: Context, visitor: Visitor, course: Course, said: Said) -> Mapping[str, Any]:
        body = {"course": course.name, **_QUESTIONS[question](said)}
        return await context.agents.ask(visitor.name, question, body)

    return do


def _path(said: Said) -> Said:
    path = clean_path(_text(said, "path"))
    if not path:
        raise NeedsUser(words.RESTORE_WHAT)
    return {"path": path}


_QUESTIONS: Mapping[str, Callable[[Said], Said]] = {
    "update": lambda said: {},
    "restore": _path,
    "pause": lambda said: {"paused": said.get("paused", True) not in (False, "no")},
}


async def _publish(context: Context, visitor: Visitor, course: Course, said: Said) -> Mapping[str, Any]:
    given = said.get("paths") or ""
    lines = given.splitlines() if isinstance(given, str) else given if isinstance(given, list) else []
    paths = [line.strip() for line in lines if isinstance(line, str) and line.strip()]
    if len(paths) > _MOST_PATHS:
        raise NeedsUser(words.TOO_MANY_PATHS)
    body = {"paths": paths, "message": _text(said, "message"), "at": _text(said, "at") or None}
    return await _have_published(context, course, "publish", body)


async def _undo(context: Context, visitor: Visitor, course: Course, said: Said) -> Mapping[str, Any]:
    return await _have_published(context, course, "undo", {"release": _text(said, "release") or None})


async def _cancel(context: Context, visitor: Visitor, course: Course, said: Said) -> Mapping[str, Any]:
    return await _have_published(context, course, f"releases/{quote(_text(said, 'plan'), safe='')}/cancel", {})


async def _have_published(context: Context, course: Course, what: str, body: Said) -> Mapping[str, Any]:
    await context.watcher.refresh()
    publisher, at = publisher_of(context, course)
    return await publisher.ask("POST", f"{at}{what}", body)


async def _replay(context: Context, visitor: Visitor, _: Course, said: Said) -> Mapping[str, Any]:
    """As if the delivery came once more: the nodes look at the remote, which is all that a delivery ever does."""
    found = await context.webhooks.log.one(_text(said, "delivery"))
    if found is None or await context.courses.find(found.course) is None:
        raise NeedsUser(words.NO_SUCH_DELIVERY)
    await context.webhooks.replay(found.course)
    proof = secrets.token_bytes(32)
    about = (found.course, found.form, "taken", words.WEBHOOK_REPLAYED, found.branch, found.commit)
    await context.webhooks.log.note(*about, proof)
    return {"sentence": words.WEBHOOK_REPLAYED}


def _text(said: Said, name: str) -> str:
    found = said.get(name)
    return found.strip() if isinstance(found, str) else ""


DEEDS = (
    Deed(
        "courses/{course}/update",
        Role.STUDENT,
        "Merge what waits in my folder now.",
        {},
        _of_ones_own("update"),
    ),
    Deed(
        "courses/{course}/restore",
        Role.STUDENT,
        "Give my folder the instructor's version of a file or folder back; what was there is kept.",
        {"path": str},
        _of_ones_own("restore"),
    ),
    Deed(
        "courses/{course}/pause",
        Role.STUDENT,
        "Let no new versions come into my folder, or let them come again.",
        {"paused": bool},
        _of_ones_own("pause"),
    ),
    Deed(
        "courses/{course}/releases/publish",
        Role.INSTRUCTOR,
        "Give students these files or folders (none: all), now or at a time in words.",
        {"paths": list, "message": str, "at": str},
        _publish,
    ),
    Deed(
        "courses/{course}/releases/undo",
        Role.INSTRUCTOR,
        "Take a release back; without one, the last save of a folder whose saves go to students at once.",
        {"release": str},
        _undo,
    ),
    Deed(
        "courses/{course}/releases/cancel",
        Role.INSTRUCTOR,
        "Have no planned release.",
        {"plan": str},
        _cancel,
    ),
    Deed(
        "admin/replay",
        Role.ADMIN,
        "Have the nodes look at a course's remote as if a delivery of its webhook came once more.",
        {"delivery": str},
        _replay,
    ),
)
