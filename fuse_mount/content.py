"""Open files of an overlay: reading, writing, sizes, modes, times, extended attributes."""

import errno
import os
import stat
from dataclasses import dataclass

from fuse_mount.entries import drop_orphan
from fuse_mount.inode import Attr, File, Folder, Node
from fuse_mount.overlay import Overlay
from fuse_mount.syscalls import fallocate

_ACCMODE = os.O_ACCMODE


@dataclass(frozen=True, slots=True)
class NewAttr:
    """What setattr is asked to change; None: leave as it is.  Times in nanoseconds."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None
    drop_setid: bool = False


def open_file(overlay: Overlay, node: File, flags: int) -> None:
    """Open a file; a lower one is not copied up before it is written or truncated.

    Its content is opened by whoever reads it first: often the kernel still has it, and nobody does.
    """
    if flags & os.O_TRUNC:
        truncate(overlay, node, 0)
    if not node.opens:
        overlay.opened.add(node)
    node.opens += 1
    if flags & _ACCMODE != os.O_RDONLY:
        node.writers += 1
        overlay.writing.add(node)


def release(overlay: Overlay, node: File, flags: int) -> bool:
    """Close one open; True if it was the last."""
    node.opens -= 1
    if flags & _ACCMODE != os.O_RDONLY:
        node.writers -= 1
        if not node.writers:
            overlay.writing.discard(node)
    if node.opens:
        return False
    overlay.opened.discard(node)
    drop_orphan(overlay, node)
    if node.restored and node.gone and node.low is None:
        # It stays in the table for good, and its inode number may become another file's.
        overlay.nodes.by_real.pop(node.real, None)
        if node.fd >= 0:
            os.close(node.fd)
            node.fd = -1
    if node.fd >= 0 and not (node.gone and node.low is None):
        os.close(node.fd)
        node.fd = -1
    return True


def descriptor(overlay: Overlay, node: File) -> int:
    """The file's current descriptor; always that of the current content, whoever opened it when."""
    if node.fd < 0:
        if node.low is not None:
            node.fd = overlay.lower.open(node.low.version)
        else:
            node.fd = overlay.upper.open_file(node.path())
    return node.fd


def read(overlay: Overlay, node: File, size: int, offset: int) -> bytes:
    """Up to `size` bytes."""
    return os.pread(descriptor(overlay, node), size, offset)


def write(overlay: Overlay, node: File, data: bytes | memoryview, offset: int, drop_setid: bool = False) -> int:
    """Write; a lower file is copied up first."""
    overlay.copy_up(node)
    fd = descriptor(overlay, node)
    count = os.pwrite(fd, data, offset)
    if drop_setid:
        _drop_setid(overlay, node, fd)
    return count


def truncate(overlay: Overlay, node: File, size: int) -> None:
    """Cut or extend a file."""
    overlay.copy_up(node, size)
    held = node.fd >= 0
    os.ftruncate(descriptor(overlay, node), size)
    if not held:
        _let_go(node)


def _let_go(node: File) -> None:
    if not node.opens and node.fd >= 0 and not node.gone:
        os.close(node.fd)
        node.fd = -1


def _drop_setid(overlay: Overlay, node: File, fd: int) -> None:
    mode = os.fstat(fd).st_mode
    if _without_setid(mode) != mode:
        os.fchmod(fd, _without_setid(mode) & 0o7777)
        overlay.lost_setid(node)


def _drop_setid_at(overlay: Overlay, node: Node, path: bytes) -> None:
    found = overlay.upper.stat(path)
    if isinstance(node, File) and found is not None and stat.S_ISREG(found.st_mode):
        without = _without_setid(found.st_mode)
        if without != found.st_mode:
            overlay.upper.chmod(path, without)
            overlay.lost_setid(node)


def _without_setid(mode: int) -> int:
    """As the kernel does it: the group's bit means something else on a file that the group may not execute."""
    return mode & ~(stat.S_ISUID | (stat.S_ISGID if mode & stat.S_IXGRP else 0))


def set_attr(overlay: Overlay, node: Node, new: NewAttr) -> None:
    """Change attributes, in the order that keeps what was asked for last."""
    if isinstance(node, Folder):
        overlay.ensure_upper(node)
    elif new.size is not None:
        truncate(overlay, node, new.size)
    else:
        node = overlay.upper_of(node)
    if isinstance(node, File) and node.gone:
        _set_attr_open(overlay, node, new)
        return
    path = node.path()
    if new.drop_setid:
        _drop_setid_at(overlay, node, path)
    if new.uid is not None or new.gid is not None:
        overlay.upper.chown(path, _or_leave(new.uid), _or_leave(new.gid))
    if new.mode is not None:
        overlay.upper.chmod(path, new.mode)
    if new.atime_ns is not None or new.mtime_ns is not None:
        overlay.upper.utime(path, *_times(overlay.attr(node), new))


