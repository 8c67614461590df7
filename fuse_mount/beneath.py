"""A real folder and what lies in it, reached by paths of any length and never through a symbolic link at their end."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

LONG = 3000
"""Paths longer than this are walked in pieces: with the folder's own path they could pass PATH_MAX."""


class Beneath:
    """Looking at entries; `Upper` changes them too."""

    def __init__(self, root: Path) -> None:
        """Hold the folder open."""
        self.root = root
        self._top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._top)

    def stat(self, path: bytes) -> os.stat_result | None:
        """The entry at a path; None if there is none."""
        try:
            if len(path) < LONG:
                return os.stat(path or b".", dir_fd=self._top, follow_symlinks=False)
            with self.at(path) as (at, tail):
                return os.stat(tail, dir_fd=at, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def real(self, path: bytes) -> int:
        """The inode number at a path; 0 if there is nothing."""
        found = self.stat(path)
        return found.st_ino if found else 0

    def names(self, path: bytes) -> list[tuple[bytes, bool]]:
        """A folder's names, and whether each is itself a folder."""
        fd = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(fd) as entries:
                return [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
        finally:
            os.close(fd)

    def is_open(self, path: bytes, to_look: bool = False) -> bool:
        """Whether a folder can be looked into and changed (or just looked into) with the rights that we have."""
        with self.at(path) as (at, tail):
            return os.access(tail, os.R_OK | os.X_OK | (0 if to_look else os.W_OK), dir_fd=at)

    def target(self, path: bytes) -> bytes:
        """A symbolic link's target."""
        with self.at(path) as (at, tail):
            return os.readlink(tail, dir_fd=at)

    def open(self, path: bytes, flags: int) -> int:
        """Open an entry, never through a link."""
        with self.at(path) as (at, tail):
            return os.open(tail, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)

    def open_file(self, path: bytes) -> int:
        """Open a file for reading, and for writing if its mode lets us."""
        try:
            return self.open(path, os.O_RDWR)
        except PermissionError:
            return self.open(path, os.O_RDONLY)

    @contextlib.contextmanager
    def named(self, path: bytes) -> Iterator[bytes]:
        """A name under which calls without a folder descriptor (xattrs) reach an entry."""
        with self.at(path) as (at, tail):
            yield b"/proc/self/fd/%d/%s" % (at, tail)

    @contextlib.contextmanager
    def at(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """A folder's descriptor and a path from there, short enough for the system."""
        if len(path) < LONG:
            yield self._top, path or b"."
            return
        at, opened = self._top, []
        try:
            while len(path) >= LONG:
                cut = path.rindex(b"/", 0, LONG)
                at = os.open(path[:cut], os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                opened.append(at)
                path = path[cut + 1 :]
            yield at, path
        finally:
            for fd in opened:
                os.close(fd)
