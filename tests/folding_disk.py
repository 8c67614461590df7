"""A disk that takes names for one by case and by Unicode form, and keeps how they were written, as macOS' does.

As a program: `folding_disk.py FOLDER MOUNTPOINT case|form|both` serves a folder so until it is unmounted.
"""

import errno
import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mfusepy


@contextmanager
def folding_disk(place: Path, kind: str) -> Iterator[Path]:
    """Mounted at `place / "disk"`."""
    below, at = place / "below", place / "disk"
    below.mkdir()
    at.mkdir()
    serving = subprocess.Popen([sys.executable, __file__, str(below), str(at), kind], stderr=subprocess.PIPE)
    try:
        for _ in range(500):
            if os.path.ismount(at):
                break
            assert serving.poll() is None, serving.communicate()
            time.sleep(0.02)
        yield at
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(at)], check=False)
        serving.terminate()
        serving.communicate(timeout=10)


class _Disk(mfusepy.Operations):  # type: ignore[misc]
    use_ns = True

    def __init__(self, below: str, kind: str) -> None:
        self._below, self._kind = below, kind

    def init_with_config(self, conn_info: object, config: Any) -> None:
        if config is not None:
            config.use_ino = config.hard_remove = 1
            config.entry_timeout = config.attr_timeout = config.negative_timeout = 0.0

    def _folded(self, name: str) -> str:
        if self._kind in ("case", "both"):
            name = name.casefold()
        return unicodedata.normalize("NFC", name) if self._kind in ("form", "both") else name

    def _real(self, path: str) -> str:
        at = self._below
        for name in path.strip("/").split("/"):
            if not name:
                continue
            try:
                names = os.listdir(at)
            except (FileNotFoundError, NotADirectoryError):
                names = []
            found = [each for each in names if self._folded(each) == self._folded(name)]
            at = f"{at}/{found[0] if found and name not in names else name}"
        return at

    def _new(self, path: str) -> str:
        above, _, name = path.rpartition("/")
        return f"{self._real(above)}/{name}"

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        found = os.fstat(fh) if fh else os.lstat(self._real(path))
        names = ("mode", "ino", "nlink", "uid", "gid", "size", "atime", "mtime", "ctime")
        times = {f"st_{each}": getattr(found, f"st_{each}_ns") for each in ("atime", "mtime", "ctime")}
        return {**{f"st_{each}": getattr(found, f"st_{each}") for each in names}, **times}

    def readdir_with_offset(self, path: str, offset: int, fh: int) -> list[tuple[str, dict[str, int], int]]:
        at = self._real(path)
        names = [".", "..", *sorted(os.listdir(at))]
        stats = [os.lstat(f"{at}/{name}") for name in names]
        every = [
            (name, {"st_mode": found.st_mode, "st_ino": found.st_ino}, n)
            for n, (name, found) in enumerate(zip(names, stats, strict=True), 1)
        ]
        return every[offset:]

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags & ~os.O_NOFOLLOW)

    def create(self, path: str, mode: int, fi: object = None) -> int:
        return os.open(self._new(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(fh or self._real(path), length)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._new(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self._real(path))

    def unlink(self, path: str) -> None:
        os.unlink(self._real(path))

    def symlink(self, target: str, source: str) -> None:
        os.symlink(source, self._new(target))

    def readlink(self, path: str) -> str:
        return os.readlink(self._real(path))

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._real(path), mode)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        os.utime(self._real(path), ns=times)

    def rename(self, old: str, new: str) -> None:
        source, displaced, target = self._real(old), self._real(new), self._new(new)
        os.rename(source, target)
        if displaced not in (source, target) and os.path.lexists(displaced):
            os.unlink(displaced)


class _Fuse(mfusepy.FUSE):  # type: ignore[misc]
    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        if flags:
            return -errno.EINVAL
        done: int = super().rename_fuse_3(old, new, flags)
        return done


if __name__ == "__main__":
    _Fuse(_Disk(sys.argv[1], sys.argv[3]), sys.argv[2], foreground=True, nothreads=True)
