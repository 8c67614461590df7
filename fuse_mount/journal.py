"""An update's journal: what is to be done, written down before anything of the student's is moved.

`<state>/update.json` names files in `<state>/staging`.  While it is there, the update must be finished
before anything else happens; carrying it out again does only what is left.
"""

import errno
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuse_mount.record_log import sync_folder
from fuse_mount.upper import Upper
from syncd.core.entry import BlobId, CommitId, Mode, RelPath
from syncd.core.entry import Entry as CoreEntry
from syncd.view import Hide, Mine, MoveBeside, PutBeside, Stamp, Step, Take, Update, Wait, Write


@dataclass(frozen=True, slots=True)
class Staged:
    """A step, and the staged file that holds its content."""

    step: Step
    staged: bytes = b""


@dataclass(frozen=True, slots=True)
class Journal:
    """One update; `known` are stamps of paths that it leaves to the student."""

    token: str
    commit: CommitId
    steps: tuple[Staged, ...]
    known: Mapping[RelPath, Stamp]

    @property
    def is_plain(self) -> bool:
        """Whether nothing of the student's is touched: the switch's own record is then all that is needed."""
        return all(_is_plain(item.step) for item in self.steps)


def _is_plain(step: Step) -> bool:
    return isinstance(step, Wait) or (isinstance(step, Take) and step.stamp is None)


def stage(upper: Upper, update: Update, seen: Mapping[RelPath, Mine]) -> Journal:
    """Stage all contents durably.  OSError (a full disk): nothing has changed, what was staged is removed."""
    steps: list[Staged] = []
    try:
        for step in update.steps:
            match step:
                case Write():
                    steps.append(Staged(step, _stage_bytes(upper, step.content, step.mode)))
                case PutBeside():
                    steps.append(Staged(step, _stage_blob(upper, update, step)))
                case _:
                    steps.append(Staged(step))
    except OSError:
        discard(upper, steps)
        raise
    named = {step.path for step in update.steps}
    known = {path: mine.stamp for path, mine in seen.items() if path not in named}
    return Journal(secrets.token_hex(8), update.to.commit, tuple(steps), known)


def discard(upper: Upper, steps: tuple[Staged, ...] | list[Staged]) -> None:
    """Remove staged files that nothing needs any more."""
    for item in steps:
        if item.staged:
            upper.unstage(item.staged)


def _stage_bytes(upper: Upper, content: bytes, mode: Mode) -> bytes:
    if mode is Mode.SYMLINK:
        return upper.stage_link(content)
    fd, name = upper.stage()
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fchmod(fd, _permissions(upper, mode))
        os.fsync(fd)
    except OSError:
        upper.unstage(name)
        raise
    finally:
        os.close(fd)
    return name


def _stage_blob(upper: Upper, update: Update, step: PutBeside) -> bytes:
    where = update.to.blobs.path(step.blob)
    if step.mode is Mode.SYMLINK:
        return upper.stage_link(where.read_bytes())
    source = os.open(where, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fd, name = upper.stage_copy(source, os.fstat(source).st_size, _permissions(upper, step.mode))
    finally:
        os.close(source)
    os.close(fd)
    return name


def _permissions(upper: Upper, mode: Mode) -> int:
    return (0o777 if mode is Mode.EXECUTABLE else 0o666) & ~upper.mask


class JournalFile:
    """Where the journal lies."""

    def __init__(self, state: Path) -> None:
        """`<state>/update.json`."""
        self._path = state / "update.json"

    def begin(self, journal: Journal) -> None:
        """Write it down durably."""
        body = {
            "token": journal.token,
            "commit": journal.commit,
            "steps": [_encoded(item) for item in journal.steps],
            "known": [[path, _plain(stamp)] for path, stamp in journal.known.items()],
        }
        aside = self._path.with_name("update.json.new")
        with open(aside, "w") as out:
            json.dump(body, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, self._path)
        sync_folder(self._path.parent)

    def read(self) -> Journal | None:
        """The update that was not finished; None if there is none."""
        try:
            body = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        steps = tuple(_decoded(item) for item in body["steps"])
        known = {RelPath(path): _stamp(stamp) for path, stamp in body["known"]}
        return Journal(body["token"], CommitId(body["commit"]), steps, known)

    def end(self) -> None:
        """The update is done and durable.

        That the journal is gone need not be: a disk keeps the order of such changes, so it is gone before anything that
        the student changes later; and if it comes back, it is carried out on what it left, which changes nothing.
        """
        self._path.unlink(missing_ok=True)


def _plain(stamp: Stamp | None) -> list[Any] | None:
    if stamp is None:
        return None
    if not isinstance(stamp, tuple):
        raise OSError(errno.EINVAL, "a stamp of another view")
    return list(stamp)


def _stamp(value: list[Any]) -> Stamp:
    return Stamp(tuple(value))


def _encoded(item: Staged) -> dict[str, Any]:
    step = item.step
    out: dict[str, Any] = {"do": type(step).__name__, "path": step.path, "staged": os.fsdecode(item.staged)}
    match step:
        case Take():
            out["stamp"] = _plain(step.stamp)
        case Write():
            out |= {"mode": int(step.mode), "stamp": _plain(step.stamp)}
        case PutBeside():
            out |= {"mode": int(step.mode), "blob": step.blob}
        case MoveBeside():
            out |= {"to": step.to, "stamps": [[path, _plain(stamp)] for path, stamp in step.stamps.items()]}
        case Wait():
            out["base"] = [step.base.blob, int(step.base.mode)] if step.base else None
        case Hide():
            out["known_as"] = step.known_as
    return out


def _decoded(item: dict[str, Any]) -> Staged:
    path, staged = RelPath(item["path"]), os.fsencode(item["staged"])
    step: Step
    match item["do"]:
        case "Take":
            step = Take(path, None if item["stamp"] is None else _stamp(item["stamp"]))
        case "Write":
            # The content is in the staged file.
            stamp = None if item["stamp"] is None else _stamp(item["stamp"])
            step = Write(path, b"", Mode(item["mode"]), stamp)
        case "PutBeside":
            step = PutBeside(path, BlobId(item["blob"]), Mode(item["mode"]))
        case "MoveBeside":
            stamps = {RelPath(where): _stamp(stamp) for where, stamp in item["stamps"]}
            step = MoveBeside(path, RelPath(item["to"]), stamps)
        case "Wait":
            base = item["base"]
            step = Wait(path, CoreEntry(BlobId(base[0]), Mode(base[1])) if base else None)
        case "Hide":
            step = Hide(path, RelPath(item["known_as"]))
        case other:
            raise ValueError(f"unknown step {other!r} in the journal")
    return Staged(step, staged)
