"""Git's id of a file's content, read in pieces; a file that changes meanwhile is told apart."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from syncd.core.entry import BlobId, Entry, Mode, RelPath
from syncd.core.errors import TryAgain
from syncd.folder.root import Root
from syncd.folder.scan import Seen, mode_of, stat_id

_PIECE = 1 << 20


class Unsettled(TryAgain):
    """A file was written while it was read; what was read may be half of it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"“{path}” is still being written; it follows as soon as it is complete.")
        self.path = RelPath(path)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file as it was at one moment: its identity, and the id of its content."""

    seen: Seen
    entry: Entry


def blob_id(content: bytes) -> BlobId:
    """Git's id of these bytes as a blob."""
    head = b"blob %d\0" % len(content)
    return BlobId(hashlib.sha1(head + content, usedforsecurity=False).hexdigest())


def stream_id(source: BinaryIO, size: int) -> BlobId:
    """Git's id of a stream of this size.  ValueError if it has another size."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    left = size
    while piece := source.read(_PIECE):
        left -= len(piece)
        if left < 0:
            break
        digest.update(piece)
    if left:
        raise ValueError("the size changed while it was read")
    return BlobId(digest.hexdigest())


@contextmanager
def reading(root: Root, path: RelPath) -> Iterator[tuple[Seen, BinaryIO]]:
    """A file's (or link target's) bytes, and what it was when reading began.

    Unsettled at the end if it is no longer the same.  FileNotFoundError if it is gone, InTheWay
    if it is no file or link.
    """
    with root.above(path) as (folder, name):
        before = folder.lstat(name)
        mode = mode_of(before)
        if mode is Mode.SYMLINK:
            target = folder.readlink(name)
            if stat_id(folder.lstat(name)) != stat_id(before):
                raise Unsettled(path)
            yield Seen(path, mode, stat_id(before)), BytesIO(target)
            return
        with os.fdopen(folder.open(name), "rb") as source:
            number = source.fileno()
            before = os.fstat(number)
            mode = mode_of(before)
            assert mode is not None, "Dir.open hands out regular files only"
            yield Seen(path, mode, stat_id(before)), source
            if stat_id(os.fstat(number)) != stat_id(before):
                raise Unsettled(path)
        try:
            after = folder.lstat(name)
        except FileNotFoundError as problem:
            raise Unsettled(path) from problem
        # An editor that saves by renaming has left us reading the old file.
        if stat_id(after) != stat_id(before):
            raise Unsettled(path)


def hash_file(root: Root, path: RelPath, keep: Callable[[BinaryIO], BlobId] | None = None) -> Hashed:
    """The file at a path, hashed; `keep` may store the content while it is read, and gives its id."""
    with reading(root, path) as (seen, source):
        try:
            blob = keep(source) if keep else stream_id(source, seen.stat.size)
        except ValueError as problem:
            raise Unsettled(path) from problem
    return Hashed(seen, Entry(blob, seen.mode))
