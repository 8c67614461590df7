"""What the student changed: read from the upper layer and the records, never by a walk of the lower."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping

from fuse_mount.inode import File, Folder, Node
from fuse_mount.layer import Origin
from fuse_mount.overlay import Overlay
from fuse_mount.rename import entry_of
from syncd.core.entry import BlobId, Change, Entry, Mode, RelPath
from syncd.manifest import Manifest
from syncd.view import Mine, Stamp

_PIECE = 1 << 20
_HASHED = 100_000
_REMOVED = b".fuse_hidden"
"""What libfuse calls a file that was removed while open (the mfusepy engine only)."""

StatKey = tuple[int, int, int, int]


class Observer:
    """Looks at one overlay over a commit; remembers what it hashed.  Takes the overlay's lock itself, for moments."""

    def __init__(self, overlay: Overlay, manifest: Manifest, waiting: Mapping[RelPath, Entry | None]) -> None:
        """`waiting` is the layer's own: bases that differ from the manifest's."""
        self.overlay = overlay
        self.manifest = manifest
        self.waiting = waiting
        self._hashed: dict[StatKey, BlobId] = {}
        self.closed: set[bytes] = set()
        """Folders of the upper that the student closed to himself, and so to us: what is in them is not observed."""

    def remember(self, other: "Observer") -> None:
        """Take over what another one hashed."""
        self._hashed = other._hashed

    def base(self, path: RelPath) -> Entry | None:
        """What the path was when it was last agreed on."""
        return self.waiting[path] if path in self.waiting else self.manifest.entry(path)

    def observe(self) -> dict[RelPath, Mine]:
        """All that the student changed against the base."""
        out: dict[RelPath, Mine] = {}
        self.closed.clear()
        uppers: set[RelPath] = set()
        for path in sorted({*self._candidates(uppers), *uppers}):
            try:
                mine = (self._hashed_before(path) if path in uppers else None) or self.mine(path)
            except PermissionError:
                continue
            if mine is not None and mine.change.base != mine.change.now:
                out[path] = mine
        return out

    def _hashed_before(self, path: RelPath) -> Mine | None:
        """The short way for the many files of the student's that are as they were at the last look.

        Only for what the walk of the upper met: above any other path may stand a link of the student's.
        """
        found = self.overlay.upper.stat(os.fsencode(path))
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        known = self._hashed.get(_key(found))
        if known is None:
            return None
        return Mine(Change(self.base(path), Entry(known, _mode(found))), Stamp(("upper", *_key(found))))

    def mine(self, path: RelPath) -> Mine | None:
        """What the student has at a path, if it is not the base."""
        base = self.base(path)
        with self.overlay.lock, self.overlay.nodes.passing():
            now, stamp, fd = self._shown(path)
        if fd >= 0:
            # Hashed without the lock: the student need not wait for it.
            try:
                blob, key, mode = self._hash(fd)
            finally:
                os.close(fd)
            now, stamp = Entry(blob, mode), ("upper", *key)
        return None if now == base else Mine(Change(base, now), Stamp(stamp))

    def stamp(self, path: RelPath) -> Stamp | None:
        """The stamp of a path as it is now; None if the student has not changed it.  Under the lock."""
        mine = self.mine(path)
        return None if mine is None else mine.stamp

    def _shown(self, path: RelPath) -> tuple[Entry | None, tuple[str | int, ...], int]:
        """The entry at a path, its stamp, and a descriptor if the entry must still be hashed."""
        node = self.overlay.at(os.fsencode(path))
        if node is None:
            return None, ("gone",), -1
        if isinstance(node, Folder):
            return None, ("folder", node.ino), -1
        if node.low is not None:
            entry = entry_of(node.low)
            return entry, ("lower", entry.blob if entry else "", int(node.low.mode)), -1
        return self._upper(node)

    def _upper(self, node: File) -> tuple[Entry | None, tuple[str | int, ...], int]:
        found = os.fstat(node.fd) if node.fd >= 0 else self.overlay.upper.stat(node.path())
        if found is None:
            return None, ("gone",), -1
        key = _key(found)
        stamp = ("upper", *key)
        if stat.S_ISLNK(found.st_mode):
            return Entry(_blob_of(self.overlay.upper.target(node.path())), Mode.SYMLINK), stamp, -1
        if not stat.S_ISREG(found.st_mode):
            return None, stamp, -1
        known = self._hashed.get(key)
        if known is not None:
            return Entry(known, _mode(found)), stamp, -1
        return None, stamp, self._readable(node, found)

    def _readable(self, node: File, found: os.stat_result) -> int:
        path = node.path()
        try:
            return self.overlay.upper.open(path, os.O_RDONLY)
        except PermissionError:
            # The student took the right to read from himself; it is his file, and we look as he could.
            self.overlay.upper.chmod(path, stat.S_IMODE(found.st_mode) | stat.S_IRUSR)
            try:
                return self.overlay.upper.open(path, os.O_RDONLY)
            finally:
                self.overlay.upper.chmod(path, stat.S_IMODE(found.st_mode))

    def _hash(self, fd: int) -> tuple[BlobId, StatKey, Mode]:
        """Hash an open file; if it changes meanwhile, the stamp is one that it no longer has."""
        before = os.fstat(fd)
        digest = hashlib.sha1(b"blob %d\0" % before.st_size, usedforsecurity=False)
        offset = 0
        while offset < before.st_size:
            piece = os.pread(fd, min(_PIECE, before.st_size - offset), offset)
            if not piece:
                break
            digest.update(piece)
            offset += len(piece)
        key, blob = _key(before), BlobId(digest.hexdigest())
        if _key(os.fstat(fd)) == key:
            if len(self._hashed) >= _HASHED:
                self._hashed.clear()
            self._hashed[key] = blob
        return blob, key, _mode(before)

    def _candidates(self, uppers: set[RelPath]) -> Iterator[RelPath]:
        """Every path that can differ from the base; those that lie in the upper are added to `uppers`."""
        with self.overlay.lock:
            layer = self.overlay.layer
            waiting, hidden, redirects = list(self.waiting), list(layer.hidden), dict(layer.redirects)
        yield from waiting
        # The walk needs no lock: what is changed meanwhile is looked at again before anything is done to it.
        yield from self._uppers(uppers)
        for path in hidden:
            yield from files_at(self.manifest, os.fsdecode(path))
        for path, lower in redirects.items():
            here, there = os.fsdecode(path), os.fsdecode(lower)
            yield from files_at(self.manifest, here)
            for file in files_at(self.manifest, there):
                yield RelPath(here + file[len(there) :])

    def _uppers(self, uppers: set[RelPath]) -> Iterator[RelPath]:
        """What of the commit the upper's entries stand on; the files and links themselves are added to `uppers`."""
        todo: list[tuple[bytes, int | None]] = [(b"", 0)]  # folders, and the commit's folder there
        while todo:
            folder, index = todo.pop()
            try:
                if not self.overlay.upper.is_open(folder):
                    self.closed.add(folder)
                    if not self.overlay.upper.is_open(folder, to_look=True):
                        continue
                names = self.overlay.upper.names(folder)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
            for name, is_folder in names:
                if name.startswith(_REMOVED):
                    continue
                path = folder + b"/" + name if folder else name
                where = RelPath(os.fsdecode(path))
                below = None if index is None else self.manifest.child(index, name)
                stands_on_folder = below is not None and self.manifest.record(below).is_folder
                if is_folder:
                    todo.append((path, below if stands_on_folder else None))
                    if below is not None and not stands_on_folder:
                        yield where
                else:
                    uppers.add(where)
                    if stands_on_folder:
                        yield from files_at(self.manifest, where)


