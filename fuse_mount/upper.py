"""The student's own files: real files under `<state>/upper`, at the paths where the view shows them.

Every path is relative to the upper's top and followed only through real folders.  New content comes
into being in `<state>/staging` and enters by rename, so that no reader sees half of it.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from fuse_mount.beneath import Beneath
from fuse_mount.record_log import sync_folder
from fuse_mount.syscalls import Rename, copy_content, renameat2
from syncd.core.entry import Mode


class Upper(Beneath):
    """Operations on the upper's real files; errors are the system's own."""

    def __init__(self, root: Path, staging: Path) -> None:
        """Make the folders if need be; both must lie on one file system."""
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(root)
        self.staging = staging
        self._stage = os.open(staging, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.mask = process_mask()
        self._root = os.geteuid() == 0
        self._serial = 0

    def close(self) -> None:
        """Let go of the folders."""
        super().close()
        os.close(self._stage)

    def free(self) -> os.statvfs_result:
        """The disk's room."""
        return os.statvfs(self._top)

    # Making

    def create(self, path: bytes, mode: int) -> int:
        """A new file, open for reading and writing."""
        with self.at(path) as (at, tail):
            fd = os.open(
                tail, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, mode & 0o7777, dir_fd=at
            )
        if mode & (self.mask | 0o7000):
            os.fchmod(fd, mode & 0o7777)
        return fd

    def anonymous(self, mode: int) -> int:
        """A new file without a name."""
        fd = os.open(self.staging, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode & 0o7777)
        os.fchmod(fd, mode & 0o7777)
        return fd

    def mkdir(self, path: bytes, mode: int) -> None:
        """A new folder."""
        with self.at(path) as (at, tail):
            os.mkdir(tail, mode & 0o7777, dir_fd=at)
            if mode & (self.mask | 0o7000):
                os.chmod(tail, mode & 0o7777, dir_fd=at)

    def mknod(self, path: bytes, mode: int, rdev: int) -> None:
        """A new fifo, socket, device or empty file."""
        with self.at(path) as (at, tail):
            os.mknod(tail, mode, rdev, dir_fd=at)
            if mode & (self.mask | 0o7000):
                os.chmod(tail, mode & 0o7777, dir_fd=at)

    def symlink(self, path: bytes, target: bytes) -> None:
        """A new symbolic link."""
        with self.at(path) as (at, tail):
            os.symlink(target, tail, dir_fd=at)

    def link(self, old: bytes, new: bytes) -> None:
        """A second name for a file."""
        with self.at(old) as (a, old_tail), self.at(new) as (b, new_tail):
            os.link(old_tail, new_tail, src_dir_fd=a, dst_dir_fd=b, follow_symlinks=False)

    def link_open(self, fd: int, path: bytes) -> None:
        """A first name for an open file without one."""
        with self.at(path) as (at, tail):
            os.link(f"/proc/self/fd/{fd}".encode(), tail, dst_dir_fd=at, follow_symlinks=True)

    # Changing

    def unlink(self, path: bytes) -> None:
        """Remove a file."""
        with self.at(path) as (at, tail):
            os.unlink(tail, dir_fd=at)

    def rmdir(self, path: bytes) -> None:
        """Remove an empty folder."""
        with self.at(path) as (at, tail):
            os.rmdir(tail, dir_fd=at)

    def rename(self, old: bytes, new: bytes, flags: Rename = Rename.PLAIN) -> None:
        """Rename, replacing what is there, or exchanging."""
        with self.at(old) as (a, old_tail), self.at(new) as (b, new_tail):
            if flags:
                renameat2(a, old_tail, b, new_tail, flags)
            else:
                os.rename(old_tail, new_tail, src_dir_fd=a, dst_dir_fd=b)

    def chmod(self, path: bytes, mode: int) -> None:
        """Change the mode of anything but a link."""
        with self.at(path) as (at, tail):
            os.chmod(tail, mode & 0o7777, dir_fd=at)

    def chown(self, path: bytes, uid: int, gid: int) -> None:
        """Change the owner (-1: leave); of a link, the link's."""
        with self.at(path) as (at, tail):
            os.chown(tail, uid, gid, dir_fd=at, follow_symlinks=False)

    def utime(self, path: bytes, atime_ns: int, mtime_ns: int) -> None:
        """Set both times."""
        with self.at(path) as (at, tail):
            os.utime(tail, ns=(atime_ns, mtime_ns), dir_fd=at, follow_symlinks=False)

    def touch(self, path: bytes) -> None:
        """Set a folder's times to now, as an entry's removal does."""
        with self.at(path) as (at, tail):
            os.utime(tail, dir_fd=at, follow_symlinks=False)

    def give(self, path: bytes, uid: int, gid: int) -> None:
        """Make a new entry the caller's, where we serve callers other than ourselves."""
        if self._root and (uid, gid) != (0, 0):
            # RACE: chown drops set-id bits; a new file with them is put right again.
            before = self.stat(path)
            self.chown(path, uid, gid)
            if before and before.st_mode & 0o6000 and not stat.S_ISLNK(before.st_mode):
                self.chmod(path, before.st_mode)

    @contextlib.contextmanager
    def opened_up(self, folders: Iterable[bytes]) -> Iterator[None]:
        """Within it, these folders and those in them can be changed, though the student took that right from himself.

        Under the overlay's lock, so that nobody sees it.
        """
        modes: list[tuple[bytes, int]] = []
        todo = list(folders)
        try:
            for path in todo:
                found = self.stat(path)
                if found is None or not stat.S_ISDIR(found.st_mode):
                    continue
                if found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
                    self.chmod(path, found.st_mode | stat.S_IRWXU)
                    modes.append((path, found.st_mode))
                todo += [path + b"/" + name for name, is_folder in self.names(path) if is_folder]
            yield
        finally:
            for path, mode in reversed(modes):
                with contextlib.suppress(FileNotFoundError):
                    self.chmod(path, mode)

    # Staging

    def stage(self) -> tuple[int, bytes]:
        """A new file in the staging folder: its descriptor and its name there."""
        while True:
            self._serial += 1
            name = b"%d.%d" % (os.getpid(), self._serial)
            with contextlib.suppress(FileExistsError):
                flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
                return os.open(name, flags, 0o600, dir_fd=self._stage), name

    def place(self, staged: bytes, path: bytes) -> None:
        """Move a staged file to its path, replacing what is there."""
        with self.at(path) as (at, tail):
            os.rename(staged, tail, src_dir_fd=self._stage, dst_dir_fd=at)

    def place_new(self, staged: bytes, path: bytes) -> None:
        """Move a staged file to its path.  FileExistsError if something is there."""
        with self.at(path) as (at, tail):
            renameat2(self._stage, staged, at, tail, Rename.NOREPLACE)

    def unstage(self, staged: bytes) -> None:
        """Give a staged file up."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged, dir_fd=self._stage)

    def staged(self, name: bytes) -> bool:
        """Whether a staged file is still there."""
        try:
            os.stat(name, dir_fd=self._stage, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def stage_link(self, target: bytes) -> bytes:
        """A staged symbolic link."""
        fd, name = self.stage()
        os.close(fd)
        os.unlink(name, dir_fd=self._stage)
        os.symlink(target, name, dir_fd=self._stage)
        return name

    def stage_node(self, mode: int, rdev: int) -> bytes:
        """A staged fifo, socket or device."""
        fd, name = self.stage()
        os.close(fd)
        os.unlink(name, dir_fd=self._stage)
        os.mknod(name, mode, rdev, dir_fd=self._stage)
        return name

    def dress(self, staged: bytes, uid: int, gid: int, mode: int, mtime_ns: int) -> None:
        """Give a staged entry its owner, mode and time."""
        if self._root and (uid, gid) != (0, 0):
            os.chown(staged, uid, gid, dir_fd=self._stage, follow_symlinks=False)
        if not stat.S_ISLNK(mode):
            os.chmod(staged, mode & 0o7777, dir_fd=self._stage)
        os.utime(staged, ns=(mtime_ns, mtime_ns), dir_fd=self._stage, follow_symlinks=False)

    def dress_like(self, staged: bytes, found: os.stat_result, mode: Mode) -> None:
        """Give a staged file the permissions and owner of the one it replaces, but for the executable bits."""
        if mode is Mode.SYMLINK or stat.S_ISLNK(found.st_mode):
            return
        bits = found.st_mode & 0o777
        bits = bits | (bits & 0o444) >> 2 if mode is Mode.EXECUTABLE else bits & ~0o111
        if self._root:
            os.chown(staged, found.st_uid, found.st_gid, dir_fd=self._stage, follow_symlinks=False)
        os.chmod(staged, bits, dir_fd=self._stage)

    def staged_real(self, staged: bytes) -> int:
        """A staged entry's inode number."""
        return os.stat(staged, dir_fd=self._stage, follow_symlinks=False).st_ino

    def stage_copy(self, source: int, size: int, mode: int, durable: bool = True) -> tuple[int, bytes]:
        """A staged copy of an open file: blocks are shared where the file system can."""
        fd, name = self.stage()
        try:
            copy_content(source, fd, size)
            os.fchmod(fd, mode & 0o7777)
            if durable:
                # A rename may reach the disk before the content: after a power cut an empty file would hide the lower.
                os.fdatasync(fd)
        except OSError:
            os.close(fd)
            self.unstage(name)
            raise
        return fd, name

    def clean(self, orphans: Iterable[int] = ()) -> None:
        """Remove what a crash left in the staging folder, but for these orphans."""
        kept = {os.fsdecode(_orphan(real)) for real in orphans}
        for leftover in self.staging.iterdir():
            if leftover.name not in kept:
                leftover.unlink()

    # Orphans: files that somebody has open and that have no name any more

    def link_orphan(self, fd: int, real: int) -> bool:
        """Give an open file a hidden name; False if it can't have one."""
        try:
            os.link(f"/proc/self/fd/{fd}".encode(), _orphan(real), dst_dir_fd=self._stage, follow_symlinks=True)
        except OSError:
            return False
        return True

    def unlink_orphan(self, real: int) -> None:
        """Take it away."""
        self.unstage(_orphan(real))

    def staged_orphan(self, real: int) -> bool:
        """Whether there is one."""
        return self.staged(_orphan(real))

    def open_orphan(self, real: int) -> int:
        """Open it by its hidden name."""
        return os.open(_orphan(real), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._stage)

    # Durability

    def sync_at(self, path: bytes) -> None:
        """Make a folder's or file's content durable."""
        fd = self.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_staging(self) -> None:
        """Make the staging folder's entries durable."""
        sync_folder(self.staging)


def _orphan(real: int) -> bytes:
    return b"orphan.%d" % real


def process_mask() -> int:
    """The umask of this process, read without changing it."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022
