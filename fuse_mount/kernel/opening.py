"""How a file is opened: through the page cache of the mount, or handed to the file behind (passthrough).

The kernel's rules, each of which answers EIO when broken (measured):
- all handles open on an inode at one time are of one kind; a mapping counts until its RELEASE;
- passthrough handles of an inode share one registration, which lives at least as long as they do;
- a passthrough answer carries no cache flags.
So the kind is decided when an inode has no handle, from what does not change while it has one.
"""

import errno
import logging
import os
import stat
from functools import partial

from fuse_mount import content
from fuse_mount.held import Held
from fuse_mount.inode import File, Folder, Node
from fuse_mount.kernel.later import Later
from fuse_mount.kernel.protocol import OPEN_OUT, Open
from fuse_mount.kernel.registration import Registrar
from fuse_mount.kernel.session import Session
from fuse_mount.overlay import Overlay

_log = logging.getLogger(__name__)

FOREVER = 1_000_000
"""Seconds that names, their absence and attributes stay valid: whatever changes them says so."""

LARGE = 256 << 10
"""Lower files from this size on are read through passthrough: below it two ioctls cost more than the copy."""


# How the open handles of an inode do I/O.
NONE, CACHED, PASSTHROUGH = 0, 1, 2

_READ_ONLY, _ACCMODE, _RDWR = os.O_RDONLY, os.O_ACCMODE, os.O_RDWR
_CACHE_FLAGS = int(Open.KEEP_CACHE | Open.NOFLUSH)
_PASSTHROUGH_FLAG = int(Open.PASSTHROUGH)


