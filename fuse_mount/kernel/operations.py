"""Requests of the kernel, translated into the overlay's methods and back."""

import errno
import os
import stat
import time

from fuse_mount import content, entries
from fuse_mount.content import NewAttr
from fuse_mount.held import Held
from fuse_mount.inode import File, Node
from fuse_mount.kernel import protocol as p
from fuse_mount.kernel.again import carry_out_again
from fuse_mount.kernel.listings import Listings
from fuse_mount.kernel.opening import CACHED, FOREVER, Opening
from fuse_mount.kernel.packing import dirent_of, name_in, ns_of, packed, sized
from fuse_mount.kernel.protocol import Op, Set
from fuse_mount.kernel.session import Agreement, Handler, Reply, Request, Session
from fuse_mount.overlay import Caller, Overlay
from fuse_mount.rename import rename
from fuse_mount.syscalls import Rename

_MODE, _UID, _GID, _SIZE, _HANDLE = int(Set.MODE), int(Set.UID), int(Set.GID), int(Set.SIZE), int(Set.FH)
_ATIME, _MTIME, _ATIME_NOW, _MTIME_NOW = int(Set.ATIME), int(Set.MTIME), int(Set.ATIME_NOW), int(Set.MTIME_NOW)
_KILL_SUIDGID = int(Set.KILL_SUIDGID)

_NOTHING = p.ENTRY_HEAD.pack(0, 0, FOREVER, 0, 0, 0) + bytes(p.ATTR.size)
_EMPTY = b""
_DROP_SETID = NewAttr(drop_setid=True)


