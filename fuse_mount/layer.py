"""What a student's layer is made of besides his files: whiteouts, redirects, origins, the base.

State is a fold of changes; this file knows what each change does and nothing of disks.  Paths are
bytes, relative to the top, as the kernel hands them over; in changes (which are written down as
JSON) they are text with surrogate escapes.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from syncd.core.entry import BlobId, CommitId, Entry, Mode, RelPath

Change = tuple[str | int | None, ...]
"""A verb and its operands; see `Layer.fold`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a file that the student renamed came from: the course's path and what was there."""

    path: RelPath
    entry: Entry
    real: int
    """The upper file's own inode number: of another file at that path, the record says nothing."""


@dataclass(slots=True)
class Layer:
    """The folded state.  An upper entry always wins over a whiteout at its own path."""

    hidden: set[bytes] = field(default_factory=set)
    """Whiteouts: the lower at this path and below does not show."""
    redirects: dict[bytes, bytes] = field(default_factory=dict)
    """Folders of the view whose lower is another folder of the lower tree."""
    origins: dict[bytes, Origin] = field(default_factory=dict)
    base: CommitId | None = None
    update: str = ""
    """The token of the last update that was switched to."""
    waiting: dict[RelPath, Entry | None] = field(default_factory=dict)

    def fold(self, changes: Iterable[Change]) -> None:
        """Apply changes in their order.  ValueError for a verb this version does not know."""
        for change in changes:
            match change:
                case ("hide", str(path)):
                    self._clear(os.fsencode(path))
                    self.hidden.add(os.fsencode(path))
                    self.redirects.pop(os.fsencode(path), None)
                case ("hide-own", str(path)):
                    # As `hide`, but what is recorded below belongs to the student's folder there and stays.
                    self.hidden.add(os.fsencode(path))
                    self.redirects.pop(os.fsencode(path), None)
                case ("show", str(path)):
                    self.hidden.discard(os.fsencode(path))
                    self.redirects.pop(os.fsencode(path), None)
                case ("redirect", str(path), str(lower)):
                    self.hidden.discard(os.fsencode(path))
                    self.redirects[os.fsencode(path)] = os.fsencode(lower)
                case ("clear", str(path)):
                    self._clear(os.fsencode(path))
                case ("move", str(old), str(new)):
                    self._move({os.fsencode(old): os.fsencode(new)})
                case ("swap", str(old), str(new)):
                    a, b = os.fsencode(old), os.fsencode(new)
                    self._move({a: b, b: a})
                case ("origin", str(path), str(source), str(blob), int(mode), int(real)):
                    origin = Origin(RelPath(source), Entry(BlobId(blob), Mode(mode)), real)
                    self.origins[os.fsencode(path)] = origin
                case ("forget-origin", str(path)):
                    self.origins.pop(os.fsencode(path), None)
                case ("base", str(commit), str(update)):
                    self.base, self.update = CommitId(commit), update
                case ("wait", str(path), None):
                    self.waiting[RelPath(path)] = None
                case ("wait", str(path), str(blob), int(mode)):
                    self.waiting[RelPath(path)] = Entry(BlobId(blob), Mode(mode))
                case ("agreed", str(path)):
                    self.waiting.pop(RelPath(path), None)
                case _:
                    raise ValueError(f"unknown record {change!r}")

    def changes(self) -> list[Change]:
        """The shortest changes that lead from nothing to this state."""
        out: list[Change] = [("base", self.base, self.update)] if self.base else []
        out += [("hide", os.fsdecode(path)) for path in sorted(self.hidden)]
        out += [("redirect", os.fsdecode(path), os.fsdecode(low)) for path, low in sorted(self.redirects.items())]
        out += [origin_change(path, origin) for path, origin in sorted(self.origins.items())]
        out += [wait_change(path, entry) for path, entry in sorted(self.waiting.items())]
        return out

    def covers(self, path: bytes, below: bytes = b"") -> bool:
        """Whether a record at a path or above it, but below `below`, keeps the path's own lower from showing."""
        while path != below:
            if path in self.hidden or path in self.redirects:
                return True
            path = path.rpartition(b"/")[0]
        return False

    def below(self, folder: bytes) -> list[bytes]:
        """All paths below a folder that have a whiteout, a redirect or an origin."""
        start = folder + b"/" if folder else b""
        return [
            path for table in (self.hidden, self.redirects, self.origins) for path in table if path.startswith(start)
        ]

    def _clear(self, folder: bytes) -> None:
        for path in self.below(folder):
            self.hidden.discard(path)
            self.redirects.pop(path, None)
            self.origins.pop(path, None)

    def _move(self, moves: dict[bytes, bytes]) -> None:
        def moved(path: bytes) -> bytes:
            for old, new in moves.items():
                if path == old or path.startswith(old + b"/"):
                    return new + path[len(old) :]
            return path

        self.hidden = {moved(path) for path in self.hidden}
        self.redirects = {moved(path): lower for path, lower in self.redirects.items()}
        self.origins = {moved(path): origin for path, origin in self.origins.items()}


def origin_change(path: bytes, origin: Origin) -> Change:
    """The change that records an origin."""
    return ("origin", os.fsdecode(path), origin.path, origin.entry.blob, int(origin.entry.mode), origin.real)


def wait_change(path: RelPath, base: Entry | None) -> Change:
    """The change that records a waiting path's base."""
    return ("wait", path, base.blob, int(base.mode)) if base else ("wait", path, None)
