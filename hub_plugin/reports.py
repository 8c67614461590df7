"""What publisher and node say of themselves, as values.

Nothing in a status document is trusted: a student's agent wrote part of it, and file names, commit messages and user
names are anybody's.  A field of the wrong kind counts as missing; text loses what would disturb a page or deceive a
reader (control characters, overrides of the writing direction, lone surrogates) and what is too long.  Escaping for
HTML is the templates' business.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

_DECEIVING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_USER_AND_PASSWORD = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/?#]*@", re.IGNORECASE)
_LINE, _PARAGRAPH = 240, 600
_SHOWN = 20
_YEAR_9999 = 253_370_764_800


@dataclass(frozen=True, slots=True)
class Names:
    """The first of a list of names, and how many there are in all."""

    first: tuple[str, ...] = ()
    total: int = 0

    @property
    def more(self) -> int:
        """How many are not among the first."""
        return self.total - len(self.first)


@dataclass(frozen=True, slots=True)
class Commit:
    """One published version; `number` only where the publisher counts its versions itself."""

    id: str
    time: float | None
    message: str
    files: int | None
    number: int | None


@dataclass(frozen=True, slots=True)
class Folder:
    """An instructor's folder, as the publisher has it; `recent` is newest first."""

    id: str
    folder: str
    remote: str
    branch: str
    state: str
    sentence: str
    commit: str
    remote_commit: str
    waiting: Names
    left_out: Names
    warnings: Names
    notes: Names
    recent: tuple[Commit, ...]
    students_remote: str = ""
    """Where students get it from, if that is not the folder's own branch; with it their branch."""
    students_branch: str = ""
    way: str = ""
    """`live` or `release`; '' if students follow the folder's own branch."""


@dataclass(frozen=True, slots=True)
class Course:
    """A course, as the node has it."""

    name: str
    remote: str
    branch: str
    state: str
    sentence: str
    commit: str
    ready_at: float | None
    left_out: Names
    followers: tuple[str, ...] | None = None
    """Who followed a link to it, where a link added it."""


@dataclass(frozen=True, slots=True)
class View:
    """A student's folder, as the student's agent reported it to the node."""

    user: str
    course: str
    kind: str
    root: str
    commit: str
    waiting: Names
    state: str
    sentence: str
    updated_at: float | None
    notes: Names
    beside: int = 0
    """How many files an update put beside the student's own since the agent began."""


def folders(document: Mapping[str, object]) -> tuple[Folder, ...]:
    """The folders in a publisher's status."""
    return tuple(
        Folder(
            id=_text(item.get("id")),
            folder=_path(item.get("folder")),
            remote=_remote(item.get("remote")),
            branch=_text(item.get("branch")),
            state=_text(item.get("state")),
            sentence=_text(item.get("sentence"), _PARAGRAPH),
            commit=_text(item.get("commit")),
            remote_commit=_text(item.get("remote_commit")),
            waiting=_names(item.get("waiting")),
            left_out=_sentences(item.get("left_out")),
            warnings=_sentences(item.get("warnings")),
            notes=_newest_sentences(item.get("notes")),
            recent=_recent(item.get("recent")),
            students_remote=_remote(_part(item, "students").get("remote")),
            students_branch=_text(_part(item, "students").get("branch")),
            way=_text(_part(item, "students").get("way")),
        )
        for item in _items(document.get("folders"))
    )


def courses(document: Mapping[str, object]) -> tuple[Course, ...]:
    """The courses in a node's status."""
    return tuple(
        Course(
            name=_text(item.get("name")),
            remote=_remote(item.get("remote")),
            branch=_text(item.get("branch")),
            state=_text(item.get("state")),
            sentence=_text(item.get("sentence"), _PARAGRAPH),
            commit=_text(item.get("commit")),
            ready_at=_time(item.get("ready_at")),
            left_out=_sentences(item.get("left_out")),
            followers=_followers(item.get("added_for")),
        )
        for item in _items(document.get("courses"))
    )


def views(document: Mapping[str, object]) -> tuple[View, ...]:
    """The students' folders in a node's status."""
    return tuple(
        View(
            user=_text(item.get("user")),
            course=_text(item.get("course")),
            kind=_text(item.get("kind")),
            root=_path(item.get("root")),
            commit=_text(item.get("commit")),
            waiting=_names(item.get("waiting")),
            state=_text(item.get("state")),
            sentence=_text(item.get("sentence"), _PARAGRAPH),
            updated_at=_time(item.get("updated_at")),
            notes=_newest_sentences(item.get("notes")),
            beside=_count(item.get("beside")) or 0,
        )
        for item in _items(document.get("views"))
    )


