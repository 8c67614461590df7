"""What a tree is made of: paths, blobs, modes, and what changed between two trees."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

RelPath = NewType("RelPath", str)
"""A file's path below the folder: names joined by '/', none of them empty, '.' or '..'.

Bytes that are not UTF-8 stand as surrogate escapes, as in `os.fsdecode`.
"""

BlobId = NewType("BlobId", str)
"""Forty hex digits: git's SHA-1 of a blob's content."""

CommitId = NewType("CommitId", str)
"""Forty hex digits: git's name of a commit."""


class Mode(IntEnum):
    """The three kinds of file that git keeps and that we show."""

    FILE = 0o100644
    EXECUTABLE = 0o100755
    SYMLINK = 0o120000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a tree: its content by id, and its kind."""

    blob: BlobId
    mode: Mode

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link (its blob holds the target)."""
        return self.mode is Mode.SYMLINK


Tree = Mapping[RelPath, Entry]
"""A whole tree, flat; folders exist only through the files in them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path on one side: what it was at the base, and what it is now (None: nothing)."""

    base: Entry | None
    now: Entry | None


Changes = Mapping[RelPath, Change]
"""The paths whose entry differs from the base; every other path is as it was."""


def changes_between(base: Tree, now: Tree) -> dict[RelPath, Change]:
    """The changes that lead from one tree to another."""
    out = {p: Change(e, now.get(p)) for p, e in base.items() if now.get(p) != e}
    out.update({p: Change(None, e) for p, e in now.items() if p not in base})
    return out


def parents(path: RelPath) -> list[RelPath]:
    """The folders above a path, outermost first: `a/b/c` gives `a`, `a/b`."""
    names = path.split("/")
    return [RelPath("/".join(names[:n])) for n in range(1, len(names))]


def inside(path: RelPath, folder: RelPath) -> bool:
    """Whether a path lies below a folder (a folder is not inside itself)."""
    return path.startswith(folder + "/")
