"""The students' folders of a course as the page shows them, from what the node says of them.  Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from hub_plugin import reports, words
from hub_plugin.cleaned import Names
from hub_plugin.folder_cards import published
from hub_plugin.numbering import Place, Places, label
from hub_plugin.shown import CourseCard, Status, VersionCount, ViewRow, key, spelled, status_of
from syncd.look.tone import Tone

_SILENT_S = 120.0
"""Agents report every half minute; one that said nothing for so long has ended, or its machine is away."""


def view_status(view: reports.View, newest: str, places: Places) -> Status:
    """A student's folder's state in words; `newest` is the commit that the node has ready."""
    if view.state == "needs_you":
        return Status(words.NEEDS_ATTENTION, Tone.BAD, view.sentence)
    if view.state == "paused":
        return status_of(words.PAUSED_STATE, Tone.WAIT, view.sentence)
    if view.state == "offline":
        return status_of(words.offline(0), Tone.WAIT, view.sentence)
    if view.waiting.total:
        return status_of(words.waits(view.waiting.total), Tone.WAIT, view.sentence)
    if not view.commit:
        return status_of(words.nothing_yet(), Tone.BUSY, view.sentence)
    if view.state == "waiting":
        return status_of(words.WAITING, Tone.WAIT, view.sentence)
    if view.commit != newest and newest:
        return _behind(places.get(view.commit), places.get(newest))
    if view.state in ("up_to_date", ""):
        return Status(words.UP_TO_DATE, Tone.GOOD)
    return Status(view.sentence or spelled(view.state), Tone.QUIET)


def _behind(mine: Place | None, newest: Place | None) -> Status:
    if mine is None or newest is None or mine.line != newest.line:
        return Status(words.behind(None), Tone.BUSY)
    if mine.number > newest.number:
        return Status(words.ahead(), Tone.BUSY)
    return Status(words.behind(newest.number - mine.number), Tone.BUSY)


def course_cards(
    document: Mapping[str, object],
    followed: Iterable[reports.Course],
    places: Places,
    pushed: Mapping[str, str],
    at: float | None,
) -> tuple[tuple[CourseCard, tuple[ViewRow, ...]], ...]:
    """Each course with its rows; `pushed` is what publishers' remotes show, `at` when the node said it."""
    by_course: dict[str, dict[str, reports.View]] = {}
    for view in reports.views(document):
        by_course.setdefault(view.course, {})[key("view", view.course, view.user, view.root)] = view
    out = []
    for course in {course.name: course for course in followed}.values():
        seen = by_course.pop(course.name, {})
        out.append(_course(course, _course_status(course), seen, places, pushed, at))
    for name, seen in sorted(by_course.items()):
        gone = reports.Course(name, "", "", "", "", "", None, Names())
        out.append(_course(gone, Status(words.UNFOLLOWED, Tone.WAIT), seen, places, pushed, at))
    return tuple(out)


def _course(
    course: reports.Course,
    status: Status,
    seen: Mapping[str, reports.View],
    places: Places,
    pushed: Mapping[str, str],
    at: float | None,
) -> tuple[CourseCard, tuple[ViewRow, ...]]:
    rows = sorted((_row(name, view, course.commit, places, at) for name, view in seen.items()), key=row_order)
    card = CourseCard(
        key=key("course", course.name),
        name=course.name or words.UNNAMED,
        status=status,
        newest=words.newest(label(course.commit, places)) if course.commit else "",
        ready_at=course.ready_at,
        coming=_coming(course, places, pushed),
        counts=_counts((view.commit for view in seen.values()), course.commit, places),
        tallies=_tallies(rows),
        left_out=course.left_out,
        students=len(rows),
        version=label(course.commit, places) if course.commit else "",
        recent=published(course.recent, places),
    )
    return card, tuple(rows)


def _course_status(course: reports.Course) -> Status:
    if course.state == "needs_you":
        return Status(words.needs_you(course.sentence), Tone.BAD)
    if course.state in ("up_to_date", "ready"):
        return status_of(words.UP_TO_DATE, Tone.GOOD, course.sentence)
    tone = Tone.WAIT if course.state == "offline" else Tone.BUSY
    return Status(course.sentence or spelled(course.state) or words.CHECKING, tone)


def _row(name: str, view: reports.View, newest: str, places: Places, at: float | None) -> ViewRow:
    silent = (at or 0) - (view.updated_at or at or 0) > _SILENT_S
    return ViewRow(
        key=name,
        user=view.user or words.UNNAMED,
        kind=words.KINDS.get(view.kind, view.kind),
        root=view.root,
        version=label(view.commit, places) if view.commit else "–",
        status=view_status(view, newest, places),
        waiting=view.waiting,
        notes=view.notes,
        updated_at=view.updated_at,
        paused=view.state == "paused",
        conflicts=view.beside > 0,
        offline=view.state == "offline" or silent,
        silent=silent,
    )


def row_order(row: ViewRow) -> tuple[bool, list[tuple[int, str]], str]:
    """Those who need somebody first, then by name, `student2` before `student10`; states that pass move nobody."""
    parts = re.split(r"(\d{1,18})", row.user.casefold())
    return row.status.tone is not Tone.BAD, [(int(part) if n % 2 else 0, part) for n, part in enumerate(parts)], row.key


def _coming(course: reports.Course, places: Places, pushed: Mapping[str, str]) -> str:
    """Whether the remote already has a newer version than the node, as far as the publisher knows."""
    here = places.get(course.commit)
    commit = pushed.get(here.line, "") if here else ""
    there = places.get(commit)
    newer = here and there and there.line == here.line and there.number > here.number
    return words.on_its_way(label(commit, places)) if newer else ""


def _counts(commits: Iterable[str], newest: str, places: Places) -> tuple[VersionCount, ...]:
    counted = Counter(commits)
    total = counted.total()
    if not total:
        return ()

    def order(commit: str) -> tuple[bool, bool, int, int, str]:
        place = places.get(commit)
        return commit == "", commit != newest, -(place.number if place else 0), -counted[commit], commit

    everyone = {newest, *counted} if newest else counted.keys()
    return tuple(
        VersionCount(
            label(commit, places) if commit else words.NO_VERSION,
            counted[commit],
            total,
            bool(commit) and commit == newest,
        )
        for commit in sorted(everyone, key=order)
    )


def _tallies(rows: Iterable[ViewRow]) -> tuple[str, ...]:
    rows = list(rows)
    waiting = sum(1 for row in rows if row.waiting.total)
    attention = sum(1 for row in rows if row.status.tone is Tone.BAD)
    conflicts, offline = sum(row.conflicts for row in rows), sum(row.offline for row in rows)
    said = [words.tally_waiting(waiting)] if waiting else []
    said += [words.tally_conflicts(conflicts)] if conflicts else []
    said += [words.tally_offline(offline)] if offline else []
    return (*said, words.tally_attention(attention)) if attention else tuple(said)
