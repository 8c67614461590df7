"""A folder's own entries by stat data, as sixteen bytes: equal means that nothing in it was touched.

Who knows the names from the last time need not list the folder again, where its own times tell that no
name came or went: POSIX wants them marked by every such change, and nobody can set a change time.  They
are trusted on a disk of this machine only, and with a clock that is finer than FAT's.

Also a program, started by `syncd.folder.sweep` so that all cores look at once: `fingerprint.py DEVICE INODE PATH`
reads a marshalled list of folders below PATH, each with such names, and writes their fingerprints in
that order.  It imports next to nothing: it is started often.
"""

from __future__ import annotations

import marshal
import os
import struct
import sys
from operator import attrgetter

try:
    from _blake2 import blake2b  # hashlib would load OpenSSL as well
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False  # as typing's, which costs as much as a thousand files
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIZE = 16
UNKNOWN = bytes(SIZE)
"""For a folder that can't be told (gone, unreadable, on another disk); equals no fingerprint."""

_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

_told_by = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")


def fingerprint(folder: int, device: int, known: bytes = b"") -> tuple[bytes, bytes]:
    """Of an open folder, and the names in it as `known` takes them: of its folders, and of all else.

    Kinds, sizes, times and inodes count of what is no folder.
    """
    told: list[int] = []
    try:
        found = os.fstat(folder)
        if found.st_dev != device:
            return UNKNOWN, b""
        own = _own(found)
        names = known if own and known else b""
        if names:
            for name in _others(names):
                told += _told_by(os.lstat(name, dir_fd=folder))
        else:
            names = _listed(folder, told)
    except OSError:
        return UNKNOWN, b""
    numbers = [*own, *told]
    try:
        data = struct.pack(f"{len(numbers) + 1}q", len(numbers), *numbers)
    except struct.error:  # inodes of some network file systems use all 64 bits
        data = marshal.dumps(numbers, 2)
    return blake2b(data + names, digest_size=SIZE).digest(), names


def _own(found: os.stat_result) -> tuple[int, ...]:
    """What tells of a folder that its names are the same; nothing where that is not to be relied on."""
    of_this_machine = sys.platform == "linux" and os.major(found.st_dev) != 0
    if of_this_machine and found.st_ctime_ns % 1_000_000:
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino
    return ()


def _listed(folder: int, told: list[int]) -> bytes:
    folders, others = [""], [""]
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                others.append(entry.name)
                told += _told_by(entry.stat(follow_symlinks=False))
    return os.fsencode("\0".join(sorted(folders)) + "//" + "\0".join(others))


def _others(names: bytes) -> list[bytes]:
    return names.partition(b"//")[2].split(b"\0")[1:]


def fingerprints(top: int, device: int, folders: Iterable[tuple[str, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Of many folders below an open one, each with what is known; quickest if they come sorted.

    Links are never followed.
    """
    open_: list[tuple[str, int]] = []
    try:
        for folder, known in folders:
            names = folder.split("/") if folder else []
            same = 0
            while same < min(len(names), len(open_)) and open_[same][0] == names[same]:
                same += 1
            while len(open_) > same:
                os.close(open_.pop()[1])
            try:
                for name in names[same:]:
                    above = open_[-1][1] if open_ else top
                    open_.append((name, os.open(name, os.O_RDONLY | _FOLDER, dir_fd=above)))
            except OSError:
                yield UNKNOWN, b""
            else:
                yield fingerprint(open_[-1][1] if open_ else top, device, known)
    finally:
        for _, fd in open_:
            os.close(fd)


def _main() -> int:
    device, inode = int(sys.argv[1]), int(sys.argv[2])
    top = os.open(sys.argv[3], os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    found = os.fstat(top)
    if (found.st_dev, found.st_ino) != (device, inode):
        return 1
    folders = marshal.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(b"".join([mark for mark, _ in fingerprints(top, device, folders)]))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
