"""A folder's own entries by stat data, as sixteen bytes: equal means that nothing in it was touched.

Also a program, started by `syncd.folder.sweep` so that all cores look at once:
`fingerprint.py DEVICE INODE PATH` reads the names of folders below PATH from its input, zero bytes
between them, and writes their fingerprints in that order.  It imports next to nothing: it is started often.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from operator import attrgetter

TYPE_CHECKING = False  # as typing's, which costs as much as a thousand files
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIZE = 16
UNKNOWN = bytes(SIZE)
"""For a folder that can't be told (gone, unreadable, on another disk); equals no fingerprint."""

_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

_told_by = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")


def fingerprint(folder: int, device: int) -> bytes:
    """Of an open folder: names of its folders; names, kinds, sizes, times and inodes of all else in it."""
    folders, others = [], []
    try:
        if os.fstat(folder).st_dev != device:
            return UNKNOWN
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    others.append((entry.name, _told_by(entry.stat(follow_symlinks=False))))
    except OSError:
        return UNKNOWN
    folders.sort()
    # Version 2 has no references, which would depend on who else holds a name.
    return hashlib.blake2b(marshal.dumps((folders, others), 2), digest_size=SIZE, usedforsecurity=False).digest()


def fingerprints(top: int, device: int, folders: Iterable[str]) -> Iterator[bytes]:
    """Of many folders below an open one, quickest if they come sorted; links are never followed."""
    open_: list[tuple[str, int]] = []
    try:
        for folder in folders:
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
                yield UNKNOWN
            else:
                yield fingerprint(open_[-1][1] if open_ else top, device)
    finally:
        for _, fd in open_:
            os.close(fd)


def _main() -> int:
    device, inode = int(sys.argv[1]), int(sys.argv[2])
    top = os.open(sys.argv[3], os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    found = os.fstat(top)
    if (found.st_dev, found.st_ino) != (device, inode):
        return 1
    folders = os.fsdecode(sys.stdin.buffer.read()).split("\0")
    sys.stdout.buffer.write(b"".join(fingerprints(top, device, folders)))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