class KernelOperations:
    """The table of handlers over one overlay."""

    def __init__(self, overlay: Overlay, held: Held) -> None:
        """Handlers run on the session's thread, under the overlay's lock."""
        self.overlay = overlay
        self.opening = Opening(overlay, held)
        self._held = held
        self._ext_xattr = False
        self.listings = Listings()
        self.handlers: dict[int, Handler] = {
            Op.LOOKUP: self._lookup,
            Op.FORGET: self._forget,
            Op.BATCH_FORGET: self._batch_forget,
            Op.GETATTR: self._getattr,
            Op.SETATTR: self._setattr,
            Op.READLINK: self._readlink,
            Op.SYMLINK: self._symlink,
            Op.MKNOD: self._mknod,
            Op.MKDIR: self._mkdir,
            Op.UNLINK: self._unlink,
            Op.RMDIR: self._rmdir,
            Op.RENAME: self._rename,
            Op.RENAME2: self._rename2,
            Op.LINK: self._link,
            Op.OPEN: self._open,
            Op.READ: self._read,
            Op.WRITE: self._write,
            Op.STATFS: self._statfs,
            Op.RELEASE: self._release,
            Op.FSYNC: self._fsync,
            Op.FSYNCDIR: self._fsyncdir,
            Op.SETXATTR: self._setxattr,
            Op.GETXATTR: self._getxattr,
            Op.LISTXATTR: self._listxattr,
            Op.REMOVEXATTR: self._removexattr,
            Op.READDIR: self._readdir,
            Op.READDIRPLUS: self._readdirplus,
            Op.CREATE: self._create,
            Op.TMPFILE: self._tmpfile,
            Op.FALLOCATE: self._fallocate,
            Op.LSEEK: self._lseek,
            Op.COPY_FILE_RANGE: self._copy_range,
            Op.DESTROY: self._destroy,
            Op.SYNCFS: self._syncfs,
        }

    def catch_up(self) -> None:
        """See `Overlay.catch_up`."""
        self.overlay.catch_up()

    def begin(self, session: Session, agreement: Agreement) -> None:
        """Take note of what the kernel can do."""
        self._ext_xattr = bool(agreement.flags & p.Init.SETXATTR_EXT)
        self.opening.begin(session, agreement.passthrough)

    def end(self) -> None:
        """Nothing is asked any more."""
        self.opening.end()

    def again(self, request: Request, done: bool) -> Reply:
        """See `again`."""
        opened, self._held.opened = self._held.opened, set()
        return carry_out_again(request, done, opened, self.handlers[request.op], self._lookup, self._release)

    # Names

    def _lookup(self, request: Request) -> Reply:
        node = self.overlay.lookup(self.overlay.nodes.folder(request.node), name_in(request.body))
        return _NOTHING if node is None else self._entry(node)

    def _entry(self, node: Node) -> bytes:
        attr = self.overlay.attr(node)
        node.lookups += 1
        return p.ENTRY_OUT.pack(node.ino, 0, FOREVER, self.opening.validity(node), 0, 0, *packed(attr))

    def _forget(self, request: Request) -> Reply:
        self._drop(request.node, p.FORGET_IN.unpack_from(request.body)[0])
        return None

    def _batch_forget(self, request: Request) -> Reply:
        count, _ = p.BATCH_FORGET_IN.unpack_from(request.body)
        at = p.BATCH_FORGET_IN.size
        for ino, lookups in p.FORGET_ONE.iter_unpack(request.body[at : at + count * p.FORGET_ONE.size]):
            self._drop(ino, lookups)
        return None

    def _drop(self, ino: int, lookups: int) -> None:
        node = self.overlay.forget(ino, lookups)
        if node is not None:
            self.opening.forgotten(node)
            if node.became is not None:
                self._drop(node.became.ino, 1)

    def _symlink(self, request: Request) -> Reply:
        name, target, _ = bytes(request.body).split(b"\0", 2)
        folder = self.overlay.nodes.folder(request.node)
        return self._entry(entries.symlink(self.overlay, folder, name, target, _caller(request)))

    def _mknod(self, request: Request) -> Reply:
        mode, rdev, _, _ = p.MKNOD_IN.unpack_from(request.body)
        name = name_in(request.body[p.MKNOD_IN.size :])
        folder = self.overlay.nodes.folder(request.node)
        device = os.makedev((rdev >> 8) & 0xFFF, (rdev & 0xFF) | ((rdev >> 12) & 0xFFF00))
        return self._entry(entries.mknod(self.overlay, folder, name, mode, device, _caller(request)))

    def _mkdir(self, request: Request) -> Reply:
        mode, _ = p.MKDIR_IN.unpack_from(request.body)
        name = name_in(request.body[p.MKDIR_IN.size :])
        folder = self.overlay.nodes.folder(request.node)
        return self._entry(entries.mkdir(self.overlay, folder, name, mode, _caller(request)))

    def _unlink(self, request: Request) -> Reply:
        entries.unlink(self.overlay, self.overlay.nodes.folder(request.node), name_in(request.body))
        return _EMPTY

    def _rmdir(self, request: Request) -> Reply:
        entries.rmdir(self.overlay, self.overlay.nodes.folder(request.node), name_in(request.body))
        return _EMPTY

    def _rename(self, request: Request) -> Reply:
        (to,) = p.RENAME_IN.unpack_from(request.body)
        return self._do_rename(request, to, 0, p.RENAME_IN.size)

    def _rename2(self, request: Request) -> Reply:
        to, flags, _ = p.RENAME2_IN.unpack_from(request.body)
        return self._do_rename(request, to, flags, p.RENAME2_IN.size)

    def _do_rename(self, request: Request, to: int, flags: int, at: int) -> Reply:
        old, new, _ = bytes(request.body[at:]).split(b"\0", 2)
        nodes = self.overlay.nodes
        above, below = nodes.folder(request.node), nodes.folder(to)
        moved = [self.overlay.lookup(above, old)]
        if flags & Rename.EXCHANGE:
            moved.append(self.overlay.lookup(below, new))
        rename(self.overlay, above, old, below, new, Rename(flags))
        if any(node is not None and not node.lookups for node in moved):
            # Looked up before a switch: the kernel takes the file of then along to the new name.
            self.opening.look_up_again()
        return _EMPTY

    def _link(self, request: Request) -> Reply:
        (old,) = p.LINK_IN.unpack_from(request.body)
        name = name_in(request.body[p.LINK_IN.size :])
        node, folder = self.overlay.nodes.file(old), self.overlay.nodes.folder(request.node)
        if node.replaced:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))  # by its former name: that leads elsewhere now
        return self._entry(entries.link(self.overlay, node, folder, name))

    def _readlink(self, request: Request) -> Reply:
        return self.overlay.target(self.overlay.nodes.file(request.node))

    # Attributes

    def _getattr(self, request: Request) -> Reply:
        return self._attr_out(self.overlay.nodes.get(request.node))

    def _attr_out(self, node: Node) -> bytes:
        return p.ATTR_OUT.pack(self.opening.validity(node), 0, 0, *packed(self.overlay.attr(node)))

    def _setattr(self, request: Request) -> Reply:
        fields = p.SETATTR_IN.unpack_from(request.body)
        valid, size = fields[0], fields[3]
        atime, mtime = ns_of(fields[5], fields[8]), ns_of(fields[6], fields[9])
        mode, uid, gid = fields[11], fields[13], fields[14]
        now = time.time_ns()
        node = self.overlay.nodes.get(request.node)
        new = NewAttr(
            mode=mode if valid & _MODE else None,
            uid=uid if valid & _UID else None,
            gid=gid if valid & _GID else None,
            size=size if valid & _SIZE else None,
            atime_ns=(now if valid & _ATIME_NOW else atime) if valid & _ATIME else None,
            mtime_ns=(now if valid & _MTIME_NOW else mtime) if valid & _MTIME else None,
            drop_setid=bool(valid & _KILL_SUIDGID),
        )
        if isinstance(node, File) and node.replaced and not (valid & _HANDLE or (node.opens and new.size is None)):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))  # by its former name: that leads elsewhere now
        content.set_attr(self.overlay, node, new)
        if valid & _MODE and mode & (stat.S_ISUID | stat.S_ISGID) and isinstance(node, File):
            self.opening.distrust(node)
        return self._attr_out(node)

    def _statfs(self, request: Request) -> Reply:
        found = self.overlay.upper.free()
        return p.STATFS_OUT.pack(
            found.f_blocks,
            found.f_bfree,
            found.f_bavail,
            found.f_files,
            found.f_ffree,
            found.f_bsize,
            min(found.f_namemax, 255),
            found.f_frsize,
            0,
        )

    # Content

    def _open(self, request: Request) -> Reply:
        flags, more = p.OPEN_IN.unpack_from(request.body)
        node = self.overlay.nodes.file(request.node)
        opened = self.opening.open(node, flags, request.pid)
        if more & p.OPEN_KILL_SUIDGID:
            content.set_attr(self.overlay, node, _DROP_SETID)
        return opened

    def _create(self, request: Request) -> Reply:
        flags, mode, _, more = p.CREATE_IN.unpack_from(request.body)
        name = name_in(request.body[p.CREATE_IN.size :])
        folder = self.overlay.nodes.folder(request.node)
        try:
            node = entries.create(self.overlay, folder, name, mode, _caller(request))
        except FileExistsError:
            # Somebody else was faster; without O_EXCL that is an open like any other.
            known = self.overlay.lookup(folder, name)
            if flags & os.O_EXCL or not isinstance(known, File):
                raise
            opened = self.opening.open(known, flags)
            if more & p.OPEN_KILL_SUIDGID:
                content.set_attr(self.overlay, known, _DROP_SETID)
            return [self._entry(known), opened]
        opened = self.opening.open(node, flags & ~os.O_TRUNC)
        return [self._entry(node), opened]

    def _tmpfile(self, request: Request) -> Reply:
        flags, mode, _, _ = p.CREATE_IN.unpack_from(request.body)
        folder = self.overlay.nodes.folder(request.node)
        node = entries.create_nameless(self.overlay, folder, mode, _caller(request))
        opened = self.opening.open(node, flags & ~os.O_TRUNC)
        return [self._entry(node), opened]

    def _read(self, request: Request) -> Reply:
        _, offset, size, _, _, _, _ = p.READ_IN.unpack_from(request.body)
        return content.read(self.overlay, self.overlay.nodes.file(request.node), size, offset)

    def _write(self, request: Request) -> Reply:
        _, offset, size, flags, _, _, _ = p.WRITE_IN.unpack_from(request.body)
        data = request.body[p.WRITE_IN.size : p.WRITE_IN.size + size]
        node = self.overlay.nodes.file(request.node)
        count = content.write(self.overlay, node, data, offset, bool(flags & p.WRITE_KILL_SUIDGID))
        return p.WRITE_OUT.pack(count, 0)

    def _release(self, request: Request) -> Reply:
        handle, flags, _, _ = p.RELEASE_IN.unpack_from(request.body)
        self.opening.release(self.overlay.nodes.file(request.node), flags, handle)
        return _EMPTY

    def _fsync(self, request: Request) -> Reply:
        _, flags, _ = p.FSYNC_IN.unpack_from(request.body)
        node = self.overlay.nodes.file(request.node)
        content.sync_file(self.overlay, node, bool(flags & p.FSYNC_DATA_ONLY))
        return _EMPTY

    def _fsyncdir(self, request: Request) -> Reply:
        content.sync_folder(self.overlay, self.overlay.nodes.folder(request.node))
        return _EMPTY

    def _syncfs(self, request: Request) -> Reply:
        self.overlay.log.sync()
        os.sync()
        return _EMPTY

    def _fallocate(self, request: Request) -> Reply:
        _, offset, length, mode, _ = p.FALLOCATE_IN.unpack_from(request.body)
        node = self.overlay.nodes.file(request.node)
        content.allocate(self.overlay, node, mode, offset, length)
        self._changed_by(request, node)
        return _EMPTY

    def _lseek(self, request: Request) -> Reply:
        _, offset, whence, _ = p.LSEEK_IN.unpack_from(request.body)
        node = self.overlay.nodes.file(request.node)
        # What was written through a map may still be the kernel's alone, in what the disk takes for a hole.
        unsure = node.io == CACHED and node.writers > 0
        return p.LSEEK_OUT.pack(content.seek(self.overlay, node, offset, whence, unsure))

    def _copy_range(self, request: Request) -> Reply:
        _, at, to_node, _, to, length, _ = p.COPY_IN.unpack_from(request.body)
        nodes = self.overlay.nodes
        source, target = nodes.file(request.node), nodes.file(to_node)
        # The answer has 32 bits for the count.
        count = content.copy_range(self.overlay, source, at, target, to, min(length, 1 << 30))
        self._changed_by(request, target)
        return p.WRITE_OUT.pack(count, 0)

    def _changed_by(self, request: Request, node: File) -> None:
        # Of these the kernel does not say whether set-id bits must go, as it does of writes.
        if request.uid:
            content.set_attr(self.overlay, node, _DROP_SETID)

    def _destroy(self, request: Request) -> Reply:
        self.overlay.log.sync()
        return _EMPTY

    # Folders

    def _readdir(self, request: Request) -> Reply:
        return self._listing(request, plus=False)

    def _readdirplus(self, request: Request) -> Reply:
        return self._listing(request, plus=True)

    def _listing(self, request: Request, plus: bool) -> Reply:
        _, offset, size, _, _, _, _ = p.READ_IN.unpack_from(request.body)
        folder = self.overlay.nodes.folder(request.node)
        if offset:
            self.listings.read(folder.ino)
        parts: list[bytes] = []
        room = size
        if offset < 2:
            above = folder.parent or folder
            for cookie, name, ino in ((1, b".", folder.ino), (2, b"..", above.ino)):
                if cookie > offset:
                    head = bytes(p.ENTRY_OUT.size) if plus else b""
                    parts.append(head + dirent_of(ino, cookie, name, stat.S_IFDIR))
                    room -= len(parts[-1])
            offset = 0 if offset < 2 else offset
        for cookie, name, ref in self.overlay.list(folder, 0 if offset <= 2 else offset):
            need = p.aligned(p.DIRENT.size + len(name)) + (p.ENTRY_OUT.size if plus else 0)
            if need > room:
                break
            listed = self.overlay.hold_listed(folder, name, ref) if plus and ref is not None else None
            if listed is not None:
                ino = listed.ino ^ self.overlay.nodes.salt
                parts.append(p.ENTRY_OUT.pack(ino, 0, FOREVER, FOREVER, 0, 0, *packed(listed)))
                parts.append(dirent_of(listed.ino, cookie, name, listed.mode))
                room -= need
                continue
            node = self.overlay.lookup(folder, name, ref)
            if node is None:
                continue
            try:
                attr = self.overlay.attr(node)
            except FileNotFoundError:
                continue
            dirent = dirent_of(attr.ino, cookie, name, attr.mode)
            if plus:
                node.lookups += 1
                valid = self.opening.validity(node)
                parts.append(p.ENTRY_OUT.pack(node.ino, 0, FOREVER, valid, 0, 0, *packed(attr)))
            else:
                self.overlay.forget(node.ino, 0)
            parts.append(dirent)
            room -= need
        if plus and parts:
            self.listings.answered(folder.ino)
        return [b"".join(parts)]

    # Extended attributes

    def _setxattr(self, request: Request) -> Reply:
        size, flags = p.SETXATTR_IN.unpack_from(request.body)
        head = p.SETXATTR_EXT_IN.size if self._ext_xattr else p.SETXATTR_IN.size
        name, rest = bytes(request.body[head:]).split(b"\0", 1)
        content.set_xattr(self.overlay, self.overlay.nodes.get(request.node), name, rest[:size], flags)
        return _EMPTY

    def _getxattr(self, request: Request) -> Reply:
        size, _ = p.GETXATTR_IN.unpack_from(request.body)
        name = name_in(request.body[p.GETXATTR_IN.size :])
        return sized(content.get_xattr(self.overlay, self.overlay.nodes.get(request.node), name), size)

    def _listxattr(self, request: Request) -> Reply:
        size, _ = p.GETXATTR_IN.unpack_from(request.body)
        names = content.list_xattr(self.overlay, self.overlay.nodes.get(request.node))
        return sized(b"".join(os.fsencode(name) + b"\0" for name in names), size)

    def _removexattr(self, request: Request) -> Reply:
        content.remove_xattr(self.overlay, self.overlay.nodes.get(request.node), name_in(request.body))
        return _EMPTY


def _caller(request: Request) -> Caller:
    return Caller(request.uid, request.gid)
