"""The append-only log of a layer's records: one write() each, checksummed, folded at start.

A record is a line `CRC JSON`.  Three kinds: `do` (changes, already true), `try` (changes that become
true when the upper entry at a path is the inode named: written before a rename of real files), and
`tried` (whether the last `try` came true).  A `try` without `tried` is settled at the next start by
looking at the upper layer.  A torn last line was never acknowledged and is cut off.
"""

import contextlib
import errno
import json
import os
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from fuse_mount.layer import Change, Layer


class RecordLog:
    """The open log; the caller holds the layer's lock for every call."""

    def __init__(self, path: Path, real: Callable[[bytes], int]) -> None:
        """Fold the log (none: an empty layer) and compact it.  `real`: an upper path's inode number, 0 for none."""
        self.path = path
        self.layer = Layer()
        self._new = not path.exists()
        """Whether neither the log nor its name is on the disk yet: a layer that is lost whole was empty."""
        self._read(real)
        self._fd = self._compact()
        self._dirty = False
        self._flushing = threading.Lock()
        self._owed: bool | None = None

    def append(self, changes: Sequence[Change]) -> None:
        """Write changes down and fold them."""
        self._write(["do", changes])
        self.layer.fold(changes)

    def attempt(self, path: bytes, real: int, changes: Sequence[Change], act: Callable[[], None]) -> None:
        """Do something to real files whose success makes `path` the inode `real`, and the changes with it."""
        self._write(["try", os.fsdecode(path), real, changes])
        try:
            act()
        except OSError:
            self._owed = False
            raise
        # The deed is done: if the disk is full now, its outcome is written before the next record.
        self._owed = True
        self.layer.fold(changes)
        with contextlib.suppress(OSError):
            self._pay()

    def sync(self) -> None:
        """Make all records durable that are there now.  Any thread."""
        with self._flushing:
            if not self._dirty:
                return
            self._dirty = False  # what is appended from here on is for the next time
            try:
                os.fdatasync(self._fd)
                if self._new:
                    sync_folder(self.path.parent)
                    self._new = False
            except OSError:
                self._dirty = True
                raise

    def close(self) -> None:
        """Make it durable and let go."""
        self.sync()
        os.close(self._fd)

    def _pay(self) -> None:
        if self._owed is not None:
            self._put(["tried", self._owed])
            self._owed = None

    def _write(self, record: object) -> None:
        self._pay()
        self._put(record)

    def _put(self, record: object) -> None:
        line = _line(record)
        if os.write(self._fd, line) != len(line):
            # The disk is full: end the torn line here, so that it is skipped and the next one stands alone.
            os.write(self._fd, b"\n")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._dirty = True

    def _read(self, real: Callable[[bytes], int]) -> None:
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        if any(line and _record(line) is None for line in lines[:-1]):
            self.path.with_name(self.path.name + ".damaged").write_bytes(b"\n".join(lines))
        pending: tuple[str, int, list[Change]] | None = None
        for line in lines[:-1]:
            match _record(line):
                case ["do", list(changes)]:
                    self.layer.fold(tuple(change) for change in changes)
                case ["try", str(path), int(inode), list(changes)]:
                    pending = path, inode, [tuple(change) for change in changes]
                case ["tried", bool(came_true)]:
                    if pending and came_true:
                        self.layer.fold(pending[2])
                    pending = None
        if pending and real(os.fsencode(pending[0])) == pending[1]:
            self.layer.fold(pending[2])

    def _compact(self) -> int:
        aside = self.path.with_name(self.path.name + ".new")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        content = memoryview(_line(["do", self.layer.changes()]))
        while content:
            content = content[os.write(fd, content) :]
        if not self._new:
            os.fsync(fd)
        os.replace(aside, self.path)
        if not self._new:
            sync_folder(self.path.parent)
        return fd


def sync_folder(path: Path) -> None:
    """Make a folder's entries durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _line(record: object) -> bytes:
    body = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _record(line: bytes) -> object:
    """The record in a line; None if the line is damaged."""
    crc, _, body = line.partition(b" ")
    try:
        return json.loads(body) if int(crc, 16) == zlib.crc32(body) else None
    except ValueError:
        return None
