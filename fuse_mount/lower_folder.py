"""A plain folder as the lower tree: what the helper mounts over, so that any test-suite can be run on an overlay."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from fuse_mount.beneath import Beneath
from fuse_mount.lower import LowerStat


class FolderLower:
    """References and versions are paths: the folder must not change while it is below an overlay."""

    def __init__(self, root: Path) -> None:
        """OSError if it is not a folder."""
        self._beneath = Beneath(root)

    def top(self) -> bytes:
        """The empty path."""
        return b""

    def child(self, folder: int | bytes, name: bytes) -> bytes | None:
        """By lstat."""
        assert isinstance(folder, bytes)
        path = folder + b"/" + name if folder else name
        return path if self._beneath.stat(path) is not None else None

    def children(self, folder: int | bytes) -> Iterator[tuple[bytes, bytes]]:
        """In no order."""
        assert isinstance(folder, bytes)
        found = self._beneath.stat(folder)
        if found is None or not stat.S_ISDIR(found.st_mode):
            return
        for name, _ in self._beneath.names(folder):
            yield name, folder + b"/" + name if folder else name

    def name(self, ref: int | bytes) -> bytes:
        """The path's last part."""
        assert isinstance(ref, bytes)
        return ref.rpartition(b"/")[2]

    def stat(self, ref: int | bytes) -> LowerStat:
        """By lstat."""
        assert isinstance(ref, bytes)
        found = self._beneath.stat(ref)
        if found is None:
            raise FileNotFoundError(2, os.strerror(2))
        return LowerStat(
            found.st_mode, found.st_size, found.st_mtime_ns, ref, found.st_uid, found.st_gid, found.st_rdev, False
        )

    def open(self, version: bytes) -> int:
        """The file itself."""
        return self._beneath.open(version, os.O_RDONLY)

    def target(self, version: bytes) -> bytes:
        """By readlink."""
        return self._beneath.target(version)
