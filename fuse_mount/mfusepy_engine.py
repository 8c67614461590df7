"""The second engine: the same overlay through libfuse's path interface, by mfusepy.

For systems where /dev/fuse is not what we are given, and as a second opinion in tests.  Its limits,
which are those of a path interface:
- libfuse keeps one inode per path, so after a switch old and new content share one page cache: a
  handle from before the switch may read new content, and a fresh open old content, while it is open; it fails
  where something of another kind (a link, a folder) has the name by then;
- a file that is removed while open lives on as `.fuse_hidden...` beside it until it is closed;
- RENAME_NOREPLACE and RENAME_EXCHANGE are not handed on and so refused, O_TMPFILE is not had;
- nothing is cached (every stat is a request), and nothing is handed through (no passthrough).
"""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mfusepy

from fuse_mount import content, entries
from fuse_mount.content import NewAttr
from fuse_mount.inode import File, Folder, Node
from fuse_mount.kernel.mount import close_mount
from fuse_mount.overlay import Caller, Overlay
from fuse_mount.rename import rename
from fuse_mount.switch import Stale

_START_S = 10.0


class MfusepyEngine:
    """Serves one overlay at one folder."""

    def __init__(self, overlay: Overlay, point: Path) -> None:
        """Mount and begin to serve.  OSError if no mount can be had."""
        self.point = point
        self._operations = _Operations(overlay)
        self._thread = threading.Thread(target=self._serve, name="fuse", daemon=True)
        self._thread.start()
        self._operations.ready.wait(_START_S)
        if not self._thread.is_alive() or not self._operations.ready.is_set():
            raise OSError(errno.EIO, "libfuse could not mount")

    def tell(self, stale: Stale) -> None:
        """Nothing is cached that could be wrong, but for pages, which an open throws away."""

    def nudge(self, stale: Stale) -> None:
        """Nothing: whoever watches looks for himself on systems where this engine serves."""

    def serves(self) -> bool:
        """Whether requests are still answered."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Until somebody unmounts it."""
        self._thread.join()

    def close(self) -> None:
        """Take the mount away."""
        close_mount(self.point)
        self._thread.join(2.0)
        self._operations.closed = self._thread.is_alive()

    def _serve(self) -> None:
        options = {"allow_other": True} if os.geteuid() == 0 else {}
        try:
            _Fuse(
                self._operations,
                str(self.point),
                foreground=True,
                nothreads=True,
                default_permissions=True,
                fsname="synced-folders",
                nosuid=True,
                nodev=True,
                **options,
            )
        except RuntimeError:
            self._operations.ready.set()


class _Fuse(mfusepy.FUSE):  # type: ignore[misc]
    """mfusepy drops the flags of a rename: an exchange would lose what it replaces."""

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        if flags:
            return -errno.EINVAL
        done: int = super().rename_fuse_3(old, new, flags)
        return done


