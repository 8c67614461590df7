"""The protocol of a student's folder: what the agent asks of an overlay or a plain folder.

A view's whole state is what the student made, plus the base: one commit, and for files whose
merge waits the entry they were last merged with.  The agent observes, plans and merges outside
the view; `apply` then re-checks that each file is still as observed before it touches it, so a
save that comes in between is never overwritten: that step is handed back and planned again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NewType, Protocol

from syncd.blobs import Snapshot
from syncd.core.entry import BlobId, Change, CommitId, Entry, Mode, RelPath

Stamp = NewType("Stamp", object)
"""A view's own token for "this very content of this path"; only equality means anything."""


@dataclass(frozen=True, slots=True)
class Mine:
    """A path that the student changed, as observed."""

    change: Change
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Take:
    """The new commit's entry shows at this path; what the student had there is given up.

    Where the new commit has nothing at the path, the path is gone.  `stamp` is None where the
    student had not changed the path.
    """

    path: RelPath
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class Write:
    """The student's file at this path gets a merged content (a new file: open handles keep the old).

    `stamp` is None where the student had not changed the path.
    """

    path: RelPath
    content: bytes
    mode: Mode
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class PutBeside:
    """A new file of the student's own with the content of a blob of the store; never replaces a file."""

    path: RelPath
    blob: BlobId
    mode: Mode


@dataclass(frozen=True, slots=True)
class MoveBeside:
    """What the student made at `path` (a file, or all of a folder) moves to `to`; the new commit takes `path`.

    `to` is beside it, or in the folder to which theirs was renamed; it never replaces a file.
    """

    path: RelPath
    to: RelPath
    stamps: Mapping[RelPath, Stamp]


@dataclass(frozen=True, slots=True)
class Wait:
    """The path stays as the student has it and keeps its old base until a later update."""

    path: RelPath
    base: Entry | None


@dataclass(frozen=True, slots=True)
class Hide:
    """The new commit's file at `path` does not show: the student has it as `known_as`."""

    path: RelPath
    known_as: RelPath


Step = Take | Write | PutBeside | MoveBeside | Wait | Hide


@dataclass(frozen=True, slots=True)
class Update:
    """What brings a view from its base to a new commit.

    Paths that no step names: the student's stay, all others show the new commit.
    """

    to: Snapshot
    steps: Sequence[Step]
    between: Mapping[RelPath, Change] | None = None
    """The difference of the base and the commit, where whoever made the update knows it already."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A version that is ready on the node, as all agents are told of it at once."""

    version: int
    """Counts what was posted of the course."""
    commit: CommitId
    manifest: Path
    blobs: Path
    ready_at: float
    """Seconds since the epoch, by the node's clock."""
    since: CommitId | None = None
    paths: Mapping[RelPath, str] | None = None
    """What it changes, since the commit `since`: `+` (new), `-` (gone) or `~`; None if that is not told."""


class Newest(Protocol):
    """Where a view finds the newest version."""

    @property
    def version(self) -> int:
        """How many were posted: a number that can be compared for every request."""
        ...

    def read(self) -> Posted | None:
        """The newest; None if there is none."""
        ...

    def settle(self, posted: Posted, by_itself: bool) -> None:
        """The view shows this version."""
        ...


class View(Protocol):
    """A student's folder of one course.  Not thread-safe but for `close`: one caller at a time."""

    root: Path
    """Where the student sees the folder."""

    kind: str
    """`overlay` or `plain`, for people."""

    @property
    def base(self) -> CommitId | None:
        """The commit this view shows; None before the first."""
        ...

    @property
    def waiting(self) -> Mapping[RelPath, Entry | None]:
        """The bases of files that are behind the view's commit because their merge waits."""
        ...

    def observe(self) -> Mapping[RelPath, Mine]:
        """All that the student changed against the base (against `waiting` for paths in it)."""
        ...

    def origins(self) -> Mapping[RelPath, RelPath]:
        """Files of the student's that are the course's under another name, as far as the view knows: new -> old."""
        ...

    def content(self, path: RelPath) -> bytes:
        """The student's bytes at a path (a link's target for a link).  FileNotFoundError if gone."""
        ...

    def names(self, folder: RelPath | None) -> frozenset[str]:
        """All names that the view shows in a folder (None: the top); empty if there is none."""
        ...

    def busy(self, paths: Collection[RelPath]) -> frozenset[RelPath]:
        """Those of the paths that are open for writing or were saved within the quiet time."""
        ...

    def apply(self, update: Update) -> Sequence[Step]:
        """Switch to the update's commit, atomically and crash-safe; return the steps refused.

        A step is refused when its path is no longer as its stamp says: the path then waits with its
        old base.  Killed at any point, the next start of the view finishes or undoes the whole.
        """
        ...

    def follow(self, newest: Newest | None, asked: Callable[[], None]) -> None:
        """Go over to new versions by itself, from now on; None: no longer.

        As soon as somebody looks, and if the version concerns nothing of the student's; else `asked` is called (from
        any thread), once for the version.  Whoever posts versions tells kernels.  A plain folder does nothing here.
        """
        ...

    def at_newest(self) -> bool:
        """Go over now, where that can be done at once; whether the newest version shows."""
        ...

    def still(self) -> AbstractContextManager[None]:
        """Within it, the view goes nowhere by itself: for whoever looks, plans and applies."""
        ...

    def nudge(self) -> None:
        """Tell programs that watch folders what changed while the view went over by itself."""
        ...

    def is_served(self) -> bool:
        """Whether the folder can be used: its mount is there and somebody answers.  Any thread; never touches it."""
        ...

    def close(self) -> None:
        """Unmount or let go; nothing of the student's is touched."""
        ...
