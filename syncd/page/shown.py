"""What the page shows of a folder: values made from the publisher's report, with nothing of a browser in them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any

from syncd.core.links import new_token_page
from syncd.look.tone import Tone
from syncd.page import words
from syncd.page.paths import quoted
from syncd.page.reading import list_of, number_of, text_of

MOST_NAMED = 50
"""So many names of a list are shown; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A button: what it does is a row of `actions.ACTIONS`."""

    label: str
    action: str
    fields: Mapping[str, str] = field(default_factory=dict)
    main: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A transfer under way; `share` is from 0 to 1, or None while nothing is known."""

    label: str
    detail: str
    share: float | None


@dataclass(frozen=True, slots=True)
class TokenAsked:
    """A repository that wants a token, or another one; `page` is where one is made, if that is known."""

    remote: str
    host: str
    page: str


@dataclass(frozen=True, slots=True)
class Change:
    """A save that became a version."""

    message: str
    when: str
    about: str
    pending: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A file that stays out; `allow` is its path, as forms carry it, if it can be published anyway."""

    sentence: str
    name: str = ""
    allow: str = ""
    guard: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """The beginning of a list, and how many more there are."""

    first: tuple[str, ...]
    more: int

    @property
    def total(self) -> int:
        """How many there are in all."""
        return len(self.first) + self.more


@dataclass(frozen=True, slots=True)
class StudentsShown:
    """The branch that students follow, if it is not the folder's own; `behind` counts files they don't have yet."""

    remote: str
    branch: str
    way: str
    commit: str
    behind: int
    planned: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One folder."""

    id: str
    name: str
    path: str
    remote: str
    branch: str
    subfolder: str
    """Where the folder lies in the repository; '' for all of it."""
    kind: str
    """The state as the publisher names it."""
    tone: Tone
    state: str
    detail: str
    hint: str
    answers: tuple[Answer, ...]
    token: TokenAsked | None
    progress: Progress | None
    waiting: Names
    why_waiting: str
    left_out: tuple[Held, ...]
    left_out_more: int
    warnings: tuple[str, ...]
    warnings_more: int
    notes: tuple[str, ...]
    recent: tuple[Change, ...]
    students: StudentsShown | None
    for_students: str
    """What students don't have yet, in words."""


_TONES = {
    "up_to_date": Tone.GOOD,
    "settling": Tone.BUSY,
    "pushing": Tone.BUSY,
    "offline": Tone.WAIT,
    "paused": Tone.QUIET,
    "needs_you": Tone.BAD,
}

_TRY_AGAIN = Answer(words.TRY_AGAIN, "hint", main=True)
_PUBLISH_DELETION = Answer(words.PUBLISH_DELETION, "resume")
_KEEP_BOTH = Answer(words.KEEP_BOTH, "resume", {"keep": "both"}, main=True)
_KEEP_THEIRS = Answer(words.KEEP_THEIRS, "resume", {"keep": "theirs"})
_PUBLISH_AGAIN = Answer(words.PUBLISH_AGAIN, "resume", {"keep": "both"}, main=True)


def shown(report: Mapping[str, Any], now: datetime) -> Shown:
    """One folder of the publisher's report."""
    path = text_of(report.get("folder"))
    state = text_of(report.get("state"))
    waiting = _names(report.get("waiting"), report.get("waiting_count"))
    recent = _recent(report, now)
    pending = sum(change.pending for change in recent)
    # What to say in a terminal is not needed where there is a field.
    sentence = text_of(report.get("sentence")).removesuffix(f" Say: syncd login {report.get('token_for')}")
    held = [_held(each) for each in list_of(report.get("left_out"))]
    tone = _TONES.get(state, Tone.QUIET)
    warnings = tuple(text_of(each) for each in list_of(report.get("warnings")))
    held_count = max(len(held), number_of(report.get("left_out_count")))
    warning_count = max(len(warnings), number_of(report.get("warnings_count")))
    if state == "up_to_date" and (held or warnings):
        tone = Tone.WAIT
    students = _students(report.get("students"))
    return Shown(
        id=text_of(report.get("id")),
        name=PurePath(path).name or path,
        path=path,
        remote=words.without_secrets(text_of(report.get("remote"))),
        branch=text_of(report.get("branch")),
        subfolder=text_of(report.get("subfolder")),
        kind=state,
        tone=tone,
        state=words.state(state, sentence, waiting.total, pending),
        detail=words.detail(state, sentence, held_count, warning_count),
        hint=_hint(report),
        answers=_answers(report),
        token=_token(report),
        progress=_progress(report.get("progress")) or _restoring(report.get("restoring")),
        waiting=waiting,
        why_waiting=words.WHY_WAITING,
        left_out=tuple(held[:MOST_NAMED]),
        left_out_more=max(0, held_count - MOST_NAMED),
        warnings=warnings[:MOST_NAMED],
        warnings_more=max(0, warning_count - MOST_NAMED),
        notes=tuple(text_of(each) for each in reversed(list_of(report.get("notes"))))[:MOST_NAMED],
        recent=recent,
        students=students,
        for_students=words.for_students(students.behind, len(students.planned))
        if students is not None and students.way == "release"
        else "",
    )


