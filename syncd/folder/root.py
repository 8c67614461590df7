"""An open folder on disk: every path below it is reached name by name, never through a symbolic link.

Where the platform has descriptors of folders (Linux, macOS) all calls are relative to one, so that
a folder swapped for a link while we work leads nowhere; on Windows the same calls go by checked path.

On a disk that takes several names for one (see `syncd.core.folding`) a file is found by its own name only.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser, TryAgain
from syncd.core.folding import Folding
from syncd.folder import fingerprint, rename, sync
from syncd.folder.spelling import Spelling

HAS_DESCRIPTORS = sys.platform != "win32"
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a fifo put in the file's place must not hang us
    | getattr(os, "O_BINARY", 0)
)


def is_junction(found: os.stat_result) -> bool:
    """Whether this is Windows' other kind of link to a folder (IO_REPARSE_TAG_MOUNT_POINT)."""
    return getattr(found, "st_reparse_tag", 0) == 0xA0000003


class InTheWay(TryAgain):
    """Something that is not a folder (or not a file) stands where one is needed."""

    def __init__(self, path: str) -> None:
        super().__init__(f"“{path}” is in the way of a file or folder of the same name; it is kept and put beside it.")
        self.path = RelPath(path)


class Gone(NeedsUser):
    """The synced folder itself is not there."""


