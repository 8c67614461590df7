"""What the page is made of, piece by piece, and which pieces changed since a reader looked last.

A piece is a value and the template that draws it; it counts as changed when its value did, so that a passing minute
changes nothing.  Ids of pieces are ids in the page.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from hub_plugin.shown import Overview


@dataclass(frozen=True, slots=True)
class Piece:
    """One element of the page."""

    template: str
    value: object
    inside: str = ""
    """The id of the list of pieces that this one holds, if it does; then it is never redrawn in place."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All pieces by id, and the lists of pieces by the id of the element that holds them, outer lists first."""

    pieces: Mapping[str, Piece]
    lists: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CourseShell:
    """What of a course's section stays as long as the course is there."""

    key: str
    name: str


def layout(shown: Overview) -> Layout:
    """Cut an overview into pieces."""
    pieces = {"headline": Piece("headline.html", shown.headline), "notices": Piece("notices.html", shown.notices)}
    lists: dict[str, tuple[str, ...]] = {"folders": (), "courses": ()}
    if not shown.folders:
        pieces["no-folders"] = Piece("empty.html", shown.no_folders)
        lists["folders"] = ("no-folders",)
    for folder in shown.folders:
        pieces[folder.key] = Piece("folder.html", folder)
        lists["folders"] += (folder.key,)
    if not shown.courses:
        pieces["no-courses"] = Piece("empty.html", shown.no_courses)
        lists["courses"] = ("no-courses",)
    for course, rows in shown.courses:
        about, table = f"about-{course.key}", f"table-{course.key}"
        pieces[course.key] = Piece("course.html", CourseShell(course.key, course.name), table)
        pieces[about] = Piece("about.html", course)
        lists["courses"] += (course.key,)
        pieces.update({row.key: Piece("row.html", row) for row in rows})
        lists[table] = tuple(row.key for row in rows)
    return Layout(pieces, lists)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reader who has seen an older version must redraw."""

    version: str
    pieces: tuple[str, ...]
    lists: tuple[str, ...]


class Board:
    """The newest layout, and when each part of it changed.  Versions of another process count as never seen."""

    def __init__(self) -> None:
        self.layout = Layout({}, {})
        self._process = secrets.token_hex(4)
        self._count = 0
        self._piece_changed: dict[str, int] = {}
        self._list_changed: dict[str, int] = {}
        self._news = asyncio.Event()

    @property
    def version(self) -> str:
        """The name of what is shown now."""
        return f"{self._process}-{self._count}"

    def show(self, new: Layout) -> bool:
        """Replace what is shown and wake the readers; False, and nothing happens, if it is the same."""
        if new == self.layout:
            return False
        old, self.layout = self.layout, new
        self._count += 1
        _stamp(self._piece_changed, old.pieces, new.pieces, self._count)
        _stamp(self._list_changed, old.lists, new.lists, self._count)
        self.wake()
        return True

    def since(self, version: str) -> Changes:
        """What changed since a version that a reader names."""
        process, _, count = version.partition("-")
        known = process == self._process and count.isascii() and count.isdigit() and len(count) < 18
        seen = int(count) if known else -1
        return Changes(
            version=self.version,
            pieces=tuple(name for name, changed in self._piece_changed.items() if changed > seen),
            lists=tuple(name for name in self.layout.lists if self._list_changed[name] > seen),
        )

    async def news(self, seconds: float) -> bool:
        """Wait until something new shows, or that long; whether something did."""
        try:
            async with asyncio.timeout(seconds):
                return await self._news.wait()
        except TimeoutError:
            return False

    def wake(self) -> None:
        """Let every reader look again."""
        self._news.set()
        self._news = asyncio.Event()


def _stamp(changed: dict[str, int], old: Mapping[str, object], new: Mapping[str, object], count: int) -> None:
    for name in old.keys() - new.keys():
        del changed[name]
    changed.update({name: count for name, value in new.items() if name not in old or old[name] != value})
