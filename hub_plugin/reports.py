"""What publisher and node say of themselves, as values; each field as it may be shown (`cleaned.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub_plugin.cleaned import (
    PARAGRAPH,
    Names,
    count_of,
    items_of,
    names_of,
    newest_sentences_of,
    part_of,
    path_of,
    remote_without_secrets,
    sentences_of,
    text_of,
    time_of,
)


@dataclass(frozen=True, slots=True)
class Commit:
    """One published version, and which one it is."""

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
    recent: tuple[Commit, ...] = ()
    """The versions that came to the node last, newest first."""
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
            id=text_of(item.get("id")),
            folder=path_of(item.get("folder")),
            remote=remote_without_secrets(item.get("remote")),
            branch=text_of(item.get("branch")),
            state=text_of(item.get("state")),
            sentence=text_of(item.get("sentence"), PARAGRAPH),
            commit=text_of(item.get("commit")),
            remote_commit=text_of(item.get("remote_commit")),
            waiting=names_of(item.get("waiting")),
            left_out=sentences_of(item.get("left_out")),
            warnings=sentences_of(item.get("warnings")),
            notes=newest_sentences_of(item.get("notes")),
            recent=_recent(item.get("recent")),
            students_remote=remote_without_secrets(part_of(item, "students").get("remote")),
            students_branch=text_of(part_of(item, "students").get("branch")),
            way=text_of(part_of(item, "students").get("way")),
        )
        for item in items_of(document.get("folders"))
    )


def courses(document: Mapping[str, object]) -> tuple[Course, ...]:
    """The courses in a node's status."""
    return tuple(
        Course(
            name=text_of(item.get("name")),
            remote=remote_without_secrets(item.get("remote")),
            branch=text_of(item.get("branch")),
            state=text_of(item.get("state")),
            sentence=text_of(item.get("sentence"), PARAGRAPH),
            commit=text_of(item.get("commit")),
            ready_at=time_of(item.get("ready_at")),
            left_out=sentences_of(item.get("left_out")),
            recent=_recent(item.get("recent")),
            followers=_followers(item.get("added_for")),
        )
        for item in items_of(document.get("courses"))
    )


def views(document: Mapping[str, object]) -> tuple[View, ...]:
    """The students' folders in a node's status."""
    return tuple(
        View(
            user=text_of(item.get("user")),
            course=text_of(item.get("course")),
            kind=text_of(item.get("kind")),
            root=path_of(item.get("root")),
            commit=text_of(item.get("commit")),
            waiting=names_of(item.get("waiting")),
            state=text_of(item.get("state")),
            sentence=text_of(item.get("sentence"), PARAGRAPH),
            updated_at=time_of(item.get("updated_at")),
            notes=newest_sentences_of(item.get("notes")),
            beside=count_of(item.get("beside")) or 0,
        )
        for item in items_of(document.get("views"))
    )


def _recent(value: object) -> tuple[Commit, ...]:
    found = [
        Commit(
            id=text_of(item.get("commit")),
            time=time_of(item.get("time")),
            message=text_of(item.get("message"), PARAGRAPH).strip(),
            files=count_of(item.get("files")),
            number=count_of(item.get("number")) or None,
        )
        for item in items_of(value)
    ]
    if len(found) > 1 and (found[0].time or 0) < (found[-1].time or 0):
        found.reverse()
    return tuple(found)


def _followers(value: object) -> tuple[str, ...] | None:
    return tuple(text_of(name) for name in value) if isinstance(value, list) else None
