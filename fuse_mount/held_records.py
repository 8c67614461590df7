"""The records of what is held (see `held`): what they say of a folder or a file, and their layout.

Each has a head of one form, and a tail that depends on its kind.  All of it is of this machine, and of one boot.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fuse_mount.inode import File, Folder
from fuse_mount.lower import LowerStat

FOLDER, FILE, COUNT, DROP, MOVE, EXCHANGE, OPENED = range(1, 8)
_HEAD = struct.Struct("<BBHQQ")  # kind, flags, length of the tail, number, the folder's number above it
_GONE, _IS_LOWER = 1, 2
_COUNTS = struct.Struct("<IIIIiQ")  # opens, writers, shared, kind of I/O, registration, number shown
_LOWER = struct.Struct("<IQqiiQBQ")  # mode, size, mtime, uid, gid, rdev, is blob, the version's length; version, name
_REAL = struct.Struct("<Q")  # the upper file's inode number; then its name


@dataclass(slots=True)
class HeldFolder:
    """A folder that the kernel may ask for by number."""

    parent: int
    name: bytes
    gone: bool


@dataclass(slots=True)
class HeldFile:
    """A file that somebody has open."""

    parent: int
    name: bytes
    gone: bool
    low: LowerStat | None
    real: int
    opens: int = 0
    writers: int = 0
    shared: int = 0
    io: int = 0
    backing: int = 0
    number: int = 0


class Record(NamedTuple):
    """One of the log."""

    at: int
    kind: int
    flags: int
    ino: int
    parent: int
    tail: bytes


def folder(node: Folder) -> bytes:
    """Where a folder is."""
    above = node.parent.ino if node.parent is not None else 0
    return _HEAD.pack(FOLDER, _GONE if node.gone else 0, len(node.name), node.ino, above) + node.name


def file(node: File) -> bytes:
    """What an open file is, and where."""
    low, flags = node.low, _GONE if node.gone else 0
    tail = _COUNTS.pack(node.opens, node.writers, node.shared, node.io, node.backing, node.number)
    if low is None:
        tail += _REAL.pack(node.real) + node.name
    else:
        flags |= _IS_LOWER
        tail += _LOWER.pack(low.mode, low.size, low.mtime_ns, low.uid, low.gid, low.rdev, low.is_blob, len(low.version))
        tail += low.version + node.name
    return _HEAD.pack(FILE, flags, len(tail), node.ino, node.parent.ino) + tail


def count(node: File) -> bytes:
    """How a known file is open now."""
    tail = _COUNTS.pack(node.opens, node.writers, node.shared, node.io, node.backing, node.number)
    return _HEAD.pack(COUNT, 0, len(tail), node.ino, 0) + tail


def drop(ino: int) -> bytes:
    """A number that nobody asks for any more."""
    return _HEAD.pack(DROP, 0, 0, ino, 0)


def move(ino: int, to: Folder, name: bytes) -> bytes:
    """Where a node may be from now on."""
    return _HEAD.pack(MOVE, 0, len(name), ino, to.ino) + name


def exchange(real: int, to: Folder, name: bytes) -> bytes:
    """The second entry's place, and the first one's real inode number."""
    return _HEAD.pack(EXCHANGE, 0, _REAL.size + len(name), to.ino, 0) + _REAL.pack(real) + name


def opened(ino: int) -> bytes:
    """A file that the request under way has opened."""
    return _HEAD.pack(OPENED, 0, 0, ino, 0)


def read(log: mmap.mmap, begin: int, end: int) -> Iterator[Record]:
    """The records from one place of a log to another."""
    at = begin
    while at < end:
        kind, flags, length, ino, parent = _HEAD.unpack_from(log, at)
        tail_at = at + _HEAD.size
        yield Record(at, kind, flags, ino, parent, log[tail_at : tail_at + length])
        at = tail_at + length


def folder_of(record: Record) -> HeldFolder:
    """What a record says of a folder."""
    return HeldFolder(record.parent, record.tail, bool(record.flags & _GONE))


def file_of(record: Record) -> HeldFile:
    """What a record says of a file."""
    gone, tail = bool(record.flags & _GONE), record.tail
    counts, rest = _COUNTS.unpack_from(tail), tail[_COUNTS.size :]
    if not record.flags & _IS_LOWER:
        (real,) = _REAL.unpack_from(rest)
        return HeldFile(record.parent, rest[_REAL.size :], gone, None, real, *counts)
    mode, size, mtime_ns, uid, gid, rdev, is_blob, length = _LOWER.unpack_from(rest)
    rest = rest[_LOWER.size :]
    low = LowerStat(mode, size, mtime_ns, rest[:length], uid, gid, rdev, bool(is_blob))
    return HeldFile(record.parent, rest[length:], gone, low, 0, *counts)


def count_again(known: HeldFile, record: Record) -> None:
    """Put into a file what a record says of how it is open."""
    known.opens, known.writers, known.shared, known.io, known.backing, known.number = _COUNTS.unpack(record.tail)


def exchange_of(record: Record) -> tuple[int, bytes, int]:
    """What a record says of an exchange: the second entry's folder and name, the first one's real inode number."""
    (real,) = _REAL.unpack_from(record.tail)
    return record.ino, record.tail[_REAL.size :], real