class Dir:
    """One open folder below a root; names are single names, never paths.  Close it.

    It has a descriptor, or, where there are none of folders, its path.
    """

    __slots__ = ("_fd", "_path", "_spelling")

    def __init__(self, fd: int, path: Path, spelling: Spelling | None = None) -> None:
        """`spelling` where names must be checked."""
        self._fd = fd
        self._path = path
        self._spelling = spelling

    def _exact(self, name: str) -> None:
        """FileNotFoundError if what is found at this name has another name."""
        if self._spelling is not None and not self._spelling.has(self._fd if HAS_DESCRIPTORS else self._path, name):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)

    def _at(self, name: str) -> tuple[str | Path, int | None]:
        return (name, self._fd) if HAS_DESCRIPTORS else (self._path / name, None)

    def stat(self) -> os.stat_result:
        """The folder's own stat data."""
        return os.fstat(self._fd) if HAS_DESCRIPTORS else os.stat(self._path)

    def lstat(self, name: str) -> os.stat_result:
        """What is at a name, links not followed.  FileNotFoundError if nothing is."""
        at, fd = self._at(name)
        found = os.stat(at, dir_fd=fd, follow_symlinks=False)
        self._exact(name)
        return found

    @contextmanager
    def entries(self) -> Iterator[Iterator[os.DirEntry[str]]]:
        """The names in the folder, with stat data at hand."""
        with os.scandir(self._fd if HAS_DESCRIPTORS else str(self._path)) as found:
            yield found

    def fingerprints(self, device: int, folders: Iterable[tuple[str, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """See `fingerprint.fingerprints`; only where there are descriptors."""
        return fingerprint.fingerprints(self._fd, device, folders)

    def open(self, name: str) -> int:
        """A descriptor for reading a regular file (checked); InTheWay if it is anything else."""
        at, fd = self._at(name)
        try:
            opened = os.open(at, os.O_RDONLY | _FILE, dir_fd=fd)
        except OSError as problem:
            if problem.errno in (errno.ELOOP, errno.ENXIO):
                raise InTheWay(name) from problem
            raise
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise InTheWay(name)
            self._exact(name)
        except BaseException:
            os.close(opened)
            raise
        return opened

    def create(self, name: str, permissions: int) -> int:
        """A descriptor for writing a file that did not exist."""
        at, fd = self._at(name)
        return os.open(at, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE, permissions, dir_fd=fd)

    def readlink(self, name: str) -> bytes:
        """A link's target, as bytes."""
        at, fd = self._at(name)
        return os.fsencode(os.readlink(at, dir_fd=fd))

    def symlink(self, target: bytes, name: str) -> None:
        """Make a symbolic link where nothing is."""
        at, fd = self._at(name)
        os.symlink(os.fsdecode(target), at, dir_fd=fd)

    def unlink(self, name: str) -> None:
        """Remove a file or link."""
        at, fd = self._at(name)
        os.unlink(at, dir_fd=fd)

    def rmdir(self, name: str) -> None:
        """Remove an empty folder."""
        at, fd = self._at(name)
        os.rmdir(at, dir_fd=fd)

    def mkdir(self, name: str) -> None:
        """Make a folder, durably."""
        at, fd = self._at(name)
        os.mkdir(at, dir_fd=fd)
        self.sync()

    def replace(self, name: str, to: "Dir", new: str) -> None:
        """Rename, replacing what is there."""
        (at, fd), (end, to_fd) = self._at(name), to._at(new)
        os.replace(at, end, src_dir_fd=fd, dst_dir_fd=to_fd)

    def move(self, name: str, to: "Dir", new: str) -> None:
        """Rename; FileExistsError if anything is at the new name."""
        (at, fd), (end, to_fd) = self._at(name), to._at(new)
        rename.no_replace(at, fd, end, to_fd)

    def exchange(self, name: str, other: str) -> bool:
        """Swap two names of this folder in one step; False where the system can't."""
        (at, fd), (end, _) = self._at(name), self._at(other)
        return rename.exchange(at, fd, end, fd)

    def sync(self) -> None:
        """Make names durable (a no-op where folders can't be synced)."""
        if not HAS_DESCRIPTORS:
            return
        try:
            os.fsync(self._fd)
        except OSError as problem:  # some network file systems refuse it for folders
            if problem.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
                raise

    def sync_all(self) -> None:
        """Make all of the folder's file system durable, where `sync.flush_call` says that this can be."""
        sync.file_system(self._fd)

    def child(self, name: str) -> "Dir":
        """The folder at a name.  FileNotFoundError, or InTheWay if it is no folder (a link counts as none)."""
        if not HAS_DESCRIPTORS:
            path = self._path / name
            found = os.lstat(path)
            if not stat.S_ISDIR(found.st_mode) or is_junction(found):
                raise InTheWay(name)
            self._exact(name)
            return Dir(-1, path, self._spelling)
        try:
            opened = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=self._fd)
        except OSError as problem:
            if problem.errno in (errno.ENOTDIR, errno.ELOOP):
                raise InTheWay(name) from problem
            raise
        try:
            self._exact(name)
        except BaseException:
            os.close(opened)
            raise
        return Dir(opened, self._path, self._spelling)

    def close(self) -> None:
        """Let go of the folder."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "Dir":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Root:
    """The synced folder.  Holds it open until `close`, so that another folder of its name is noticed."""

    def __init__(self, path: Path, folding: Folding = Folding.NOTHING) -> None:
        """Open the folder; Gone if it is not there or may not be read.  `folding` is what its disk does."""
        self.path, self.folding = path, folding
        try:
            fd = os.open(path, os.O_RDONLY | (_FOLDER & ~getattr(os, "O_NOFOLLOW", 0))) if HAS_DESCRIPTORS else -1
            self._top = Dir(fd, path, Spelling() if folding else None)
            found = self._top.stat()
            if not stat.S_ISDIR(found.st_mode):
                raise NotADirectoryError(path)
        except FileNotFoundError as problem:
            raise Gone(f"The folder {path} is not there; bring it back, or say `syncd remove`.") from problem
        except NotADirectoryError as problem:
            raise Gone(f"{path} is a file and not a folder; choose a folder.") from problem
        except PermissionError as problem:
            raise Gone(f"The folder {path} may not be read; give yourself the right to read and write it.") from problem
        except OSError as problem:
            raise Gone(f"The folder {path} can't be read ({problem.strerror}); is its disk connected?") from problem
        self.identity = (found.st_dev, found.st_ino)

    def still_there(self) -> bool:
        """Whether the path still leads to the folder that we opened (not unmounted, moved or replaced)."""
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.identity

    @contextmanager
    def folder(self, path: str, *, create: bool = False) -> Iterator[Dir]:
        """The folder at a path ('' is the top), opened name by name; made where missing if asked."""
        at = self._top
        try:
            walked: list[str] = []
            for name in path.split("/") if path else ():
                walked.append(name)
                if name in ("", ".", "..") or "\0" in name:
                    raise ValueError(f"not a path below a folder: {path!r}")
                try:
                    try:
                        below = at.child(name)
                    except FileNotFoundError:
                        if not create:
                            raise
                        # RACE: somebody may make it between our two calls; what it is then, child() says.
                        with suppress(FileExistsError):
                            at.mkdir(name)
                        try:
                            below = at.child(name)
                        except FileNotFoundError as problem:  # a folder of another spelling has the place
                            raise InTheWay(name) from problem
                except InTheWay as problem:
                    raise InTheWay("/".join(walked)) from problem
                if at is not self._top:
                    at.close()
                at = below
            yield at
        finally:
            if at is not self._top:
                at.close()

    def names(self, folder: str) -> list[str]:
        """The names in a folder; none if it is not there or can't be read."""
        try:
            with self.folder(folder) as at, at.entries() as entries:
                return [entry.name for entry in entries]
        except (OSError, InTheWay):
            return []

    @contextmanager
    def above(self, path: RelPath, *, create: bool = False) -> Iterator[tuple[Dir, str]]:
        """The folder that holds a path, and the path's last name in it."""
        folder, _, name = path.rpartition("/")
        if name in ("", ".", "..") or "\0" in name:
            raise ValueError(f"not a path below a folder: {path!r}")
        with self.folder(folder, create=create) as at:
            yield at, name

    def close(self) -> None:
        """Let go of the folder."""
        self._top.close()

    def __enter__(self) -> "Root":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