def _set_attr_open(overlay: Overlay, node: File, new: NewAttr) -> None:
    if node.fd < 0:
        # A file without a name that nobody has open: there is nothing to keep.
        return
    if new.drop_setid:
        _drop_setid(overlay, node, node.fd)
    if new.uid is not None or new.gid is not None:
        os.fchown(node.fd, _or_leave(new.uid), _or_leave(new.gid))
    if new.mode is not None:
        os.fchmod(node.fd, new.mode & 0o7777)
    if new.atime_ns is not None or new.mtime_ns is not None:
        found = os.fstat(node.fd)
        os.utime(
            node.fd,
            ns=(
                found.st_atime_ns if new.atime_ns is None else new.atime_ns,
                found.st_mtime_ns if new.mtime_ns is None else new.mtime_ns,
            ),
        )


def _or_leave(number: int | None) -> int:
    return -1 if number is None else number


def _times(now: Attr, new: NewAttr) -> tuple[int, int]:
    return (
        now.atime_ns if new.atime_ns is None else new.atime_ns,
        now.mtime_ns if new.mtime_ns is None else new.mtime_ns,
    )


def sync_file(overlay: Overlay, node: File, data_only: bool) -> None:
    """Make a file's content durable, and all records before it."""
    if node.low is None:
        held = node.fd >= 0
        fd = descriptor(overlay, node)
        if data_only:
            os.fdatasync(fd)
        else:
            os.fsync(fd)
        if not held:
            _let_go(node)
    overlay.log.sync()


def sync_folder(overlay: Overlay, node: Folder) -> None:
    """Make a folder's names durable."""
    if node.upper and not node.gone:
        overlay.upper.sync_at(node.path())
    overlay.log.sync()


def allocate(overlay: Overlay, node: File, mode: int, offset: int, length: int) -> None:
    """fallocate(2)."""
    overlay.copy_up(node)
    fallocate(descriptor(overlay, node), mode, offset, length)


def seek(overlay: Overlay, node: File, offset: int, whence: int, unsure: bool = False) -> int:
    """Where data or a hole begins.  `unsure`: any hole may be data by now, so there is none but the file's end."""
    fd = descriptor(overlay, node)
    if not unsure:
        return os.lseek(fd, offset, whence)
    size = os.fstat(fd).st_size
    if not 0 <= offset < size:
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
    return offset if whence == os.SEEK_DATA else size


def copy_range(overlay: Overlay, source: File, at: int, target: File, to: int, length: int) -> int:
    """copy_file_range(2)."""
    overlay.copy_up(target)
    return os.copy_file_range(descriptor(overlay, source), descriptor(overlay, target), length, at, to)


def get_xattr(overlay: Overlay, node: Node, name: bytes) -> bytes:
    """An extended attribute; lower entries have none."""
    _check_namespace(name)
    node = _now(node)
    if not _is_upper(node):
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
    if isinstance(node, File) and node.fd >= 0:
        return os.getxattr(node.fd, name)
    with overlay.upper.named(node.path()) as path:
        return os.getxattr(path, name, follow_symlinks=False)


def list_xattr(overlay: Overlay, node: Node) -> list[str]:
    """The names of all extended attributes."""
    node = _now(node)
    if not _is_upper(node):
        return []
    if isinstance(node, File) and node.fd >= 0:
        return os.listxattr(node.fd)
    with overlay.upper.named(node.path()) as path:
        return os.listxattr(path, follow_symlinks=False)


def set_xattr(overlay: Overlay, node: Node, name: bytes, value: bytes, flags: int) -> None:
    """Set an extended attribute; a lower entry is copied up first."""
    _check_namespace(name)
    node = _to_upper(overlay, node)
    if isinstance(node, File) and node.fd >= 0:
        os.setxattr(node.fd, name, value, flags)
        return
    with overlay.upper.named(node.path()) as path:
        os.setxattr(path, name, value, flags, follow_symlinks=False)


def remove_xattr(overlay: Overlay, node: Node, name: bytes) -> None:
    """Remove an extended attribute."""
    _check_namespace(name)
    node = _now(node)
    if not _is_upper(node):
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
    if isinstance(node, File) and node.fd >= 0:
        os.removexattr(node.fd, name)
        return
    with overlay.upper.named(node.path()) as path:
        os.removexattr(path, name, follow_symlinks=False)


def _check_namespace(name: bytes) -> None:
    if not name.startswith((b"user.", b"security.", b"trusted.")):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def _is_upper(node: Node) -> bool:
    return node.upper if isinstance(node, Folder) else node.low is None


def _now(node: Node) -> Node:
    return node.became or node if isinstance(node, File) else node


def _to_upper(overlay: Overlay, node: Node) -> Node:
    if isinstance(node, File):
        return overlay.upper_of(node)
    overlay.ensure_upper(node)
    return node
