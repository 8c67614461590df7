r"""A few new objects, each as a file of its own, made durable together.

Format: git's Documentation/gitformat-loose (a zlib stream of "kind size\\0content").  libgit2 flushes
the file and its folder for each object in turn, so that one save waits for the disk a dozen times; asked for
together, the flushes become one or two.  No object has its name before its content is on disk.
"""

import os
import secrets
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from syncd.git.pack import head_of

_AT_ONCE = 8
_LEVEL = 1


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
