"""What lies below a student's layer: a commit's manifest over blobs; see `lower_folder` for a plain folder."""

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from syncd.blobs import Snapshot
from syncd.core.entry import BlobId
from syncd.manifest import FOLDER

_READ = os.O_RDONLY | os.O_CLOEXEC


class LowerStat(NamedTuple):
    """A lower entry as it is now.  `version` names this very content and is enough to open it."""

    mode: int
    size: int
    mtime_ns: int
    version: bytes
    uid: int = -1
    gid: int = -1
    """-1: the view's owner."""
    rdev: int = 0
    is_blob: bool = True
    """Whether `version` is a blob's id (or git's id of a tree)."""


LowerRef = int | bytes
"""A lower tree's own name for an entry: an index of a manifest, or a path."""


class Lower(Protocol):
    """A read-only tree.  References are the tree's own, valid as long as the tree."""

    def top(self) -> LowerRef:
        """The top folder."""
        ...

    def child(self, folder: LowerRef, name: bytes) -> LowerRef | None:
        """A folder's child; None if there is none of that name, or `folder` is none."""
        ...

    def children(self, folder: LowerRef) -> Iterator[tuple[bytes, LowerRef]]:
        """All children of a folder."""
        ...

    def name(self, ref: LowerRef) -> bytes:
        """The last name of a reference."""
        ...

    def stat(self, ref: LowerRef) -> LowerStat:
        """What is at a reference."""
        ...

    def open(self, version: bytes) -> int:
        """A read-only descriptor of a file's content."""
        ...

    def target(self, version: bytes) -> bytes:
        """A symbolic link's target."""
        ...


class SnapshotLower:
    """A commit that is ready on this node.  Nothing of it is copied into this process."""

    def __init__(self, snapshot: Snapshot, mask: int) -> None:
        """`mask`: the permission bits that lower files and folders lack."""
        self.snapshot = snapshot
        self._manifest = snapshot.manifest
        self._folder_mode = stat.S_IFDIR | 0o777 & ~mask
        self._modes = {
            0o100644: stat.S_IFREG | 0o666 & ~mask,
            0o100755: stat.S_IFREG | 0o777 & ~mask,
            0o120000: stat.S_IFLNK | 0o777,
        }

    def top(self) -> int:
        """Index 0."""
        return 0

    def child(self, folder: LowerRef, name: bytes) -> int | None:
        """By binary search."""
        assert isinstance(folder, int)
        return self._manifest.child(folder, name)

    def children(self, folder: LowerRef) -> Iterator[tuple[bytes, int]]:
        """In the order of names."""
        assert isinstance(folder, int)
        name = self._manifest.name
        for index in self._manifest.children(folder):
            yield name(index), index

    def name(self, ref: LowerRef) -> bytes:
        """From the manifest's names."""
        assert isinstance(ref, int)
        return self._manifest.name(ref)

    def stat(self, ref: LowerRef) -> LowerStat:
        """From the manifest's record."""
        assert isinstance(ref, int)
        record = self._manifest.record(ref)
        if record.mode == FOLDER:
            return LowerStat(self._folder_mode, 0, record.mtime_ns or self._manifest.time_ns, record.id)
        return LowerStat(self._modes[record.mode], record.size, record.mtime_ns, record.id)

    def open(self, version: bytes) -> int:
        """The blob itself."""
        return os.open(self._blob(version), _READ)

    def target(self, version: bytes) -> bytes:
        """A link's blob holds its target."""
        with open(self._blob(version), "rb") as source:
            return source.read()

    def _blob(self, version: bytes) -> str:
        return os.fspath(self.snapshot.blobs.path(BlobId(version.hex())))


class EmptyLower:
    """Nothing at all."""

    def top(self) -> int:
        """The only reference."""
        return 0

    def child(self, folder: LowerRef, name: bytes) -> None:
        """None."""
        return

    def children(self, folder: LowerRef) -> Iterator[tuple[bytes, int]]:
        """None."""
        return iter(())

    def name(self, ref: LowerRef) -> bytes:
        """The top's."""
        return b""

    def stat(self, ref: LowerRef) -> LowerStat:
        """An empty folder."""
        return LowerStat(stat.S_IFDIR | 0o755, 0, 0, b"")

    def open(self, version: bytes) -> int:
        """Never there."""
        raise FileNotFoundError(2, "nothing is there")

    def target(self, version: bytes) -> bytes:
        """Never there."""
        raise FileNotFoundError(2, "nothing is there")
