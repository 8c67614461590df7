"""The overlay: a student's upper layer over a read-only lower tree that can be switched.

Synchronous methods on nodes that raise OSError; no FUSE in here.  The caller holds `lock` around
every call.  `entries`, `rename`, `switch` and `observe` work on the same object, by topic.
"""

import bisect
import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from fuse_mount.inode import Attr, File, Folder, Name, Node
from fuse_mount.layer import Layer
from fuse_mount.lower import Lower, LowerRef, LowerStat
from fuse_mount.nodes import Nodes
from fuse_mount.record_log import RecordLog
from fuse_mount.upper import Upper

NAME_MAX = 255
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a new entry becomes his where we serve others than ourselves."""

    uid: int
    gid: int


class Overlay:
    """The model of layers."""

    def __init__(self, lower: Lower, upper: Upper, log: RecordLog, owner: Caller) -> None:
        """`owner`: whose the lower's files are in this view."""
        self.lower = lower
        self.upper = upper
        self.log = log
        self.owner = owner
        self.nodes = Nodes()
        self.nodes.shows = self._shows
        self.lock = threading.RLock()
        self.epoch = 0
        """Counts whatever can change which lower folder lies below a folder."""
        self.removed: dict[bytes, float] = {}
        """When paths were last removed or renamed away (monotonic), for `busy`."""
        self.opened: set[File] = set()
        """Files that somebody has open."""
        self.writing: set[File] = set()
        """Files that somebody has open for writing."""
        self.writes_end_with_us = False
        """Whether no upper file is handed to the kernel (passthrough), which would go on writing there without us."""
        self.catch_up: Callable[[], None] = lambda: None
        """Called by the engine before each request, under the lock: the lower may be another one afterwards."""
        self.before_copy_up: Callable[[File], None] = lambda node: None
        """The engine's say before a lower file becomes an upper one; ESTALE makes the caller look it up again."""
        self.is_bound: Callable[[File], bool] = lambda node: False
        """Whether the engine can't let a lower file become an upper one now."""
        self.lost_setid: Callable[[File], None] = lambda node: None
        """Tells the engine that a file has lost set-id bits which whoever asked still believes in."""

    @property
    def layer(self) -> Layer:
        """Whiteouts, redirects, origins, base."""
        return self.log.layer

    # Finding

    def lower_of(self, folder: Folder) -> LowerRef | None:
        """The lower folder below a folder; None if nothing shows through."""
        if folder.epoch != self.epoch:
            above = folder.parent
            if above is not None and above.epoch != self.epoch:
                # From the top down, so that nothing recurses: folders may lie a thousand deep.
                for each in reversed(self._stale(above)):
                    self.lower_of(each)
            folder.lower = self._resolve(folder)
            folder.epoch = self.epoch
        return folder.lower

    def _stale(self, folder: Folder | None) -> list[Folder]:
        out: list[Folder] = []
        while folder is not None and folder.epoch != self.epoch:
            out.append(folder)
            folder = folder.parent
        return out

    def _resolve(self, folder: Folder) -> LowerRef | None:
        if folder.parent is None:
            return self.lower.top()
        if folder.gone:
            return None
        path = folder.path()
        redirect = self.layer.redirects.get(path)
        if redirect is not None:
            return self.find_lower(redirect)
        ref = None if path in self.layer.hidden else self.below(folder.parent, folder.name)
        return ref if ref is not None and stat.S_ISDIR(self.lower.stat(ref).mode) else None

    def find_lower(self, path: bytes) -> LowerRef | None:
        """The lower entry at a lower path ('' is the top)."""
        ref: LowerRef | None = self.lower.top()
        for name in path.split(b"/") if path else ():
            if ref is None:
                return None
            ref = self.lower.child(ref, name)
        return ref

    def below(self, folder: Folder, name: bytes) -> LowerRef | None:
        """The lower entry at a name, shown or hidden."""
        lower = self.lower_of(folder)
        return None if lower is None else self.lower.child(lower, name)

    def lookup(
        self, folder: Folder, name: bytes, listed: LowerRef | None = None, but_upper: bool = False
    ) -> Node | None:
        """The entry of a name; None if the view shows none.

        `listed`: where a listing just found it in the lower.  `but_upper`: whoever asks will see what is in the upper.
        """
        node = folder.children.get(name)
        if node is not None:
            return node
        if len(name) > NAME_MAX:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        if folder.gone:
            return None
        if listed is not None and folder.listed_in == self.epoch:
            return self._lower_node(folder, name, listed)
        path = folder.path_of(name)
        if folder.upper and not but_upper:
            found = self.upper.stat(path)
            if found is not None:
                if stat.S_ISDIR(found.st_mode):
                    return self.nodes.add_folder(folder, name, True)
                return self.nodes.add_upper(folder, name, found.st_ino)
        if path in self.layer.redirects:
            return self.nodes.add_folder(folder, name, False)
        ref = None if path in self.layer.hidden else self.below(folder, name)
        return None if ref is None else self._lower_node(folder, name, ref)

    def _lower_node(self, folder: Folder, name: bytes, ref: LowerRef) -> Node:
        low = self.lower.stat(ref)
        if stat.S_ISDIR(low.mode):
            return self.nodes.add_folder(folder, name, False)
        return self.nodes.add_lower(folder, name, low)

    def need(self, folder: Folder, name: bytes) -> Node:
        """The entry of a name; FileNotFoundError if the view shows none."""
        node = self.lookup(folder, name)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return node

    def at(self, path: bytes) -> Node | None:
        """The entry at a path of the view; nobody is made to hold it."""
        node: Node | None = self.nodes.root
        for name in path.split(b"/") if path else ():
            if not isinstance(node, Folder):
                return None
            node = self.lookup(node, name)
        return node

    def forget(self, ino: int, count: int) -> File | None:
        """Somebody lets go of some look-ups; returns a file that nobody holds any more."""
        node = self.nodes.forget(ino, count)
        if node is not None and node.fd >= 0:
            os.close(node.fd)
            node.fd = -1
        return node

    # Attributes

    def attr(self, node: Node) -> Attr:
        """What stat(2) tells of a node."""
        if isinstance(node, Folder):
            return self._folder_attr(node)
        if node.low is not None:
            low = node.low
            if node.became is not None:
                # Who has it open reads what it was.
                return self.attr(node.became)._replace(ino=node.number, size=low.size, blocks=(low.size + 511) >> 9)
            return self._lower_attr(node.number, low, 0 if node.gone else 1)
        found = os.fstat(node.fd) if node.fd >= 0 else node.last if node.gone else self.upper.stat(node.path())
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return _attr(node.number, found, found.st_nlink - node.orphan)

    def _lower_attr(self, number: int, low: LowerStat, links: int) -> Attr:
        uid, gid = self.owner_of(low.uid, low.gid)
        blocks, when = (low.size + 511) >> 9, low.mtime_ns
        return Attr(number, low.mode, links, uid, gid, low.rdev, low.size, blocks, when, when, when)

    def _folder_attr(self, node: Folder) -> Attr:
        if node.gone:
            now = time.time_ns()
            return Attr(node.ino, stat.S_IFDIR | 0o755, 0, self.owner.uid, self.owner.gid, 0, 0, 0, now, now, now)
        lower = self.lower_of(node)
        found = self.upper.stat(node.path()) if node.upper else None
        if found is not None:
            return _attr(node.ino, found, found.st_nlink if lower is None else 1)
        if lower is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        low = self.lower.stat(lower)
        uid, gid = self.owner_of(low.uid, low.gid)
        when = low.mtime_ns
        return Attr(node.ino, low.mode, 1, uid, gid, 0, 4096, 8, when, when, when)

    def owner_of(self, uid: int, gid: int) -> tuple[int, int]:
        """A lower entry's owner in this view."""
        return uid if uid >= 0 else self.owner.uid, gid if gid >= 0 else self.owner.gid

    def target(self, node: File) -> bytes:
        """A symbolic link's target."""
        if node.low is not None:
            return self.lower.target(node.low.version)
        return self.upper.target(node.path())

    # Listing

    def entries(self, folder: Folder) -> dict[bytes, LowerRef | None]:
        """All names that the view shows in a folder; where the lower has them, if they are the lower's."""
        if folder.gone:
            return {}
        layer, lower = self.layer, self.lower_of(folder)
        start = folder.path_of(b"")
        out: dict[bytes, LowerRef | None] = {}
        if lower is not None:
            out.update(self.lower.children(lower))
            if layer.hidden:
                for name in [name for name in out if start + name in layer.hidden]:
                    del out[name]
        for path in layer.redirects:
            if path.startswith(start) and b"/" not in path[len(start) :]:
                out[path[len(start) :]] = None
        if folder.upper:
            out.update((name, None) for name, _ in self.upper.names(folder.path()))
        return out

    def hold_listed(self, folder: Folder, name: bytes, ref: LowerRef) -> Attr | None:
        """Hold a lower file that a listing just found, as cheaply as can be; None if it takes a node."""
        if folder.listed_in != self.epoch or folder.gone or name in folder.children:
            return None
        low = self.lower.stat(ref)
        if stat.S_ISDIR(low.mode):
            return None
        number = self.nodes.add_listed(folder, name, self.lower, ref, low)
        return None if number is None else self._lower_attr(number, low, 1)

    def _shows(self, folder: Folder, name: bytes, low: LowerStat) -> bool:
        if folder.gone or name in folder.children or self.nodes.by_ino.get(folder.ino) is not folder:
            return False
        path = folder.path_of(name)
        if path in self.layer.hidden or path in self.layer.redirects:
            return False
        if folder.upper and self.upper.stat(path) is not None:
            return False
        ref = self.below(folder, name)
        return ref is not None and self.lower.stat(ref) == low

    def names(self, folder: Folder) -> set[bytes]:
        """All names that the view shows in a folder."""
        return set(self.entries(folder))

    def list(self, folder: Folder, offset: int) -> Iterator[Name]:
        """Names after an offset, each with its own.  Names that vanish meanwhile may still be listed.

        A name's offset is a hash of it, so that it survives whatever happens to its neighbours.
        """
        if offset == 0 or folder.listing is None:
            found = sorted((_offset(name), name, ref) for name, ref in self.entries(folder).items())
            folder.listing, folder.listed_in = found, self.epoch
        at = bisect.bisect_right(folder.listing, offset, key=_offset_of)
        if at == len(folder.listing):
            folder.listing = None
            return iter(())
        return islice(folder.listing, at, None)

    def added(self, folder: Folder, name: bytes) -> None:
        """A name is new in a folder: whoever is reading the folder may see it."""
        if folder.listing is not None:
            self.removed_from(folder, name)
            bisect.insort(folder.listing, (_offset(name), name, None), key=_offset_of)

    def removed_from(self, folder: Folder, name: bytes) -> None:
        """What a listing knew of a name is no longer so."""
        if folder.listing is not None:
            at = bisect.bisect_left(folder.listing, _offset(name), key=_offset_of)
            while at < len(folder.listing) and folder.listing[at][0] == _offset(name):
                if folder.listing[at][1] == name:
                    del folder.listing[at]
                    return
                at += 1

    def note_removed(self, path: bytes) -> None:
        """Somebody removed or renamed what was at a path."""
        if len(self.removed) >= _REMEMBERED:
            self.removed.clear()
        self.removed[path] = time.monotonic()

    # Copy-up

    def ensure_upper(self, folder: Folder) -> None:
        """Give the upper a folder of the lower, and those above it."""
        if folder.upper:
            return
        if folder.gone or folder.parent is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        missing: list[Folder] = []
        above: Folder | None = folder.parent
        while above is not None and not above.upper:
            missing.append(above)
            above = above.parent
        for each in reversed(missing):
            self.ensure_upper(each)
        lower, path = self.lower_of(folder), folder.path()
        if lower is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        low = self.lower.stat(lower)
        parent = self.upper.stat(folder.parent.path())
        try:
            self.upper.mkdir(path, low.mode)
        except FileExistsError:
            pass
        else:
            self.upper.give(path, *self.owner_of(low.uid, low.gid))
            self.upper.utime(path, low.mtime_ns, low.mtime_ns)
        if parent is not None:
            # Nothing that the student can see has changed in the folder above.
            self.upper.utime(folder.parent.path(), parent.st_atime_ns, parent.st_mtime_ns)
        folder.upper = True

    def copy_up(self, node: File, size: int | None = None) -> None:
        """Make a lower file an upper one, atomically; of its content only the first `size` bytes.

        The node stays the same, so that whoever reads it sees what is written from now on.
        """
        low = node.low
        if low is None:
            return
        self.before_copy_up(node)
        kind = stat.S_IFMT(low.mode)
        fd = -1
        if kind == stat.S_IFREG:
            source = node.fd if node.fd >= 0 else self.lower.open(low.version)
            keep = low.size if size is None else min(size, low.size)
            try:
                fd, staged = self.upper.stage_copy(source, keep, low.mode, durable=keep > 0)
            finally:
                if source != node.fd:
                    os.close(source)
        elif kind == stat.S_IFLNK:
            staged = self.upper.stage_link(self.lower.target(low.version))
        else:
            staged = self.upper.stage_node(low.mode, low.rdev)
        try:
            self.upper.dress(staged, *self.owner_of(low.uid, low.gid), low.mode, low.mtime_ns)
            real = self.upper.staged_real(staged)
            if node.gone:
                # Where a successor must find it, it gets a hidden name, as what is open and loses its last one does.
                if self.nodes.held is not None and node.opens and fd >= 0:
                    node.orphan = self.upper.link_orphan(fd, real)
                self.upper.unstage(staged)
            else:
                self.ensure_upper(node.parent)
                above = self.upper.stat(node.parent.path())
                self.upper.place(staged, node.path())
                if above is not None:
                    # Nothing that the student can see has changed in the folder.
                    self.upper.utime(node.parent.path(), above.st_atime_ns, above.st_mtime_ns)
        except OSError:
            if fd >= 0:
                os.close(fd)
            self.upper.unstage(staged)
            raise
        if node.fd >= 0:
            os.close(node.fd)
            node.fd = -1
        if fd >= 0:
            if node.opens or node.gone:
                node.fd = fd
            else:
                os.close(fd)
        self.added(node.parent, node.name)
        node.low, node.real = None, real
        self.nodes.by_real[real] = node
        self.nodes.renamed(node)

    def upper_of(self, node: File) -> File:
        """The upper file whose attributes are a node's from now on: the node, unless it is bound to stay as it is."""
        if node.became is not None:
            return node.became
        if node.low is None or node.gone or not self.is_bound(node):
            self.copy_up(node)
            return node
        parent, name = node.parent, node.name
        self.detach(node)
        twin = self.need(parent, name)
        assert isinstance(twin, File)
        self.copy_up(twin)
        twin.lookups += 1  # the old node's, until that is forgotten
        node.became = twin
        return twin

    def hold_open(self) -> None:
        """Before a switch: from now on the blobs of open files may go, so they are opened for good."""
        for node in self.opened:
            if node.low is not None and node.fd < 0 and not node.backing and not stat.S_ISLNK(node.low.mode):
                node.fd = self.lower.open(node.low.version)

    def detach(self, node: File) -> None:
        """Let a lower file's name lead to a new node; whoever holds this one keeps what he has."""
        self.nodes.unname(node, node.parent, node.name)
        node.name = b""


def _attr(ino: int, found: os.stat_result, links: int) -> Attr:
    return Attr(
        ino,
        found.st_mode,
        links,
        found.st_uid,
        found.st_gid,
        found.st_rdev,
        found.st_size,
        found.st_blocks,
        found.st_atime_ns,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_blksize,
    )


def _offset_of(listed: Name) -> int:
    return listed[0]


def _offset(name: bytes) -> int:
    # Offsets 1 and 2 are those of "." and "..".
    return (int.from_bytes(blake2b(name, digest_size=8).digest(), "little") >> 2) + 3
