"""What was done to a folder, by whomever: each deed with its files, which lead to their versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from syncd.page import words
from syncd.page.asking import Json, Publisher
from syncd.page.paths import quoted
from syncd.page.reading import list_of, number_of, text_of
from syncd.page.shown import Shown

_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Touched:
    """A file of a deed; `at` is its path as links carry it."""

    path: str
    at: str
    change: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A name for the whole folder as it was; `about` says when, and who if it was a colleague."""

    name: str
    message: str
    about: str


@dataclass(frozen=True, slots=True)
class Deed:
    """One commit, for people."""

    id: str
    message: str
    author: str
    when: str
    about: str
    files: tuple[Touched, ...]
    more: int
    checkpoints: tuple[str, ...]


async def look(publisher: Publisher, folder: Shown) -> tuple[tuple[Deed, ...], tuple[Checkpoint, ...]]:
    """The last hundred deeds, and all checkpoints, newest first.  Unanswered if the publisher can't say."""
    below, now = f"/v1/folders/{quote(folder.id, safe='')}", datetime.now()
    deeds = read(await publisher.ask("GET", f"{below}/log?limit={_LIMIT}"), now)
    return deeds, named(await publisher.ask("GET", f"{below}/checkpoints"), now)


def named(found: Json, now: datetime) -> tuple[Checkpoint, ...]:
    """The answer as values."""
    return tuple(
        Checkpoint(
            name=text_of(each.get("name")),
            message=text_of(each.get("message")),
            about=words.by(words.when(number_of(each.get("time")), now), text_of(each.get("author")), each.get("mine")),
        )
        for each in list_of(found.get("checkpoints"))
        if isinstance(each, Mapping)
    )


def read(found: Json, now: datetime) -> tuple[Deed, ...]:
    """The answer as values."""
    return tuple(_deed(each, now) for each in list_of(found.get("log")) if isinstance(each, Mapping))


def _deed(each: Json, now: datetime) -> Deed:
    named = [pair for pair in list_of(each.get("files")) if isinstance(pair, list) and len(pair) == 2]
    files = tuple(
        Touched(text_of(path), quoted(path), words.CHANGES.get(str(change), ""))
        for path, change in named
        if isinstance(path, str)
    )
    count = number_of(each.get("count"))
    return Deed(
        id=text_of(each.get("commit")),
        message=text_of(each.get("message")).partition("\n")[0] or words.NO_MESSAGE,
        author=text_of(each.get("author")),
        when=words.when(number_of(each.get("time")), now),
        about=words.files(count),
        files=files,
        more=max(0, count - len(files)),
        checkpoints=tuple(map(text_of, list_of(each.get("checkpoints")))),
    )