class Opening:
    """Decides, and owns the registrations."""

    def __init__(self, overlay: Overlay, held: Held) -> None:
        """Passthrough is off until `begin` says otherwise."""
        self.overlay = overlay
        self._held = held
        self.passthrough = False
        overlay.before_copy_up = self._before_copy_up
        overlay.is_bound = self._is_bound
        overlay.lost_setid = self._lost_setid
        self._session: Session | None = None
        self._registrar: Registrar | None = None
        self._distrusted: set[File] = set()
        self.later = Later()
        """Does what must not be done while the kernel may wait for an answer."""

    def begin(self, session: Session, passthrough: bool) -> None:
        """The kernel can do it; whether we may shows at the first try."""
        self._session = session
        self._registrar = Registrar(session.fd)
        self.passthrough = passthrough

    def end(self) -> None:
        """The conversation is over, and its descriptor about to be closed."""
        self.later.end()

    def open(self, node: File, flags: int, caller: int = 0) -> bytes:
        """Open, and answer the kernel."""
        if node.gone and (node.replaced or (node.low is None and node.fd < 0)):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        handle = node.ino
        writing = flags & _ACCMODE != _READ_ONLY
        if node.low is not None and node.io == PASSTHROUGH and (writing or flags & os.O_TRUNC):
            # A write must not reach the blob, and no other kind of open is allowed now: a new inode takes the name.
            self._rebind(node)
        if node.gone and node.low is not None and writing:
            self._rebind(node)
        first = node.opens == 0
        content.open_file(self.overlay, node, flags)
        if first:
            node.io = self._kind(node, writing)
            if node.io == PASSTHROUGH and not node.backing and not self._register(node):
                node.io = CACHED
        if node.io == PASSTHROUGH and flags & _ACCMODE == _RDWR:
            if not node.shared and node.lookups:
                # From now on it may be mapped and written without the mount's knowledge: its times are not to
                # be remembered, nor the ones that the kernel has.
                self._tell_later(node.ino)
            node.shared += 1
        if first:
            self._held.file(node)
        else:
            self._held.count(node)
        if node.io == PASSTHROUGH:
            return OPEN_OUT.pack(handle, _PASSTHROUGH_FLAG, node.backing)
        return OPEN_OUT.pack(handle, _CACHE_FLAGS, 0)

    def release(self, node: File, flags: int, handle: int) -> None:
        """Close one handle; the registration stays until the kernel forgets the inode."""
        if node.io == PASSTHROUGH and flags & _ACCMODE == _RDWR:
            node.shared -= 1
        if content.release(self.overlay, node, flags):
            node.io = NONE
            if node in self._distrusted:
                self.distrust(node)
            self._closed(node)
        else:
            self._held.count(node)

    def _closed(self, node: File) -> None:
        if node.backing:
            self._held.count(node)  # a registration is the inode's until it is forgotten
        else:
            self._held.drop(node.ino)
        nodes = self.overlay.nodes
        if self._held.is_crowded(len(nodes.by_ino)):
            kept = list(nodes.by_ino.values())
            self._held.rewrite(
                (node for node in kept if isinstance(node, Folder)),
                (node for node in kept if isinstance(node, File) and (node.opens or node.backing)),
            )

    def validity(self, node: Node) -> int:
        """For how many seconds the kernel may keep a node's attributes."""
        return 0 if isinstance(node, File) and node.shared else FOREVER

    def distrust(self, node: File) -> None:
        """A file has got a set-id bit: what its registration took for granted is to be looked at again."""
        if node.opens:
            self._distrusted.add(node)
            return
        self._distrusted.discard(node)
        if node.backing:
            self._held.drop(node.ino)
        self._unregister(node)

    def forgotten(self, node: File) -> None:
        """Nobody holds the inode any more."""
        self._distrusted.discard(node)
        if node.backing:
            self._held.drop(node.ino)
        self._unregister(node)

    def _kind(self, node: File, writing: bool) -> int:
        if not self.passthrough:
            return CACHED
        if node.low is not None:
            return PASSTHROUGH if node.low.size >= LARGE and not writing else CACHED
        if self.overlay.writes_end_with_us:
            return CACHED
        found = os.fstat(content.descriptor(self.overlay, node)) if not node.backing else None
        # With a set-id bit each write must pass the mount, which drops it.
        special = found is not None and found.st_mode & (stat.S_ISUID | stat.S_ISGID)
        return CACHED if special else PASSTHROUGH

    def _register(self, node: File) -> bool:
        assert self._registrar is not None
        file = content.descriptor(self.overlay, node)
        try:
            node.backing = self._registrar.register(file)
        except OSError as error:
            # EPERM: no right to it and no broker; ELOOP: the file behind lies on a stacked file system.
            # Neither will change soon, and asking again would make each open wait.
            _log.info("opening without passthrough from now on: %s", error)
            self.passthrough = False
            return False
        return True

    def _unregister(self, node: File) -> None:
        if node.backing and self._registrar is not None:
            # The last of a removed file goes with it: the disk frees its blocks, which is not for the next caller
            # to wait for.
            self.later.do(partial(_close_registration, self._registrar, node.backing))
            node.backing = 0

    def _is_bound(self, node: File) -> bool:
        return node.io == PASSTHROUGH and node.opens > 0

    def _before_copy_up(self, node: File) -> None:
        if self._is_bound(node):
            self._rebind(node)
        self._unregister(node)

    def _rebind(self, node: File) -> None:
        if not node.gone:
            self.overlay.detach(node)
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    def _lost_setid(self, node: File) -> None:
        # The answer to a write or an open carries no attributes.
        self._tell_later(node.ino)

    def look_up_again(self) -> None:
        """What the kernel takes a name to lead to is wrong; it must not be told before it has its answer."""
        assert self._session is not None
        self.later.do(self._session.inc_epoch)

    def _tell_later(self, ino: int) -> None:
        assert self._session is not None
        self.later.do(partial(self._session.inval_inode, ino, -1))


def _close_registration(registrar: Registrar, number: int) -> None:
    try:
        registrar.close(number)
    except OSError as error:
        _log.debug("closing a registration: %s", error)
