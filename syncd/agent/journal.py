"""What a plain folder remembers: its base, and while an update runs, the moves that carry it out.

    <state>/base.json     the commit shown, and the bases of files whose merge waits
    <state>/journal.json  there only while an update is being carried out

Both are replaced whole and durably.  The journal comes before the first change of the folder and
goes after the base is set; updates are numbered, so a journal left by a kill between the two is
known to be done.  A move says what it expects and what it leaves, so that after a kill one look
at the folder tells whether it was made, and a save that came since is never overwritten.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.core.entry import BlobId, CommitId, Entry, Mode, RelPath
from syncd.core.errors import Stop


@dataclass(frozen=True, slots=True)
class Base:
    """What the student's changes are changes of; `number` counts the updates so far."""

    number: int = 0
    commit: CommitId | None = None
    waiting: Mapping[RelPath, Entry | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Put:
    """`before` becomes `after` (None: nothing is there) by the staged file of that name; None as `staged` removes.

    `base` is what the path waits with if the move can't be made.  A put with `own` is a copy beside another file:
    it waits for nothing, and takes the next free name if its own is taken.  `needs` names a path whose put must have
    been made: a file that moves is given up only when it is under its new name.
    """

    path: RelPath
    before: Entry | None
    after: Entry | None
    base: Entry | None
    staged: str | None
    own: bool = False
    needs: RelPath | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """A file or folder of the student's is renamed; `before` are its files, `inode` tells that it was done.

    `bases` are what its paths wait with if the move can't be made.
    """

    path: RelPath
    to: RelPath
    before: Mapping[RelPath, Entry | None]
    bases: Mapping[RelPath, Entry | None]
    inode: int


Move = Put | Aside


@dataclass(frozen=True, slots=True)
class Journal:
    """One update: the base it ends with if every move is made, and the moves, in order."""

    base: Base
    moves: tuple[Move, ...]


class Records:
    """The two files in a view's state folder."""

    def __init__(self, state: Path) -> None:
        """Use a state folder; it is made with the first file."""
        self._base = state / "base.json"
        self._journal = state / "journal.json"

    def base(self) -> Base:
        """The base; that of a folder never updated if there is none.  Stop if it is damaged."""
        raw = _read(self._base)
        return Base() if raw is None else _base_from(raw)

    def set_base(self, base: Base) -> None:
        """Replace the base, durably."""
        write_durably(self._base, json.dumps(_base_to(base)).encode())

    def journal(self) -> Journal | None:
        """The journal that a kill left, if any."""
        raw = _read(self._journal)
        if raw is None:
            return None
        return Journal(_base_from(raw["base"]), tuple(_move_from(move) for move in raw["moves"]))

    def begin(self, journal: Journal) -> None:
        """Record the moves before the first is made."""
        raw = {"base": _base_to(journal.base), "moves": [_move_to(move) for move in journal.moves]}
        write_durably(self._journal, json.dumps(raw).encode())

    def end(self) -> None:
        """Forget the journal; the base is set by now."""
        self._journal.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a small file whole: after a crash it is the old or the new."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")  # a fixed name: what a kill leaves is overwritten, not gathered
    with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as problem:
        raise Stop(f"{path} is damaged; move its folder away, your files stay and are compared anew.") from problem


def _entry_to(entry: Entry | None) -> list[str | int] | None:
    return None if entry is None else [entry.blob, int(entry.mode)]


def _entry_from(raw: Any) -> Entry | None:
    return None if raw is None else Entry(BlobId(raw[0]), Mode(raw[1]))


def _entries_to(entries: Mapping[RelPath, Entry | None]) -> dict[RelPath, Any]:
    return {path: _entry_to(entry) for path, entry in entries.items()}


def _entries_from(raw: Any) -> dict[RelPath, Entry | None]:
    return {RelPath(path): _entry_from(entry) for path, entry in raw.items()}


def _base_to(base: Base) -> dict[str, Any]:
    return {"number": base.number, "commit": base.commit, "waiting": _entries_to(base.waiting)}


def _base_from(raw: Any) -> Base:
    commit = None if raw["commit"] is None else CommitId(raw["commit"])
    return Base(int(raw["number"]), commit, _entries_from(raw["waiting"]))


def _move_to(move: Move) -> dict[str, Any]:
    if isinstance(move, Aside):
        return {
            "path": move.path,
            "to": move.to,
            "before": _entries_to(move.before),
            "bases": _entries_to(move.bases),
            "inode": move.inode,
        }
    return {
        "path": move.path,
        "before": _entry_to(move.before),
        "after": _entry_to(move.after),
        "base": _entry_to(move.base),
        "staged": move.staged,
        "own": move.own,
        "needs": move.needs,
    }


def _move_from(raw: Any) -> Move:
    path = RelPath(raw["path"])
    if "to" in raw:
        before, bases = _entries_from(raw["before"]), _entries_from(raw["bases"])
        return Aside(path, RelPath(raw["to"]), before, bases, raw["inode"])
    was, after, base = (_entry_from(raw[name]) for name in ("before", "after", "base"))
    needs = None if raw["needs"] is None else RelPath(raw["needs"])
    return Put(path, was, after, base, raw["staged"], raw["own"], needs)
