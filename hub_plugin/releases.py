"""What a publisher says of a folder's releases to students, as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub_plugin.cleaned import PARAGRAPH, Names, count_of, items_of, names_of, text_of, time_of


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
            id=text_of(item.get("id")),
            commit=text_of(item.get("commit")),
            time=time_of(item.get("time")),
            message=text_of(item.get("message"), PARAGRAPH).strip(),
            files=count_of(item.get("files")),
            undoes=text_of(item.get("undoes")),
        )
        for item in items_of(document.get("published"))
    )
    planned = tuple(
        Planned(text_of(item.get("id")), text_of(item.get("when")), text_of(item.get("what")))
        for item in items_of(document.get("planned"))
    )
    waiting = [item.get("path") for item in items_of(document.get("waiting"))]
    return Releases(published, planned, names_of(waiting))
