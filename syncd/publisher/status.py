"""How a folder is doing, as one state and one sentence."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from itertools import islice
from typing import Any, Protocol

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsToken, SyncError
from syncd.core.left_out import LeftOut
from syncd.core.progress import Progress
from syncd.core.transfer import Transfer
from syncd.publisher.registry import Folder
from syncd.publisher.words import files


class State(Enum):
    """The states that people see."""

    UP_TO_DATE = "up_to_date"
    SETTLING = "settling"
    PUSHING = "pushing"
    OFFLINE = "offline"
    PAUSED = "paused"
    NEEDS_YOU = "needs_you"


@dataclass(slots=True)
class Situation:
    """All that bears on the state; each loop writes its own part."""

    started: bool = False
    paused: bool = False
    missing: str | None = None
    """The folder can't be opened."""
    trouble: str | None = None
    """What was saved can't be taken up (a full disk)."""
    held: str | None = None
    """I7: too much vanished."""
    rewritten: str | None = None
    """I8: the remote's history was rewritten or its branch deleted."""
    token: str | None = None
    """The remote wants a token, or another one."""
    refused: str | None = None
    """The remote says no, and only the person can change that."""
    offline: str | None = None
    waiting: list[RelPath] = field(default_factory=list)
    much: bool = False
    """More was saved than `waiting` names."""
    head: CommitId | None = None
    agreed: CommitId | None = None
    shown: CommitId | None = None
    """What the remote showed last."""
    asked: bool = False
    """Whether the remote has answered since the start."""
    left_out: dict[RelPath, LeftOut] = field(default_factory=dict)
    warnings: dict[RelPath, str] = field(default_factory=dict)
    slow_watch: str | None = None
    transfer: Transfer | None = None
    """What is being sent or received just now; written by the network's thread."""
    restoring: Progress | None = None
    notes: list[str] = field(default_factory=list)
    recent: list[dict[str, Any]] = field(default_factory=list)


class StudentsSide(Protocol):
    """What the state of a folder takes from its students' branch."""

    @property
    def problem(self) -> str | None: ...  # noqa: D102
    @property
    def token_for(self) -> str | None: ...  # noqa: D102
    @property
    def offline(self) -> str | None: ...  # noqa: D102
    @property
    def pending(self) -> bool: ...  # noqa: D102
    @property
    def notes(self) -> list[str]: ...  # noqa: D102
    def report(self) -> Mapping[str, Any] | None: ...  # noqa: D102


def state_of(now: Situation, students: StudentsSide | None = None) -> tuple[State, str]:
    """The state, and the sentence for people."""
    problem = now.missing or now.trouble or now.held or now.rewritten or now.token or now.refused
    problem = problem or (students.problem if students else None)
    if now.paused:
        return State.PAUSED, "Paused: what you save is kept here, and published after `syncd resume`."
    if problem:
        return State.NEEDS_YOU, problem
    if not now.started:
        return State.SETTLING, "Starting: looking at all files."
    if now.offline:
        return State.OFFLINE, now.offline
    if now.much:
        return State.SETTLING, "Much was saved at once: looking at all files."
    if now.waiting:
        count = "1 file waits" if len(now.waiting) == 1 else f"{len(now.waiting)} files wait"
        return State.SETTLING, f"{count} until it is completely written." if len(now.waiting) == 1 else (
            f"{count} until they are completely written."
        )
    if now.head != now.agreed or not now.asked:
        return State.PUSHING, "Publishing what changed." if now.head != now.agreed else "Asking the remote."
    if now.shown != now.head:
        return State.SETTLING, "Taking in what others published."
    if students is not None and students.offline:
        return State.OFFLINE, students.offline
    if students is not None and students.pending:
        return State.PUSHING, "Publishing to students."
    return State.UP_TO_DATE, " ".join(["Up to date.", *_beside(now)])


def _beside(now: Situation) -> list[str]:
    """What is to be known although all is published; each path has its own sentence elsewhere."""
    count = len(now.left_out)
    out = [f"{files(count)} {'is' if count == 1 else 'are'} left out."] if count else []
    out += [f"{len(now.warnings):,} worth a look."] if now.warnings else []
    return out + ([now.slow_watch] if now.slow_watch else [])


def asking(problem: SyncError, remote: str) -> str:
    """What only the person can change, with the command that changes it where that is a token."""
    return f"{problem} Say: syncd login {remote}" if isinstance(problem, NeedsToken) else str(problem)


def question(now: Situation, students: StudentsSide) -> str | None:
    """Which part of the situation asks the person, if one does; the page has answers for each."""
    if now.paused:
        return None
    asking = ("missing", "trouble", "held", "rewritten", "token", "refused")
    found = next((part for part in asking if getattr(now, part)), None)
    return found or ("token" if students.token_for else None)


def report(folder: Folder, now: Situation, students: StudentsSide) -> Mapping[str, Any]:
    """The folder as `GET /v1/status` shows it."""
    state, sentence = state_of(now, students)
    return {
        "id": folder.id,
        "folder": str(folder.path),
        "remote": folder.remote,
        "branch": folder.branch,
        "subfolder": folder.subfolder,
        "state": state.value,
        "sentence": sentence,
        "question": question(now, students),
        "token_for": folder.remote if now.token else students.token_for,
        "progress": now.transfer.report() if now.transfer else None,
        "commit": now.head,
        "remote_commit": now.shown,
        "waiting": [_text(path) for path in now.waiting[:100]],
        "waiting_count": len(now.waiting),
        "left_out": [_left_out(folder, *each) for each in islice(now.left_out.items(), 100)],
        "left_out_count": len(now.left_out),
        "warnings": [_text(why) for why in list(now.warnings.values())[:100]],
        "warnings_count": len(now.warnings),
        "notes": [_text(note) for note in [*now.notes[-50:], *students.notes[-10:]]],
        "students": students.report(),
        "restoring": asdict(now.restoring) if now.restoring else None,
        "recent": now.recent,
    }


def _left_out(folder: Folder, path: RelPath, why: LeftOut) -> Mapping[str, Any]:
    """With the path as it is: who allows it must name that very file, be its name a text or not."""
    command = f"syncd allow {_shell_word(str(folder.path / path))} --guard {why.guard}" if why.guard else None
    return {
        "path": path,
        "sentence": _text(why.sentence),
        "guard": why.guard,
        "allow": why.guard is not None,
        "command": command,
    }


def _shell_word(text: str) -> str:
    """A path for a shell; with $'...' where it can't be shown (bash, zsh, and POSIX since 2024)."""
    if text.isprintable():
        return shlex.quote(text)
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\{byte:03o}" for byte in os.fsencode(text))
    return f"$'{''.join(plain)}'"


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