@dataclass(frozen=True, slots=True)
class Release:
    """What was published to students; `undoes` is the commit of the one that it takes back."""

    id: str
    commit: str
    time: float | None
    message: str
    files: int | None
    undoes: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be."""

    id: str
    when: str
    """In full words, in the time zone of the publisher's machine."""
    what: str


@dataclass(frozen=True, slots=True)
class Releases:
    """A folder's releases; `waiting` is what students don't have yet."""

    published: tuple[Release, ...]
    planned: tuple[Planned, ...]
    waiting: Names


def releases(document: Mapping[str, object]) -> Releases:
    """What a publisher says of one folder's releases."""
    published = tuple(
        Release(
            id=_text(item.get("id")),
            commit=_text(item.get("commit")),
            time=_time(item.get("time")),
            message=_text(item.get("message"), _PARAGRAPH).strip(),
            files=_count(item.get("files")),
            undoes=_text(item.get("undoes")),
        )
        for item in _items(document.get("published"))
    )
    planned = tuple(
        Planned(_text(item.get("id")), _text(item.get("when")), _text(item.get("what")))
        for item in _items(document.get("planned"))
    )
    waiting = [item.get("path") for item in _items(document.get("waiting"))]
    return Releases(published, planned, _names(waiting))


def line_of(text: str) -> str:
    """A line of a file as it may be shown: all of it up to 2,000 characters, tabs as blanks."""
    return _text(text.rstrip("\r").expandtabs(4), 2_000).replace("\n", "\ufffd")


def path_of(value: object) -> str:
    """A path, or another short text, as it may be shown in one line."""
    return _path(value)


def remote_without_secrets(url: str) -> str:
    """A remote's address as it may be shown: without user name and password."""
    return _remote(url)


def _recent(value: object) -> tuple[Commit, ...]:
    found = [
        Commit(
            id=_text(item.get("commit")),
            time=_time(item.get("time")),
            message=_text(item.get("message"), _PARAGRAPH).strip(),
            files=_count(item.get("files")),
            number=_count(item.get("number")) or None,
        )
        for item in _items(value)
    ]
    if len(found) > 1 and (found[0].time or 0) < (found[-1].time or 0):
        found.reverse()
    return tuple(found)


def _items(value: object) -> Iterator[Mapping[str, object]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item


def _part(item: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = item.get(name)
    return found if isinstance(found, Mapping) else {}


def _names(value: object) -> Names:
    items = value if isinstance(value, list) else []
    return Names(tuple(name for name in map(_path, items[:_SHOWN]) if name), len(items))


def _followers(value: object) -> tuple[str, ...] | None:
    return tuple(_text(name) for name in value) if isinstance(value, list) else None


def _sentences(value: object) -> Names:
    items = value if isinstance(value, list) else []
    return Names(tuple(said for said in map(_sentence, items[:_SHOWN]) if said), len(items))


def _newest_sentences(value: object) -> Names:
    """Sentences that were added at the end, the last one first."""
    return _sentences(value[::-1]) if isinstance(value, list) else Names()


def _sentence(item: object) -> str:
    return _text(item, _PARAGRAPH)


def _text(value: object, limit: int = _LINE) -> str:
    if not isinstance(value, str):
        return ""
    clean = _DECEIVING.sub("\ufffd", value[: limit + 1])
    return clean if len(value) <= limit else clean[: limit - 1] + "…"


def _path(value: object) -> str:
    """A path in one line; of a long one the start and the end, which names the file."""
    if not isinstance(value, str):
        return ""
    if len(value) > _LINE:
        value = value[: _LINE // 3] + "…" + value[-_LINE * 2 // 3 + 1 :]
    return _text(value).replace("\n", "\ufffd")


def _remote(value: object) -> str:
    return _USER_AND_PASSWORD.sub(r"\1", _path(value))


def _time(value: object) -> float | None:
    """Seconds since the epoch, from a number or from ISO 8601."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _YEAR_9999 and math.isfinite(value) else None


def _count(value: object) -> int | None:
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else None