def files_at(manifest: Manifest, path: str) -> Iterator[RelPath]:
    """The files of a commit at or below a path."""
    index = manifest.find(RelPath(path))
    if index is None:
        return
    if manifest.record(index).is_folder:
        for file, _ in manifest.files(index, path + "/" if path else ""):
            yield file
    else:
        yield RelPath(path)


def origins(overlay: Overlay, manifest: Manifest) -> dict[RelPath, Origin]:
    """Files of the view that were the course's under another name, as far as that name shows nothing now."""
    out = {
        RelPath(os.fsdecode(path)): origin
        for path, origin in overlay.layer.origins.items()
        if _is_real(overlay, path, origin.real) and overlay.at(os.fsencode(origin.path)) is None
    }
    for path, lower in overlay.layer.redirects.items():
        here, there = os.fsdecode(path), os.fsdecode(lower)
        for file in files_at(manifest, there):
            now, was = RelPath(here + file[len(there) :]), manifest.entry(file)
            node = overlay.at(os.fsencode(now))
            if was is not None and isinstance(node, File) and overlay.at(os.fsencode(file)) is None:
                out.setdefault(now, Origin(file, was, node.real))
    return out


def _is_real(overlay: Overlay, path: bytes, real: int) -> bool:
    try:
        return overlay.upper.real(path) == real
    except PermissionError:
        return False  # in a folder that the student closed


def content(overlay: Overlay, path: RelPath) -> bytes:
    """The student's bytes at a path (a link's target for a link).  FileNotFoundError if there is no file."""
    with overlay.lock, overlay.nodes.passing():
        node: Node | None = overlay.at(os.fsencode(path))
        if not isinstance(node, File):
            raise FileNotFoundError(2, os.strerror(2), path)
        attr = overlay.attr(node)
        if stat.S_ISLNK(attr.mode):
            return overlay.target(node)
        if not stat.S_ISREG(attr.mode):
            raise FileNotFoundError(2, os.strerror(2), path)
        if node.low is not None:
            fd = overlay.lower.open(node.low.version)
        else:
            fd = overlay.upper.open(node.path(), os.O_RDONLY)
    with open(fd, "rb") as source:
        return source.read()


def _key(found: os.stat_result) -> StatKey:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _mode(found: os.stat_result) -> Mode:
    return Mode.EXECUTABLE if found.st_mode & stat.S_IXUSR else Mode.FILE


def _blob_of(data: bytes) -> BlobId:
    return BlobId(hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())
