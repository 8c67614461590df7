"""What the pages show, as values: folders, versions, courses and students.  Times stay numbers, worded when drawn."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from hub_plugin import words
from hub_plugin.cleaned import Names
from hub_plugin.reports import Course as AddedCourse
from syncd.look.tone import Tone


@dataclass(frozen=True, slots=True)
class Look:
    """A source as it was last seen: its document, when that was read, and what is wrong with it now, if anything."""

    document: Mapping[str, object] | None = None
    at: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """A state in words, and a sentence more where there is one to say."""

    words: str
    tone: Tone
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A source that is down, and when what is shown of it was said."""

    sentence: str
    since: float | None


@dataclass(frozen=True, slots=True)
class Publish:
    """One published version in the list of the latest."""

    version: str
    message: str
    about: str
    time: float | None


@dataclass(frozen=True, slots=True)
class FolderCard:
    """An instructor's folder."""

    key: str
    name: str
    path: str
    remote: str
    branch: str
    status: Status
    waiting: Names
    left_out: Names
    warnings: Names
    notes: Names
    recent: tuple[Publish, ...]
    id: str = ""
    """What the publisher calls it."""
    way: str = ""
    students_remote: str = ""
    students_branch: str = ""


@dataclass(frozen=True, slots=True)
class VersionCount:
    """How many students' folders show a version: `v37: 2 of 3`."""

    label: str
    count: int
    total: int
    newest: bool

    @property
    def words(self) -> str:
        """As it is said."""
        return words.share(self.label, self.count, self.total)


@dataclass(frozen=True, slots=True)
class CourseCard:
    """A course on this node; `tallies` are the exceptions, in words."""

    key: str
    name: str
    status: Status
    newest: str
    ready_at: float | None
    coming: str
    counts: tuple[VersionCount, ...]
    tallies: tuple[str, ...]
    left_out: Names
    students: int
    version: str = ""
    recent: tuple[Publish, ...] = ()
    """The versions that students got last, newest first."""


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A student's folder of one course."""

    key: str
    user: str
    kind: str
    root: str
    version: str
    status: Status
    waiting: Names
    notes: Names
    updated_at: float | None
    paused: bool = False
    conflicts: bool = False
    offline: bool = False
    silent: bool = False
    """Whether its agent was not heard of for so long that it must have ended; `offline` is that as well."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the page shows.  `no_folders` and `no_courses` say why there are none."""

    headline: str
    notices: tuple[Notice, ...]
    folders: tuple[FolderCard, ...]
    no_folders: str
    courses: tuple[tuple[CourseCard, tuple[ViewRow, ...]], ...]
    no_courses: str
    added: tuple[AddedCourse, ...] = ()
    """The courses that links added."""
    groups: Mapping[str, tuple[str, ...]] | None = None
    """The hub's groups of the courses, each with its users; None if the hub has not said."""


def key(kind: str, *names: str) -> str:
    """An id for HTML, the same for the same names, whatever stands in them."""
    joined = "\0".join(names).encode("utf-8", "replace")
    return f"{kind}-{hashlib.sha256(joined).hexdigest()[:16]}"


def status_of(said: str, tone: Tone, sentence: str) -> Status:
    """A status with its sentence, less what that only says again."""
    again = said.removesuffix(" ...")
    rest = sentence[len(again) :] if sentence.casefold().startswith(again.casefold()) else f" {sentence}"
    return Status(said, tone, rest[1:].strip() if rest[:1] in (".", ":", ";", " ") else sentence)


def spelled(state: str) -> str:
    """A state that has no words of its own."""
    return state.replace("_", " ").capitalize()
