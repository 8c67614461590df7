"""A folder's files, one level at a time; a file's versions; links to either."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from syncd.core.entry import RelPath
from syncd.core.links import links
from syncd.page import words
from syncd.page.asking import Json, Publisher, Unanswered
from syncd.page.paths import quoted, unquoted
from syncd.page.reading import list_of, text_of
from syncd.page.shown import Shown

_MOST = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A name in a folder; `at` is its path as links carry it."""

    name: str
    at: str
    folder: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a file; `present` is the newest, `gone` one that deleted it."""

    id: str
    when: str
    message: str
    author: str
    present: bool
    gone: bool
    checkpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A link to copy."""

    kind: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path: rows if it is a folder, versions if it is or was a file."""

    path: str
    rows: tuple[Row, ...] = ()
    more: int = 0
    is_folder: bool = True
    versions: tuple[Version, ...] = ()
    hub: str = ""
    links: tuple[Link, ...] = ()
    problem: str = ""

    @property
    def at(self) -> str:
        """The path as links and forms carry it."""
        return quoted(self.path)

    @property
    def name(self) -> str:
        """The path, for people."""
        return words.plain(self.path)

    @property
    def above(self) -> tuple[Row, ...]:
        """The folders that lead here, outermost first."""
        parts = self.path.split("/")[:-1] if self.path else []
        return tuple(Row(words.plain(name), quoted("/".join(parts[: n + 1])), True) for n, name in enumerate(parts))

    @property
    def last(self) -> str:
        """The path's last name, for people."""
        return words.plain(self.path.rpartition("/")[2])


def asked(query: Mapping[str, str]) -> str:
    """The path that a reader wants: `at` of a link of ours, or `path` as typed."""
    path = unquoted(query["at"]) if "at" in query else query.get("path", "")
    return "/".join(part for part in path.strip().split("/") if part not in ("", ".", ".."))


async def look(publisher: Publisher, folder: Shown, path: str) -> Found:
    """What the folder has there.  Unanswered if the publisher can't say."""
    below = f"/v1/folders/{quote(folder.id, safe='')}"
    hub = str((await publisher.ask("GET", f"{below}/hub")).get("hub", ""))
    made = student_links(hub, folder, path)
    try:
        listed = await publisher.ask("GET", f"{below}/files?path={quoted(path)}")
    except Unanswered:
        found = await publisher.ask("GET", f"{below}/versions?path={quoted(path)}")
        return Found(path, is_folder=False, versions=_versions(found), hub=hub, links=made)
    names = listed.get("files", [])
    rows = tuple(
        Row(words.plain(each["name"]), quoted(f"{path}/{each['name']}" if path else each["name"]), each["folder"])
        for each in names[:_MOST]
    )
    return Found(path, rows, max(0, len(names) - _MOST), hub=hub, links=made)


def _versions(found: Json) -> tuple[Version, ...]:
    now = datetime.now()
    return tuple(
        Version(
            id=each["commit"],
            when=words.when(each["time"], now),
            message=words.plain(each["message"]) or words.NO_MESSAGE,
            author=words.plain(each["author"]),
            present=at == 0,
            gone=each["gone"],
            checkpoints=tuple(map(text_of, list_of(each.get("checkpoints")))),
        )
        for at, each in enumerate(found.get("versions", ()))
    )


def student_links(hub: str, folder: Shown, path: str) -> tuple[Link, ...]:
    """The links that students of a folder are given; they lead to the branch that students follow."""
    if not hub:
        return ()
    remote, branch = folder.remote, folder.branch
    if folder.students is not None:
        remote, branch = folder.students.remote, folder.students.branch
    inside = "/".join(filter(None, (folder.subfolder, path)))
    made = links(hub, remote, branch, folder.name, [RelPath(inside)] if inside else [])
    return tuple(Link(kind, label, getattr(made, kind)) for kind, label in words.LINK_KINDS.items())