def _answers(report: Mapping[str, Any]) -> tuple[Answer, ...]:
    """The buttons that answer what the folder asks; a folder that asks nothing can be paused."""
    state, question = report.get("state"), report.get("question")
    if state == "paused":
        return (Answer(words.RESUME, "resume", main=True),)
    pause = Answer(words.PAUSE, "pause")
    if state != "needs_you":
        return (_TRY_NOW, pause) if state == "offline" else (pause,)
    if question == "held":
        restore = Answer(words.RESTORE_FILES, "restore", {"version": text_of(report.get("commit"))}, main=True)
        return (restore, _PUBLISH_DELETION, pause) if report.get("commit") else (_PUBLISH_DELETION, pause)
    if question == "rewritten":
        if not report.get("remote_commit"):
            return (_PUBLISH_AGAIN, pause)
        return (_KEEP_BOTH, _KEEP_THEIRS, pause)
    if question == "token":
        return (_TRY_AS_IT_IS, pause)
    return (_TRY_AGAIN, _REMOVE, pause) if question == "missing" else (_TRY_AGAIN, pause)


def _token(report: Mapping[str, Any]) -> TokenAsked | None:
    remote = words.without_secrets(text_of(report.get("token_for")))
    if not remote or report.get("question") != "token":
        return None
    host = words.host(remote)
    return TokenAsked(remote, host, new_token_page(host) or "")


_TRY_AS_IT_IS = Answer(words.TRY_AGAIN, "hint")
_REMOVE = Answer(words.REMOVE, "remove")
_TRY_NOW = Answer(words.TRY_NOW, "hint")


def _hint(report: Mapping[str, Any]) -> str:
    if report.get("state") != "needs_you":
        return ""
    return words.HINTS.get(text_of(report.get("question")), "")


def _progress(found: object) -> Progress | None:
    if not isinstance(found, Mapping):
        return None
    done, total = number_of(found.get("objects")), number_of(found.get("of"))
    share = min(1.0, done / total) if total else None
    detail = words.transfer(number_of(found.get("bytes")), done, total, found.get("seconds_left"))
    return Progress(words.TRANSFERS.get(text_of(found.get("kind")), words.TRANSFERRING), detail, share)


def _restoring(found: object) -> Progress | None:
    if not isinstance(found, Mapping):
        return None
    done, total = number_of(found.get("done")), number_of(found.get("total"))
    return Progress(words.RESTORING, words.done_of(done, total), min(1.0, done / total) if total else None)


def _students(found: object) -> StudentsShown | None:
    if not isinstance(found, Mapping):
        return None
    planned = [each for each in list_of(found.get("planned")) if isinstance(each, Mapping)]
    return StudentsShown(
        remote=words.without_secrets(text_of(found.get("remote"))),
        branch=text_of(found.get("branch")),
        way=text_of(found.get("way")),
        commit=text_of(found.get("commit")),
        behind=number_of(found.get("behind")),
        planned=tuple(f"{text_of(each.get('id'))} {bool(each.get('fired'))}" for each in planned),
        problem=text_of(found.get("problem")),
    )


def _recent(report: Mapping[str, Any], now: datetime) -> tuple[Change, ...]:
    found = [each for each in list_of(report.get("recent")) if isinstance(each, Mapping)]
    commits = [each.get("commit") for each in found]
    theirs = report.get("remote_commit")
    reached = commits.index(theirs) if theirs in commits else len(commits) if theirs is None else 0
    return tuple(
        Change(
            message=text_of(each.get("message")) or words.NO_MESSAGE,
            when=words.when(number_of(each.get("time")), now),
            about=words.files(number_of(each.get("files"))),
            pending=at < reached,
        )
        for at, each in enumerate(found)
    )


def _held(each: object) -> Held:
    if isinstance(each, Mapping):
        path = each.get("path") if each.get("allow", True) else None
        allow = quoted(path) if isinstance(path, str) else ""
        return Held(text_of(each.get("sentence")), text_of(path), allow, text_of(each.get("guard")))
    return Held(text_of(each))


def _names(found: object, count: object) -> Names:
    names = tuple(text_of(each) for each in list_of(found))
    return Names(names[:MOST_NAMED], max(number_of(count), len(names)) - len(names[:MOST_NAMED]))


def headline(folders: Sequence[Shown]) -> str:
    """All folders in one sentence."""
    kinds = Counter(each.kind for each in folders)
    moving = sum(kinds[kind] for kind in ("settling", "pushing", "offline"))
    return words.headline(len(folders), kinds["needs_you"], moving, kinds["paused"])
