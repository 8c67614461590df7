"""From two status documents to what the page says.  Pure; times stay numbers, the page words them when it is drawn.

Commits are called `v37` where the publisher lists them or has listed them since the page started, and by the start of
their id elsewhere.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from hub_plugin import reports, words
from hub_plugin.reports import Names
from hub_plugin.shown import (
    CourseCard,
    FolderCard,
    Look,
    Notice,
    Overview,
    Place,
    Places,
    Publish,
    Status,
    Tone,
    VersionCount,
    ViewRow,
    key,
)

_SHOWN_VERSIONS = 10
_SILENT_S = 120.0
"""Agents report every half minute; one that said nothing for so long has ended, or its machine is away."""


def places_in(publisher: Look | None, known: Places) -> Places:
    """Number the commits that the publisher lists, and keep the numbers that were given before.

    A list that the publisher cuts off counts on from the newest commit that is known already; without one, and where
    the publisher gives no numbers itself, the oldest in the list is 1.
    """
    found = dict(known)
    for folder in reports.folders(publisher.document) if publisher and publisher.document else ():
        name = _folder_key(folder)
        last = len(folder.recent)
        for at, commit in enumerate(folder.recent):
            place = known.get(commit.id)
            if place is not None and place.folder == name:
                last = place.number + at
                break
        for at, commit in enumerate(folder.recent):
            if commit.id and (commit.number or last > at):
                found[commit.id] = Place(name, commit.number or last - at)
    return found


def overview(publisher: Look | None, node: Look | None, known: Places | None = None) -> Overview:
    """What the page shows, given what the sources said last; None: the page was started without that source."""
    notices = tuple(Notice(look.problem, look.at) for look in (publisher, node) if look is not None and look.problem)
    published = reports.folders(publisher.document) if publisher and publisher.document else ()
    places = places_in(publisher, {}) if known is None else known
    cards = tuple({_folder_key(folder): _folder_card(folder, places) for folder in published}.values())
    pushed = {_folder_key(folder): folder.remote_commit for folder in published}
    followed = reports.courses(node.document) if node and node.document else ()
    courses = _courses(node.document, followed, places, pushed, node.at) if node and node.document else ()
    headline = _headline(
        cards if publisher is None or not publisher.problem else (),
        courses if node is None or not node.problem else (),
    )
    if publisher is not None and publisher.problem:
        cards = tuple(replace(card, status=_stale(card.status)) for card in cards)
    if node is not None and node.problem:
        courses = tuple((replace(card, status=_stale(card.status)), rows) for card, rows in courses)
    return Overview(
        headline=headline,
        notices=notices,
        folders=cards,
        no_folders=_nothing(publisher, words.NO_PUBLISHER, words.NO_FOLDER),
        courses=courses,
        no_courses=_nothing(node, words.NO_NODE, words.NO_COURSE),
        added=tuple(course for course in followed if course.followers is not None),
    )


# The instructor's side.

_FOLDER_STATES: Mapping[str, tuple[Callable[[int], str], Tone]] = {
    "up_to_date": (lambda count: words.UP_TO_DATE, Tone.GOOD),
    "settling": (words.settling, Tone.BUSY),
    "pushing": (words.publishing, Tone.BUSY),
    "offline": (words.offline, Tone.WAIT),
    "paused": (words.paused, Tone.WAIT),
}


def folder_status(state: str, sentence: str, files: int) -> Status:
    """An instructor's folder's state in words; `files` are on their way or wait."""
    if state == "needs_you":
        return Status(words.needs_you(sentence), Tone.BAD)
    known = _FOLDER_STATES.get(state)
    if known is None:
        return Status(sentence or _spelled(state), Tone.QUIET)
    if known[1] is Tone.BUSY and not files and sentence:
        return Status(sentence, known[1])  # it is starting, or asking the remote
    if state == "pushing":
        return Status(words.publishing(files), Tone.BUSY)
    return _status(known[0](files), known[1], sentence)


def _folder_card(folder: reports.Folder, places: Places) -> FolderCard:
    recent = tuple(
        Publish(
            version=_label(commit.id, places),
            message=commit.message or words.NO_MESSAGE,
            about=words.publish(commit.files, commit.id[:7]),
            time=commit.time,
        )
        for commit in folder.recent[:_SHOWN_VERSIONS]
    )
    return FolderCard(
        key=_folder_key(folder),
        name=_last_name(folder.folder) or _last_name(folder.remote.removesuffix(".git")) or words.UNNAMED,
        path=folder.folder,
        remote=folder.remote,
        branch=folder.branch,
        status=folder_status(folder.state, folder.sentence, folder.waiting.total + _unpublished(folder)),
        waiting=folder.waiting,
        left_out=folder.left_out,
        warnings=folder.warnings,
        notes=folder.notes,
        recent=recent,
        id=folder.id,
        way=folder.way,
        students_remote=folder.students_remote,
        students_branch=folder.students_branch,
    )


def _unpublished(folder: reports.Folder) -> int:
    """The files of commits that the remote does not show yet; 0 if it shows none of those listed."""
    files = 0
    for commit in folder.recent:
        if commit.id == folder.remote_commit:
            return files
        files += commit.files or 0
    return 0


def _folder_key(folder: reports.Folder) -> str:
    return key("folder", folder.id, folder.folder)


# The students' side.


def view_status(view: reports.View, newest: str, places: Places) -> Status:
    """A student's folder's state in words; `newest` is the commit that the node has ready."""
    if view.state == "needs_you":
        return Status(words.NEEDS_ATTENTION, Tone.BAD, view.sentence)
    if view.state == "paused":
        return _status(words.PAUSED_STATE, Tone.WAIT, view.sentence)
    if view.state == "offline":
        return _status(words.offline(0), Tone.WAIT, view.sentence)
    if view.waiting.total:
        return _status(words.waits(view.waiting.total), Tone.WAIT, view.sentence)
    if not view.commit:
        return _status(words.nothing_yet(), Tone.BUSY, view.sentence)
    if view.state == "waiting":
        return _status(words.WAITING, Tone.WAIT, view.sentence)
    if view.commit != newest and newest:
        return _behind(places.get(view.commit), places.get(newest))
    if view.state in ("up_to_date", ""):
        return Status(words.UP_TO_DATE, Tone.GOOD)
    return Status(view.sentence or _spelled(view.state), Tone.QUIET)


def _behind(mine: Place | None, newest: Place | None) -> Status:
    if mine is None or newest is None or mine.folder != newest.folder:
        return Status(words.behind(None), Tone.BUSY)
    if mine.number > newest.number:
        return Status(words.ahead(), Tone.BUSY)
    return Status(words.behind(newest.number - mine.number), Tone.BUSY)


def _courses(
    document: Mapping[str, object],
    followed: Iterable[reports.Course],
    places: Places,
    pushed: Mapping[str, str],
    at: float | None,
) -> tuple[tuple[CourseCard, tuple[ViewRow, ...]], ...]:
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
        newest=words.newest(_label(course.commit, places)) if course.commit else "",
        ready_at=course.ready_at,
        coming=_coming(course, places, pushed),
        counts=_counts((view.commit for view in seen.values()), course.commit, places),
        tallies=_tallies(rows),
        left_out=course.left_out,
        students=len(rows),
    )
    return card, tuple(rows)


def _course_status(course: reports.Course) -> Status:
    if course.state == "needs_you":
        return Status(words.needs_you(course.sentence), Tone.BAD)
    if course.state in ("up_to_date", "ready"):
        return _status(words.UP_TO_DATE, Tone.GOOD, course.sentence)
    tone = Tone.WAIT if course.state == "offline" else Tone.BUSY
    return Status(course.sentence or _spelled(course.state) or words.CHECKING, tone)


def _row(name: str, view: reports.View, newest: str, places: Places, at: float | None) -> ViewRow:
    return ViewRow(
        key=name,
        user=view.user or words.UNNAMED,
        kind=words.KINDS.get(view.kind, view.kind),
        root=view.root,
        version=_label(view.commit, places) if view.commit else "–",
        status=view_status(view, newest, places),
        waiting=view.waiting,
        notes=view.notes,
        updated_at=view.updated_at,
        paused=view.state == "paused",
        conflicts=view.beside > 0,
        offline=view.state == "offline" or (at or 0) - (view.updated_at or at or 0) > _SILENT_S,
    )


def row_order(row: ViewRow) -> tuple[bool, list[tuple[int, str]], str]:
    """Those who need somebody first, then by name, `student2` before `student10`; states that pass move nobody."""
    parts = re.split(r"(\d{1,18})", row.user.casefold())
    return row.status.tone is not Tone.BAD, [(int(part) if n % 2 else 0, part) for n, part in enumerate(parts)], row.key


def _coming(course: reports.Course, places: Places, pushed: Mapping[str, str]) -> str:
    """Whether the remote already has a newer version than the node, as far as the publisher knows."""
    here = places.get(course.commit)
    commit = pushed.get(here.folder, "") if here else ""
    there = places.get(commit)
    newer = here and there and there.folder == here.folder and there.number > here.number
    return words.on_its_way(_label(commit, places)) if newer else ""


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
            _label(commit, places) if commit else words.NO_VERSION,
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


# Both sides.


def _nothing(look: Look | None, absent: str, empty: str) -> str:
    if look is None:
        return absent
    return words.UNKNOWN if look.document is None else empty


def _headline(cards: tuple[FolderCard, ...], courses: tuple[tuple[CourseCard, tuple[ViewRow, ...]], ...]) -> str:
    said = [words.headline_folder(card.name, card.status.words) for card in cards if card.status.tone is not Tone.GOOD]
    if cards and not said:
        said = [words.all_published()]
    for card, rows in courses:
        have = sum(count.count for count in card.counts if count.newest)
        if card.newest:
            said.append(words.headline_course(card.name, have, len(rows)))
    return " ".join(said)


def _label(commit: str, places: Places) -> str:
    place = places.get(commit)
    return words.version(place.number) if place else commit[:7]


def _status(said: str, tone: Tone, sentence: str) -> Status:
    """A status with its sentence, less what that only says again."""
    again = said.removesuffix(" ...")
    rest = sentence[len(again) :] if sentence.casefold().startswith(again.casefold()) else f" {sentence}"
    return Status(said, tone, rest[1:].strip() if rest[:1] in (".", ":", ";", " ") else sentence)


def _stale(status: Status) -> Status:
    return Status(words.last_known(status.words), Tone.QUIET, status.detail)


def _spelled(state: str) -> str:
    return state.replace("_", " ").capitalize()


def _last_name(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
