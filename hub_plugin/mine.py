"""What a student's own page says: one piece per course.  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub_plugin import words
from hub_plugin.cleaned import Names, remote_without_secrets
from hub_plugin.courses import Course, repository_of
from hub_plugin.live import Layout, Piece
from hub_plugin.shown import CourseCard, FolderCard, Overview, Publish, Status, ViewRow, key
from syncd.look.tone import Tone

_NEW_SHOWN = 5


@dataclass(frozen=True, slots=True)
class MyCourse:
    """A course of mine, and how my folder of it is."""

    name: str
    title: str
    folder: str
    status: Status
    version: str
    waiting: Names
    notes: Names
    updated_at: float | None
    fresh: tuple[Publish, ...]
    teaches: bool
    here: bool
    paused: bool


def my_layout(
    shown: Overview,
    account: str,
    courses: Sequence[Course],
    taught: frozenset[str],
    seen: Mapping[str, float | None],
    node_away: bool,
    starting: str | None = None,
) -> Layout:
    """My page's pieces; `seen` is when I looked last, `account` my name on this machine; `starting`: `Starting.of`."""
    pieces = {
        "headline": Piece("headline.html", ""),
        "notices": Piece("hub_notice.html", words.STUDENTS_NODE_AWAY if node_away else ""),
    }
    odd = None
    if starting is not None:
        odd = Status(words.NOT_KEPT, Tone.WAIT, words.not_kept_because(starting) if starting else words.IS_STARTED)
    mine = [_mine(shown, account, course, course.name in taught, seen.get(course.name), odd) for course in courses]
    pieces["headline"] = Piece("headline.html", _headline(mine))
    names: list[str] = []
    for course in mine:
        name = key("mine", course.name)
        pieces[name] = Piece("my_course.html", course)
        names.append(name)
    if not names:
        pieces["no-courses"] = Piece("empty.html", words.NO_COURSE_OF_MINE)
        names = ["no-courses"]
    return Layout(pieces, {"courses": tuple(names)})


def folder_of(shown: Overview, course: Course) -> FolderCard | None:
    """The instructor's folder that a publisher on this machine has for a course."""
    fitting = [folder for folder in shown.folders if _gets_from(course, folder)]
    exact = [folder for folder in fitting if course.branch in (None, folder.students_branch or folder.branch)]
    return next(iter(exact or fitting), None)


def _gets_from(course: Course, folder: FolderCard) -> bool:
    """Whether the course's students get what this folder publishes to them."""
    remote = folder.students_remote or folder.remote
    return remote == remote_without_secrets(course.remote) or (
        bool(course.repository) and repository_of(remote) == course.repository
    )


def rows_of(shown: Overview, course: Course) -> tuple[ViewRow, ...]:
    """The students' folders of a course."""
    wanted = key("course", course.name)
    return next((rows for card, rows in shown.courses if card.key == wanted), ())


def is_kept(shown: Overview, course: Course, account: str) -> bool:
    """Whether an agent keeps somebody's folder: one that was not heard of for long has ended, whatever it said last."""
    return any(row.user == account and not row.silent for row in rows_of(shown, course))


def card_of(shown: Overview, course: Course) -> CourseCard | None:
    """A course as the node has it."""
    wanted = key("course", course.name)
    return next((card for card, _ in shown.courses if card.key == wanted), None)


def _mine(
    shown: Overview, account: str, course: Course, teaches: bool, seen: float | None, odd: Status | None
) -> MyCourse:
    row = next((row for row in rows_of(shown, course) if row.user == account), None)
    card = card_of(shown, course)
    status = row.status if row else Status(words.NOT_RUNNING, Tone.QUIET, words.NOT_RUNNING_MORE)
    if odd is not None and not is_kept(shown, course, account):
        status = odd
    return MyCourse(
        name=course.name,
        title=course.title,
        folder=course.folder,
        status=status,
        version=row.version if row else "",
        waiting=row.waiting if row else Names(),
        notes=row.notes if row else Names(),
        updated_at=row.updated_at if row else None,
        fresh=_fresh(card.recent if card else (), seen),
        teaches=teaches,
        here=row is not None,
        paused=row is not None and row.paused,
    )


def _fresh(recent: Iterable[Publish], seen: float | None) -> tuple[Publish, ...]:
    new = [publish for publish in recent if seen is None or (publish.time or 0) > seen]
    return tuple(new[:_NEW_SHOWN])


def _headline(mine: Sequence[MyCourse]) -> str:
    odd = [course for course in mine if course.status.tone not in (Tone.GOOD, Tone.QUIET)]
    if odd:
        return " ".join(words.headline_folder(course.title, course.status.words) for course in odd)
    return words.MINE_ALL_GOOD if any(course.here for course in mine) else ""
