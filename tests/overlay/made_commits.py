"""Commits made from memory into a node's store, and views over them without a mount."""

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fuse_mount import content, entries
from fuse_mount.content import NewAttr
from fuse_mount.inode import File, Folder
from fuse_mount.overlay import Caller, Overlay
from fuse_mount.rename import rename
from fuse_mount.switch import Stale
from fuse_mount.syscalls import Rename
from fuse_mount.view import Engine, OverlayView
from syncd.blobs import BlobFolder, Snapshot
from syncd.core.entry import BlobId, CommitId, Mode
from syncd.manifest import FOLDER, Manifest, Node, write_manifest

TIME_NS = 1_700_000_000_000_000_000
Files = Mapping[str, "bytes | Special"]


@dataclass(frozen=True)
class Special:
    content: bytes
    mode: Mode


def program(content: bytes) -> Special:
    return Special(content, Mode.EXECUTABLE)


def link(target: bytes) -> Special:
    return Special(target, Mode.SYMLINK)


def blob_id(data: bytes) -> BlobId:
    return BlobId(hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())


class Store:
    """A node's store, as far as a view sees it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = BlobFolder(root / "blobs")

    def keep(self, data: bytes) -> BlobId:
        blob = blob_id(data)
        path = self.blobs.path(blob)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o444)
        return blob

    def commit(self, files: Files) -> Snapshot:
        top = Node(b"", FOLDER, b"")
        folders = {"": top}
        for path, what in sorted(files.items()):
            file = what if isinstance(what, Special) else Special(what, Mode.FILE)
            above, _, name = path.rpartition("/")
            blob = self.keep(file.content)
            when = TIME_NS + int(blob[:6], 16)
            node = Node(os.fsencode(name), int(file.mode), bytes.fromhex(blob), len(file.content), when)
            self._folder(folders, above).children.append(node)
        _seal(top)
        commit = CommitId(hashlib.sha1(b"commit" + top.id).hexdigest())
        write_manifest(self.root / "manifests" / commit, commit, top, TIME_NS)
        return self.snapshot(commit)

    def _folder(self, folders: dict[str, Node], path: str) -> Node:
        if path not in folders:
            above, _, name = path.rpartition("/")
            folders[path] = Node(os.fsencode(name), FOLDER, b"", 0, TIME_NS)
            self._folder(folders, above).children.append(folders[path])
        return folders[path]

    def snapshot(self, commit: CommitId) -> Snapshot:
        return Snapshot(Manifest(self.root / "manifests" / commit), self.blobs)


def _seal(folder: Node) -> None:
    for child in folder.children:
        if child.mode == FOLDER:
            _seal(child)
    lines = sorted(b"%o %s\0%s" % (child.mode, child.name, child.id) for child in folder.children)
    folder.id = hashlib.sha1(b"".join(lines)).digest()


class NoEngine:
    """Stands where an engine would; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Stale] = []

    def tell(self, stale: Stale) -> None:
        self.told.append(stale)

    def nudge(self, stale: Stale) -> None:
        pass

    def close(self) -> None:
        pass


class BareView(OverlayView):
    """A view that mounts nothing: the model and its update alone."""

    def _started(self) -> Engine:
        return NoEngine()

    def went_over(self, snapshot: Snapshot) -> None:
        """The test has switched the overlay by itself."""
        self._observer = self._observing(snapshot)


Opening = Callable[..., BareView]

ROOT = Caller(0, 0)


