"""New contents lie ready in a hidden folder of the synced one before the first of them shows.

So a full disk is met before anything changed, and the switch itself is renames only.
"""

import ctypes
import os
import shutil
import sys
from fcntl import ioctl
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from syncd.core.entry import Mode
from syncd.core.ignore import ASIDE
from syncd.folder.root import Root
from syncd.folder.scan import StatId, stat_id

FOLDER = ASIDE + "staged"
_REFLINK = 0x40049409  # FICLONE, <linux/fs.h>
_FEW = 8
"""Up to so many files are made durable one by one; more, by one call for the whole file system."""


class Staging:
    """The hidden folder.  `clear` it when the update is over."""

    def __init__(self, root: Root) -> None:
        """Open it, making it where missing."""
        self._root = root
        self._count = 0
        self.made: dict[str, StatId] = {}
        """What each staged file is; a rename changes no more than its ctime."""

    def put(self, source: bytes | Path, mode: Mode, permissions: int | None, mtime_ns: int | None) -> str:
        """Stage a content (bytes, or a file to be copied; a link's target) and return its name here.

        `permissions` are those it shall have (None: as the person's umask says).
        """
        name = str(self._count)
        self._count += 1
        with self._root.folder(FOLDER, create=True) as folder:
            if mode is Mode.SYMLINK:
                folder.symlink(source if isinstance(source, bytes) else source.read_bytes(), name)
                return name
            number = folder.create(name, 0o777 if mode is Mode.EXECUTABLE else 0o666)
            with os.fdopen(number, "wb") as out:
                if isinstance(source, bytes):
                    out.write(source)
                    out.flush()
                else:
                    _copy(source, out)
                    out.flush()
                if permissions is not None:
                    os.fchmod(number, permissions)
                if mtime_ns is not None:
                    os.utime(number, ns=(mtime_ns, mtime_ns))
                self.made[name] = stat_id(os.fstat(number))
        return name

    def sync(self) -> None:
        """Make all that is staged durable."""
        if not self._count:
            return
        if self._count > _FEW and _sync_all(self._root.path):
            return
        with self._root.folder(FOLDER) as folder:
            with folder.entries() as entries:
                names = [entry.name for entry in entries if not entry.is_symlink()]
            for name in names:
                number = folder.open(name)
                try:
                    os.fsync(number)
                finally:
                    os.close(number)
            folder.sync()

    def clear(self) -> None:
        """Remove it, with what is left in it."""
        self._count = 0
        try:
            with self._root.folder(FOLDER) as folder:
                with folder.entries() as entries:
                    names = [entry.name for entry in entries]
                for name in names:
                    folder.unlink(name)
            with self._root.folder("") as top:
                top.rmdir(FOLDER)
        except FileNotFoundError:
            return


def _copy(source: Path, out: BinaryIO) -> None:
    with open(source, "rb") as blob:
        try:
            ioctl(out.fileno(), _REFLINK, blob.fileno())
        except OSError:
            shutil.copyfileobj(blob, out, 1 << 20)


@cache
def _syncfs() -> Any:
    return getattr(ctypes.CDLL(None), "syncfs", None) if sys.platform.startswith("linux") else None


def _sync_all(folder: Path) -> bool:
    call = _syncfs()
    if call is None:
        return False
    number = os.open(folder, os.O_RDONLY)
    try:
        return bool(call(number) == 0)
    finally:
        os.close(number)
