r"""A few new objects, each as a file of its own, made durable together.

Format: git's Documentation/gitformat-loose (a zlib stream of "kind size\\0content").  libgit2 flushes
the file and its folder for each object in turn, so that one save waits for the disk a dozen times; asked for
together, the flushes become one or two.  No object has its name before its content is on disk.
"""

import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from syncd.git.pack import head_of

_AT_ONCE = 8
_LEVEL = 1
_PIECE = 1 << 20


def write(repository: Path, objects: Iterable[tuple[str, int, bytes]]) -> None:
    """Store objects (id, kind, content) that are not there yet, durably."""
    top = repository / "objects"
    written: list[tuple[Path, Path]] = []
    try:
        for oid, kind, content in objects:
            # The name that libgit2 gives to such files: what a crash leaves is removed at the next start.
            aside = top / f"tmp_object_git2_{secrets.token_hex(8)}"
            written.append((aside, top / oid[:2] / oid[2:]))
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:
                file.write(zlib.compress(head_of(kind, len(content)) + content, _LEVEL))
        _flush([aside for aside, _ in written], os.O_RDONLY)
        folders = set()
        for aside, final in written:
            if not final.parent.exists():
                final.parent.mkdir()
                folders.add(top)
            os.replace(aside, final)
            folders.add(final.parent)
    finally:
        for aside, _ in written:
            aside.unlink(missing_ok=True)
    if os.name != "nt":
        _flush(sorted(folders), os.O_RDONLY)


def write_stream(repository: Path, kind: int, source: BinaryIO) -> str:
    """Store one large object from the beginning of a seekable stream, durably, piece by piece; its id.

    Other threads go on meanwhile: libgit2, called for this, would keep them all waiting for seconds.
    ValueError if the stream ends before the size that it had at first.
    """
    left = source.seek(0, os.SEEK_END)
    source.seek(0)
    aside = repository / "objects" / f"tmp_object_git2_{secrets.token_hex(8)}"
    digest, packer = hashlib.sha1(usedforsecurity=False), zlib.compressobj(_LEVEL)
    piece = head_of(kind, left)
    try:
        with open(
            os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o444), "wb"
        ) as file:
            while True:
                digest.update(piece)
                file.write(packer.compress(piece))
                if not left:
                    break
                piece = source.read(min(left, _PIECE))
                if not piece:
                    raise ValueError("the size changed while it was read")
                left -= len(piece)
            file.write(packer.flush())
            file.flush()
            os.fsync(file.fileno())
        oid = digest.hexdigest()
        final = repository / "objects" / oid[:2] / oid[2:]
        folders = [final.parent] if final.parent.exists() else [final.parent, final.parent.parent]
        final.parent.mkdir(exist_ok=True)
        os.replace(aside, final)
    finally:
        aside.unlink(missing_ok=True)
    if os.name != "nt":
        _flush(folders, os.O_RDONLY)
    return oid


def _flush(paths: list[Path], flags: int) -> None:
    def one(path: Path) -> None:
        fd = os.open(path, flags if os.name != "nt" else os.O_RDWR)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    _each(one, paths)


def _each(work: Callable[[Path], None], paths: list[Path]) -> None:
    if len(paths) == 1:
        work(paths[0])
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(paths)), thread_name_prefix="flush") as pool:
        list(pool.map(work, paths))