class Hands:
    """Does to an overlay's model, by path, what a program does to a folder."""

    def __init__(self, overlay: Overlay) -> None:
        self.overlay = overlay

    def _place(self, path: str) -> tuple[Folder, bytes]:
        above, _, name = path.rpartition("/")
        folder = self.overlay.at(os.fsencode(above))
        if folder is None:
            raise FileNotFoundError(2, path)
        if not isinstance(folder, Folder):
            raise NotADirectoryError(20, path)
        return folder, os.fsencode(name)

    def _file(self, path: str) -> File:
        node = self.overlay.need(*self._place(path))
        if not isinstance(node, File):
            raise IsADirectoryError(21, path)
        return node

    def write(self, path: str, data: bytes) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            folder, name = self._place(path)
            node = self.overlay.lookup(folder, name)
            if node is None:
                node = entries.create(self.overlay, folder, name, 0o644, ROOT)
            if not isinstance(node, File):
                raise IsADirectoryError(21, path)
            content.open_file(self.overlay, node, os.O_WRONLY | os.O_TRUNC)
            content.write(self.overlay, node, data, 0)
            content.release(self.overlay, node, os.O_WRONLY)

    def append(self, path: str, data: bytes) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            node = self._file(path)
            content.open_file(self.overlay, node, os.O_WRONLY)
            try:
                content.write(self.overlay, node, data, self.overlay.attr(node).size)
            finally:
                content.release(self.overlay, node, os.O_WRONLY)

    def read(self, path: str) -> bytes:
        with self.overlay.lock, self.overlay.nodes.passing():
            node = self._file(path)
            content.open_file(self.overlay, node, os.O_RDONLY)
            data = content.read(self.overlay, node, 1 << 30, 0)
            content.release(self.overlay, node, os.O_RDONLY)
            return data

    def mkdir(self, path: str) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            entries.mkdir(self.overlay, *self._place(path), 0o755, ROOT)

    def remove(self, path: str) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            entries.unlink(self.overlay, *self._place(path))

    def rmdir(self, path: str) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            entries.rmdir(self.overlay, *self._place(path))

    def rename(self, old: str, new: str, flags: Rename = Rename.PLAIN) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            rename(self.overlay, *self._place(old), *self._place(new), flags)

    def symlink(self, path: str, target: str) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            entries.symlink(self.overlay, *self._place(path), os.fsencode(target), ROOT)

    def link(self, old: str, new: str) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            entries.link(self.overlay, self._file(old), *self._place(new))

    def chmod(self, path: str, mode: int) -> None:
        with self.overlay.lock, self.overlay.nodes.passing():
            content.set_attr(self.overlay, self.overlay.need(*self._place(path)), NewAttr(mode=mode))

    def names(self, path: str) -> set[str]:
        with self.overlay.lock, self.overlay.nodes.passing():
            folder = self.overlay.at(os.fsencode(path))
            if folder is None:
                raise FileNotFoundError(2, path)
            if not isinstance(folder, Folder):
                raise NotADirectoryError(20, path)
            return {os.fsdecode(name) for name in self.overlay.names(folder)}

    def has(self, path: str) -> bool:
        with self.overlay.lock, self.overlay.nodes.passing():
            return self.overlay.at(os.fsencode(path)) is not None

    def tree(self) -> dict[str, bytes | None]:
        """All that shows: files with their content, links with their target, folders with None."""
        out: dict[str, bytes | None] = {}
        with self.overlay.lock, self.overlay.nodes.passing():
            self._walk(self.overlay.nodes.root, "", out)
        return out

    def _walk(self, folder: Folder, prefix: str, out: dict[str, bytes | None]) -> None:
        for name in self.overlay.names(folder):
            path = prefix + os.fsdecode(name)
            node = self.overlay.lookup(folder, name)
            assert node is not None, f"{path} is listed but not there"
            if isinstance(node, Folder):
                out[path] = None
                self._walk(node, path + "/", out)
            elif stat.S_ISLNK(self.overlay.attr(node).mode):
                out[path] = b"-> " + self.overlay.target(node)
            else:
                out[path] = self.read(path)
                assert len(out[path] or b"") == self.overlay.attr(node).size


def real_tree(root: Path) -> dict[str, bytes | None]:
    """The same of a real folder."""
    out: dict[str, bytes | None] = {}
    for path in root.rglob("*"):
        where = path.relative_to(root).as_posix()
        if path.is_symlink():
            out[where] = b"-> " + os.fsencode(os.readlink(path))
        elif path.is_dir():
            out[where] = None
        else:
            out[where] = path.read_bytes()
    return out
