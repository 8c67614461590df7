"""What the API tells: one table, of which the routes and their description are made.

Whose token or session it is says whose data: there is no way to name another person.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub_plugin import words
from hub_plugin.changes import Changes, Comparison, changes_of, comparison_of
from hub_plugin.class_page import Link, class_of, links_to
from hub_plugin.context import Context
from hub_plugin.courses import Course, Role, Visitor, my_courses, role_in
from hub_plugin.hub_facts import HubFacts
from hub_plugin.links import clean_path
from hub_plugin.login import NotAllowed
from hub_plugin.mine import rows_of
from hub_plugin.release_handlers import releases_of
from hub_plugin.releases import Releases
from hub_plugin.shown import ViewRow


@dataclass(frozen=True, slots=True)
class View:
    """A student's folder; `waiting` files have an update that waits, `age_s` is how long ago the agent reported."""

    version: str
    state: str
    tone: str
    sentence: str
    waiting: int
    updated_at: str | None
    age_s: float | None


@dataclass(frozen=True, slots=True)
class Mine:
    """A course of mine; `folder` from the home, `role` is student, instructor or admin."""

    name: str
    title: str
    folder: str
    role: str
    view: View | None


@dataclass(frozen=True, slots=True)
class Me:
    """Whose token it is, and their courses."""

    name: str
    admin: bool
    courses: tuple[Mine, ...]


@dataclass(frozen=True, slots=True)
class Student(View):
    """A student of a class."""

    user: str


@dataclass(frozen=True, slots=True)
class Version:
    """How many of a class have a version."""

    sentence: str
    count: int
    newest: bool


@dataclass(frozen=True, slots=True)
class Class:
    """A class by version, and each student."""

    name: str
    title: str
    state: str
    versions: tuple[Version, ...]
    students: tuple[Student, ...]


@dataclass(frozen=True, slots=True)
class Links:
    """All forms of link to a file or folder."""

    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `hub` and `pages` are the hub's address and that of our pages for browsers."""

    context: Context
    visitor: Visitor
    course: Course | None
    query: Mapping[str, str]
    hub: str
    pages: str

    @property
    def its_course(self) -> Course:
        """The course of an address that names one."""
        assert self.course is not None
        return self.course


@dataclass(frozen=True, slots=True)
class Reading:
    """`path` is below `api/v1/`, `result` a dataclass, `query` names what an address may ask besides."""

    path: str
    least: Role
    summary: str
    result: type[Any]
    read: Callable[[Asked], Awaitable[Any]]
    query: tuple[str, ...] = ()


async def _me(asked: Asked) -> Me:
    context, visitor = asked.context, asked.visitor
    await context.watcher.refresh()
    account = context.account(visitor.name)
    mine = []
    for course in my_courses(context.courses.now(), visitor):
        row = next((row for row in rows_of(context.watcher.shown, course) if row.user == account), None)
        role = role_in(visitor, course).name.lower()
        mine.append(Mine(course.name, course.title, course.folder, role, View(**_view(row)) if row else None))
    return Me(visitor.name, visitor.admin, tuple(mine))


async def _class(asked: Asked) -> Class:
    context, course = asked.context, asked.its_course
    await context.watcher.refresh()
    card, rows = class_of(context.watcher.shown, course, context.account) or (None, ())
    return Class(
        course.name,
        course.title,
        card.status.words if card else words.UNFOLLOWED_YET,
        tuple(Version(count.words, count.count, count.newest) for count in (card.counts if card else ())),
        tuple(Student(user=row.user, **_view(row)) for row in rows),
    )


async def _links(asked: Asked) -> Links:
    return Links(links_to(asked.its_course, clean_path(asked.query.get("path", "")), asked.hub, asked.pages))


async def _releases(asked: Asked) -> Releases:
    return (await releases_of(asked.context, asked.its_course))[1]


async def _whole(asked: Asked) -> HubFacts:
    if not asked.visitor.admin:
        raise NotAllowed(words.ONLY_ADMINS)
    await asked.context.watcher.refresh()
    await asked.context.whole.refresh()
    return asked.context.whole.facts


async def _changes(asked: Asked) -> Changes:
    return await changes_of(asked.context, asked.visitor, asked.its_course)


async def _compare(asked: Asked) -> Comparison:
    path, version = asked.query.get("path", ""), asked.query.get("version", "")
    return await comparison_of(asked.context, asked.visitor, asked.its_course, path, version)


def _view(row: ViewRow) -> dict[str, Any]:
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


READINGS = (
    Reading("admin", Role.ADMIN, "Nodes, this machine's store, and the last deliveries of webhooks.", HubFacts, _whole),
    Reading("me", Role.NOBODY, "Whose token it is, and their courses.", Me, _me),
    Reading("courses/{course}", Role.INSTRUCTOR, "The class, for its instructors.", Class, _class),
    Reading("courses/{course}/links", Role.INSTRUCTOR, "Links for the course's pages.", Links, _links, ("path",)),
    Reading("courses/{course}/releases", Role.INSTRUCTOR, "What was and will be published.", Releases, _releases),
    Reading("courses/{course}/changes", Role.STUDENT, "What differs in my folder.", Changes, _changes),
    Reading(
        "courses/{course}/changes/compare",
        Role.STUDENT,
        "A file of mine beside the instructor's, or beside an earlier version of mine.",
        Comparison,
        _compare,
        ("path", "version"),
    ),
)
