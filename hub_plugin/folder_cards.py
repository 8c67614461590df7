"""An instructor's folder as the page shows it, from what the publisher says of it.  Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from hub_plugin import reports, words
from hub_plugin.numbering import Places, folder_key, label
from hub_plugin.shown import FolderCard, Publish, Status, spelled, status_of
from syncd.look.tone import Tone

_SHOWN_VERSIONS = 10

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
        return Status(sentence or spelled(state), Tone.QUIET)
    if known[1] is Tone.BUSY and not files and sentence:
        return Status(sentence, known[1])  # it is starting, or asking the remote
    if state == "pushing":
        return Status(words.publishing(files), Tone.BUSY)
    return status_of(known[0](files), known[1], sentence)


def published(recent: Iterable[reports.Commit], places: Places) -> tuple[Publish, ...]:
    """The latest versions, in words."""
    return tuple(
        Publish(
            version=label(commit.id, places),
            message=commit.message or words.NO_MESSAGE,
            about=words.publish(commit.files, commit.id[:7]),
            time=commit.time,
        )
        for commit in islice(recent, _SHOWN_VERSIONS)
    )


def folder_card(folder: reports.Folder, places: Places) -> FolderCard:
    """A folder."""
    return FolderCard(
        key=folder_key(folder),
        name=_last_name(folder.folder) or _last_name(folder.remote.removesuffix(".git")) or words.UNNAMED,
        path=folder.folder,
        remote=folder.remote,
        branch=folder.branch,
        status=folder_status(folder.state, folder.sentence, folder.waiting.total + _unpublished(folder)),
        waiting=folder.waiting,
        left_out=folder.left_out,
        warnings=folder.warnings,
        notes=folder.notes,
        recent=published(folder.recent, places),
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


def _last_name(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