class _Operations(mfusepy.Operations):  # type: ignore[misc]
    """Paths in, model out.  File handles are numbers of open nodes."""

    use_ns = True

    def __init__(self, overlay: Overlay) -> None:
        self.overlay = overlay
        self.ready = threading.Event()
        self.closed = False
        self._open: dict[int, tuple[File, int]] = {}
        self._next = 1

    def init_with_config(self, conn_info: object, config: Any) -> None:
        if config is not None:
            config.use_ino, config.hard_remove = 1, 0
            config.entry_timeout = config.attr_timeout = config.negative_timeout = 0.0
        self.ready.set()

    @contextlib.contextmanager
    def _model(self) -> Iterator[Overlay]:
        if self.closed:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        with self.overlay.lock, self.overlay.nodes.passing():
            yield self.overlay

    def _node(self, path: str) -> Node:
        node = self.overlay.at(os.fsencode(path).strip(b"/"))
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return node

    def _file(self, path: str) -> File:
        node = self._node(path)
        if not isinstance(node, File):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return node

    def _place(self, path: str) -> tuple[Folder, bytes]:
        above, _, name = os.fsencode(path).strip(b"/").rpartition(b"/")
        folder = self.overlay.at(above)
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if not isinstance(folder, Folder):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return folder, name

    # Attributes

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        with self._model() as overlay:
            node = self._open[fh][0] if fh in self._open else self._node(path)
            attr = overlay.attr(node)
        return {
            "st_ino": attr.ino,
            "st_mode": attr.mode,
            "st_nlink": attr.nlink,
            "st_uid": attr.uid,
            "st_gid": attr.gid,
            "st_rdev": attr.rdev,
            "st_size": attr.size,
            "st_blocks": attr.blocks,
            "st_blksize": attr.blksize,
            "st_atime": attr.atime_ns,
            "st_mtime": attr.mtime_ns,
            "st_ctime": attr.ctime_ns,
        }

    def chmod(self, path: str, mode: int) -> int:
        return self._set(path, NewAttr(mode=mode))

    def chown(self, path: str, uid: int, gid: int) -> int:
        return self._set(path, NewAttr(uid=uid if uid >= 0 else None, gid=gid if gid >= 0 else None))

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        with self._model() as overlay:
            node = self._open[fh][0] if fh in self._open else self._node(path)
            content.set_attr(overlay, node, NewAttr(size=length))
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        with self._model() as overlay:
            node = self._node(path)
            if times is None:
                content.set_attr(overlay, node, NewAttr())
                overlay.upper.touch(node.path())
            else:
                content.set_attr(overlay, node, NewAttr(atime_ns=int(times[0]), mtime_ns=int(times[1])))
        return 0

    def _set(self, path: str, new: NewAttr) -> int:
        with self._model() as overlay:
            content.set_attr(overlay, self._node(path), new)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = self.overlay.upper.free()
        names = ("bavail", "bfree", "blocks", "bsize", "favail", "ffree", "files", "flag", "frsize", "namemax")
        return {f"f_{name}": getattr(found, f"f_{name}") for name in names}

    # Names

    def readlink(self, path: str) -> str:
        with self._model() as overlay:
            return os.fsdecode(overlay.target(self._file(path)))

    def readdir_with_offset(self, path: str, offset: int, fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        with self._model() as overlay:
            folder = self._node(path)
            if not isinstance(folder, Folder):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            out = [(name, {"st_mode": stat.S_IFDIR}, at) for name, at in ((".", 1), ("..", 2)) if at > offset]
            for at, name, ref in overlay.list(folder, 0 if offset <= 2 else offset):
                node = overlay.lookup(folder, name, ref)
                if node is not None:
                    with contextlib.suppress(FileNotFoundError):
                        attr = overlay.attr(node)
                        out.append((os.fsdecode(name), {"st_mode": attr.mode, "st_ino": attr.ino}, at))
        return iter(out)

    def mknod(self, path: str, mode: int, dev: int) -> int:
        with self._model() as overlay:
            entries.mknod(overlay, *self._place(path), mode, dev, _caller())
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        with self._model() as overlay:
            entries.mkdir(overlay, *self._place(path), mode, _caller())
        return 0

    def symlink(self, target: str, source: str) -> int:
        with self._model() as overlay:
            entries.symlink(overlay, *self._place(target), os.fsencode(source), _caller())
        return 0

    def link(self, target: str, source: str) -> int:
        with self._model() as overlay:
            entries.link(overlay, self._file(source), *self._place(target))
        return 0

    def unlink(self, path: str) -> int:
        with self._model() as overlay:
            entries.unlink(overlay, *self._place(path))
        return 0

    def rmdir(self, path: str) -> int:
        with self._model() as overlay:
            entries.rmdir(overlay, *self._place(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        with self._model() as overlay:
            rename(overlay, *self._place(old), *self._place(new))
        return 0

    # Content

    def create(self, path: str, mode: int, flags: int) -> int:
        with self._model() as overlay:
            node = entries.create(overlay, *self._place(path), mode, _caller())
            return self._opened(node, flags & ~os.O_TRUNC)

    def open(self, path: str, flags: int) -> int:
        with self._model():
            return self._opened(self._file(path), flags)

    def _opened(self, node: File, flags: int) -> int:
        content.open_file(self.overlay, node, flags)
        number, self._next = self._next, self._next + 1
        self._open[number] = node, flags
        return number

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        with self._model() as overlay:
            return content.read(overlay, self._open[fh][0], size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self._model() as overlay:
            return content.write(overlay, self._open[fh][0], data, offset)

    def release(self, path: str, fh: int) -> int:
        with self._model() as overlay:
            node, flags = self._open.pop(fh)
            content.release(overlay, node, flags)
            overlay.forget(node.ino, 0)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        with self._model() as overlay:
            content.sync_file(overlay, self._open[fh][0], bool(datasync))
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        with self._model() as overlay:
            node = self._node(path)
            if isinstance(node, Folder):
                content.sync_folder(overlay, node)
        return 0

    def fallocate(self, path: str, mode: int, offset: int, size: int, fh: int) -> int:
        with self._model() as overlay:
            content.allocate(overlay, self._open[fh][0], mode, offset, size)
        return 0

    # Extended attributes

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        with self._model() as overlay:
            return content.get_xattr(overlay, self._node(path), os.fsencode(name))

    def listxattr(self, path: str) -> list[str]:
        with self._model() as overlay:
            return content.list_xattr(overlay, self._node(path))

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        with self._model() as overlay:
            content.set_xattr(overlay, self._node(path), os.fsencode(name), value, options)
        return 0

    def removexattr(self, path: str, name: str) -> int:
        with self._model() as overlay:
            content.remove_xattr(overlay, self._node(path), os.fsencode(name))
        return 0


def _caller() -> Caller:
    uid, gid, _ = mfusepy.fuse_get_context()
    return Caller(uid, gid)
