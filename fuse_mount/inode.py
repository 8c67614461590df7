"""An inode that somebody holds: a folder or a file of the view, its names, and what stat(2) tells of it."""

import errno
import os
from typing import NamedTuple

from fuse_mount.lower import LowerRef, LowerStat


class Folder:
    """A folder that somebody holds.  Keeps its number through everything but its removal."""

    __slots__ = (
        "_path",
        "children",
        "epoch",
        "gone",
        "ino",
        "listed_in",
        "listing",
        "lookups",
        "lower",
        "name",
        "parent",
        "restored",
        "upper",
    )

    def __init__(self, ino: int, parent: "Folder | None", name: bytes, upper: bool) -> None:
        """A new one, held by nobody yet."""
        self.ino = ino
        self.parent = parent
        self.name = name
        self.upper = upper
        """Whether the upper has this folder too."""
        self.lookups = 0
        self.children: dict[bytes, Node] = {}
        """Nodes by name, as far as somebody holds them."""
        self.lower: LowerRef | None = None
        self.epoch = -1
        """The overlay's epoch in which `lower` was found."""
        self.listing: list[Name] | None = None
        self.listed_in = -1
        """The overlay's epoch in which `listing` was made: in another one its references mean nothing."""
        self.gone = False
        self.restored = False
        """Whether it was made from what a predecessor left.  How often the kernel looked it up then is not known, and
        what it forgets may be an older inode of the same number; so it stays in the table as long as we do."""
        self._path: bytes | None = None

    def path(self) -> bytes:
        """Where it is now."""
        if self._path is None:
            # From the top down, and without recursion: folders may lie a thousand deep.
            unknown: list[Folder] = []
            above: Folder | None = self
            while above is not None and above._path is None:
                unknown.append(above)
                above = above.parent
            for each in reversed(unknown):
                each._path = each.parent.path_of(each.name) if each.parent is not None else b""
            assert self._path is not None
        return self._path

    def move(self, parent: "Folder", name: bytes) -> None:
        """It has another name from now on."""
        self.parent, self.name = parent, name
        self._forget_path()

    def _forget_path(self) -> None:
        todo = [self]
        while todo:
            each = todo.pop()
            each._path = None
            todo.extend(child for child in each.children.values() if isinstance(child, Folder))

    def path_of(self, name: bytes) -> bytes:
        """The path of an entry."""
        return self.path() + b"/" + name if self.parent is not None else name


class File:
    """Anything but a folder, lower or upper."""

    __slots__ = (
        "aliases",
        "backing",
        "became",
        "fd",
        "gone",
        "ino",
        "io",
        "last",
        "lookups",
        "low",
        "name",
        "number",
        "opens",
        "orphan",
        "parent",
        "real",
        "replaced",
        "restored",
        "shared",
        "writers",
    )

    def __init__(
        self, ino: int, parent: Folder, name: bytes, low: LowerStat | None, real: int, number: int = 0
    ) -> None:
        """A new one, held by nobody yet."""
        self.ino = ino
        self.number = number or ino
        """What stat(2) shows; `ino` differs from it once another process has served the mount."""
        self.parent = parent
        self.name = name
        self.aliases: list[tuple[Folder, bytes]] | None = None
        """Further names by which somebody found it."""
        self.low = low
        """The lower file it is; None once it is upper."""
        self.real = real
        """The upper file's inode number; 0 while it is lower."""
        self.lookups = 0
        self.restored = False
        self.opens = 0
        self.writers = 0
        self.fd = -1
        self.io = 0
        """How its open handles do I/O; the engine's own, 0 while there are none."""
        self.shared = 0
        """Open handles through which it can be mapped and changed without the mount's knowledge."""
        self.backing = 0
        """The engine's registration of the file behind it; 0: none."""
        self.became: File | None = None
        """The upper file that took its name when its attributes were changed while its handles could not change."""
        self.gone = False
        """Whether no name leads to it any more."""
        self.replaced = False
        """Whether an update gave its name to another file.  Until the kernel has heard of it, people still come here by
        that name, and must be sent to the other one: what they write here would be lost."""
        self.orphan = False
        """Whether a hidden link keeps the content of a file that is gone, for a successor."""
        self.last: os.stat_result | None = None
        """What a file that is gone and not open looked like."""

    def path(self) -> bytes:
        """Where it is now; OSError(ESTALE) if it has no name."""
        if self.gone:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return self.parent.path_of(self.name)


Node = Folder | File

Name = tuple[int, bytes, LowerRef | None]
"""A name in a listing: its offset, and where the lower has it, if it is the lower's."""


class Attr(NamedTuple):
    """What stat(2) tells."""

    ino: int
    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    blocks: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    blksize: int = 4096
