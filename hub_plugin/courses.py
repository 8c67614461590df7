"""The courses of a hub as its configuration names them, and who is what in them.  Pure.

Membership comes from JupyterHub's groups, wherever those come from (configuration, `manage_groups`, LTI): by default
`course-NAME` for students and `course-NAME-staff` for instructors.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import PurePosixPath

from hub_plugin import words
from syncd.core.errors import NeedsUser

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCP = re.compile(r"(?:[^@/\s]+@)?([A-Za-z0-9.-]+):(?!//)(\S+)")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^@/?#\s]*@)?([^/?#\s]+)/([^?#\s]*)", re.IGNORECASE)
_KEYS = frozenset({"remote", "branch", "folder", "title", "groups", "staff_groups", "open_to_all"})


class Role(IntEnum):
    """What somebody is in a course; a higher one may all that a lower one may."""

    NOBODY = 0
    STUDENT = 1
    INSTRUCTOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Course:
    """One course; `folder` is where students see it, from their home."""

    name: str
    remote: str
    branch: str | None = None
    folder: str = ""
    title: str = ""
    groups: tuple[str, ...] = ()
    staff_groups: tuple[str, ...] = ()
    open_to_all: bool = False
    added: bool = False
    """Whether links added it, and not the hub's configuration."""
    followers: tuple[str, ...] = ()
    """Who followed such a link: they alone are its students."""

    @property
    def repository(self) -> str:
        """The remote as `host/owner/name`, the same for all ways to write its address."""
        return repository_of(self.remote)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks, as the hub knows them just now."""

    name: str
    groups: frozenset[str]
    admin: bool = False
    serving: bool = field(default=False, compare=False)
    """Whether a server of theirs runs, where the token may tell."""


def role_in(visitor: Visitor, course: Course) -> Role:
    """What a visitor is in a course."""
    if visitor.admin:
        return Role.ADMIN
    if visitor.groups.intersection(course.staff_groups):
        return Role.INSTRUCTOR
    if course.open_to_all or visitor.groups.intersection(course.groups) or visitor.name in course.followers:
        return Role.STUDENT
    return Role.NOBODY


def followed_by(visitor: Visitor, courses: Collection[Course]) -> tuple[Course, ...]:
    """The courses whose folder a person has: their own ones, not all that an admin may look at."""
    plain = Visitor(visitor.name, visitor.groups)
    return tuple(course for course in courses if role_in(plain, course) is not Role.NOBODY)


def my_courses(courses: Collection[Course], visitor: Visitor) -> tuple[Course, ...]:
    """What a person follows, then what they teach or look after; admins find what links added on their own page."""
    mine = followed_by(visitor, courses)
    others = (one for one in courses if one not in mine and role_in(visitor, one) >= Role.INSTRUCTOR)
    return (*mine, *(one for one in others if not (visitor.admin and one.added)))


def read_courses(
    said: Mapping[str, object], group: str = "course-{name}", staff_group: str = "course-{name}-staff"
) -> tuple[Course, ...]:
    """The courses of a configuration: name to settings, or name to remote.  NeedsUser says which setting is wrong."""
    courses = tuple(_course(name, settings, group, staff_group) for name, settings in said.items())
    folders = [PurePosixPath(course.folder) for course in courses]
    for at, folder in enumerate(folders):
        for other in folders[:at] + folders[at + 1 :]:
            if folder == other or other in folder.parents:
                raise NeedsUser(words.folders_clash(courses[at].name))
    return courses


def repository_of(remote: str) -> str:
    """`host/owner/name` of an address in URL or scp form; '' if it is neither."""
    found = _URL.fullmatch(remote.strip()) or _SCP.fullmatch(remote.strip())
    if found is None:
        return ""
    path = "/".join(part for part in found[2].split("/") if part).removesuffix(".git")
    return f"{found[1]}/{path}".casefold().removeprefix("www.")


def _course(name: str, settings: object, group: str, staff_group: str) -> Course:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise NeedsUser(words.bad_course_name(str(name)))
    said = {"remote": settings} if isinstance(settings, str) else settings
    if not isinstance(said, Mapping) or not isinstance(said.get("remote"), str) or not said["remote"]:
        raise NeedsUser(words.course_needs_remote(name))
    if strange := sorted(str(key) for key in said.keys() - _KEYS):
        raise NeedsUser(words.course_unknown_setting(name, strange[0]))
    texts = {key: said.get(key) for key in ("branch", "folder", "title")}
    if any(value is not None and not isinstance(value, str) for value in texts.values()):
        raise NeedsUser(words.course_text_expected(name))
    return Course(
        name=name,
        remote=said["remote"],
        branch=str(texts["branch"]) if texts["branch"] else None,
        folder=_folder(name, str(texts["folder"] or name)),
        title=str(texts["title"] or name),
        groups=_groups(name, said.get("groups"), group),
        staff_groups=_groups(name, said.get("staff_groups"), staff_group),
        open_to_all=said.get("open_to_all") is True,
    )


def _folder(name: str, text: str) -> str:
    path = PurePosixPath(text.removeprefix("~/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or any(part.startswith(".") for part in path.parts):
        raise NeedsUser(words.course_bad_folder(name))
    return path.as_posix()


def _groups(name: str, said: object, form: str) -> tuple[str, ...]:
    if said is None:
        return (form.replace("{name}", name),)
    if not isinstance(said, list | tuple) or not all(isinstance(group, str) and group for group in said):
        raise NeedsUser(words.course_bad_groups(name))
    return tuple(said)
