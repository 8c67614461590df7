r"""A few new objects, each as a file of its own, and the branch that names them, made durable together.

Format: git's Documentation/gitformat-loose (a zlib stream of "kind size\\0content").  libgit2 flushes
the file and its folder for each object in turn, so that one save waits for the disk a dozen times; asked for
together, the flushes become two or three.

Whatever is cut off in between: no object has its name before its content is on disk, and no branch names an
object before that has its name on disk.
"""

import hashlib
import os
import secrets
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO, Self

from syncd.git.pack import head_of

_AT_ONCE = 8
_LEVEL = 1
_PIECE = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

# To make a thread takes longer than most flushes: they are made when first needed, and stay.
_flushers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="flush")


def write(repository: Path, objects: Iterable[tuple[str, int, bytes]], ref: tuple[str, str] | None = None) -> None:
    """Store objects (id, kind, content), durably; one that is there already stays as it is.

    Then let a ref (name, id) point at one of them, durably as well; it must be there, as a file of its own.
    """
    top = os.path.join(repository, "objects")
    places: list[str] = []
    with _Aside() as aside:
        for oid, kind, content in objects:
            place = os.path.join(top, oid[:2], oid[2:])
            if os.path.exists(place):
                continue
            # The name that libgit2 gives to such files: what a crash leaves is removed at the next start.
            name = os.path.join(top, f"tmp_object_git2_{secrets.token_hex(8)}")
            aside.write(name, place, 0o444, zlib.compress(head_of(kind, len(content)) + content, _LEVEL))
            places.append(place)
        if ref is not None:
            branch = os.path.join(repository, ref[0])
            aside.write(f"{branch}.lock", branch, 0o666, f"{ref[1]}\n".encode())  # git's own lock of a ref
        aside.flush()
        folders: set[str] = set()
        for place in places:
            folder = os.path.dirname(place)
            if not os.path.isdir(folder):
                os.makedirs(folder, exist_ok=True)
                folders.add(top)
            aside.put(place)
            folders.add(folder)
        _flush_folders(folders)
        if ref is not None:
            aside.put(branch)
            _flush_folders({os.path.dirname(branch)})


class _Aside:
    """Files that are written, and made durable, before they get their names; those that got none are removed."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._opened: list[int] = []

    def write(self, name: str, place: str, rights: int, content: bytes) -> None:
        """Write what is to come to a place; FileExistsError if the name is taken."""
        self._opened.append(os.open(name, _NEW, rights))
        self._names[place] = name
        while content:
            content = content[os.write(self._opened[-1], content) :]

    def flush(self) -> None:
        """Make all durable."""
        _flush(self._opened)
        self._close()

    def put(self, place: str) -> None:
        """Give a file its name."""
        os.replace(self._names[place], place)
        del self._names[place]

    def _close(self) -> None:
        while self._opened:
            os.close(self._opened.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        for name in self._names.values():
            os.unlink(name)


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
        with open(os.open(aside, _NEW, 0o444), "wb") as file:
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
    _flush_folders(map(str, folders))
    return oid


def _flush(opened: list[int]) -> None:
    if not opened:
        return
    others = [_flushers.submit(os.fsync, fd) for fd in opened[1:]]
    try:
        os.fsync(opened[0])
    finally:
        wait(others)
    for each in others:
        each.result()


def _flush_folders(paths: Iterable[str]) -> None:
    if os.name == "nt":
        return
    opened: list[int] = []
    try:
        for path in paths:
            opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        _flush(opened)
    finally:
        for fd in opened:
            os.close(fd)
