"""What students have, what they shall get and when: the publisher's releases as values for the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from syncd.page import words
from syncd.page.asking import Json, Publisher
from syncd.page.paths import quoted
from syncd.page.reading import list_of, number_of, text_of
from syncd.page.shown import Shown

_MOST = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """A file that students don't have as it is now; `at` is its path as forms carry it."""

    path: str
    at: str
    change: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A release that waits for its time, or for the remote."""

    id: str
    what: str
    when: str
    message: str
    fired: bool


@dataclass(frozen=True, slots=True)
class Release:
    """What was published; the newest that counts can be undone."""

    id: str
    message: str
    when: str
    about: str
    undoable: bool


@dataclass(frozen=True, slots=True)
class Releases:
    """All of it, for one folder; `way` is "", "live" or "release"."""

    id: str
    way: str
    branch: str
    choices: tuple[Choice, ...] = ()
    more: int = 0
    planned: tuple[Planned, ...] = ()
    published: tuple[Release, ...] = ()


async def look(publisher: Publisher, folder: Shown) -> Releases:
    """Ask the publisher.  Unanswered if it can't say."""
    if folder.students is None:
        return Releases(folder.id, "", "")
    return read(folder, await publisher.ask("GET", f"/v1/folders/{quote(folder.id, safe='')}/releases"), datetime.now())


def read(folder: Shown, found: Json, now: datetime) -> Releases:
    """The answer as values."""
    assert folder.students is not None
    choices = [
        Choice(text_of(each.get("path")), quoted(str(each.get("path"))), words.CHANGES.get(str(each.get("change")), ""))
        for each in _rows(found.get("waiting"))
    ]
    published = _rows(found.get("published"))
    undone = {each.get("undoes") for each in published}
    last = next((each for each in published if not each.get("undoes") and each.get("commit") not in undone), None)
    releasing = folder.students.way == "release"
    return Releases(
        id=folder.id,
        way=folder.students.way,
        branch=folder.students.branch,
        choices=tuple(choices[:_MOST]) if releasing else (),
        more=max(0, len(choices) - _MOST) if releasing else 0,
        planned=tuple(_planned(each) for each in _rows(found.get("planned"))),
        published=tuple(
            Release(
                id=text_of(each.get("id")),
                message=text_of(each.get("message")) or words.NO_MESSAGE,
                when=words.when(number_of(each.get("time")), now),
                about=words.files(number_of(each.get("files"))),
                undoable=releasing and each is last,
            )
            for each in published[:_MOST]
        ),
    )


def _planned(each: Mapping[str, Any]) -> Planned:
    when, fired = text_of(each.get("when")), bool(each.get("fired"))
    return Planned(text_of(each.get("id")), text_of(each.get("what")), when, text_of(each.get("message")), fired)


def _rows(found: object) -> list[Mapping[str, Any]]:
    return [each for each in list_of(found) if isinstance(each, Mapping)]
