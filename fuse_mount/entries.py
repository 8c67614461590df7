"""Names of an overlay: making, linking and removing entries.  Renames have a file of their own."""

import errno
import os
import stat

from fuse_mount.inode import File, Folder
from fuse_mount.layer import Change
from fuse_mount.overlay import NAME_MAX, Caller, Overlay


def _fail(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def _room_for(overlay: Overlay, folder: Folder, name: bytes) -> bytes:
    """The path of a name that is to be made; the upper itself says whether it has it."""
    if len(name) > NAME_MAX:
        raise _fail(errno.ENAMETOOLONG)
    if overlay.lookup(folder, name, but_upper=True) is not None:
        raise _fail(errno.EEXIST)
    overlay.ensure_upper(folder)
    return folder.path_of(name)


def _give(overlay: Overlay, folder: Folder, path: bytes, caller: Caller) -> None:
    if (caller.uid, caller.gid) != (0, 0):
        above = overlay.upper.stat(folder.path())
        inherits = above is not None and above.st_mode & stat.S_ISGID
        overlay.upper.give(path, caller.uid, -1 if inherits else caller.gid)


def _found(overlay: Overlay, folder: Folder, name: bytes) -> File:
    real = overlay.upper.real(folder.path_of(name))
    overlay.added(folder, name)
    return overlay.nodes.add_upper(folder, name, real)


def create(overlay: Overlay, folder: Folder, name: bytes, mode: int, caller: Caller) -> File:
    """A new file, opened once for reading and writing."""
    path = _room_for(overlay, folder, name)
    fd = overlay.upper.create(path, mode)
    _give(overlay, folder, path, caller)
    node = overlay.nodes.add_upper(folder, name, os.fstat(fd).st_ino)
    overlay.added(folder, name)
    node.fd = fd
    return node


def create_nameless(overlay: Overlay, folder: Folder, mode: int, caller: Caller) -> File:
    """A new file without a name (O_TMPFILE)."""
    overlay.ensure_upper(folder)
    fd = overlay.upper.anonymous(mode)
    if os.geteuid() == 0:
        above = overlay.upper.stat(folder.path())
        gid = above.st_gid if above is not None and above.st_mode & stat.S_ISGID else caller.gid
        if (caller.uid, gid) != (0, 0):
            os.fchown(fd, caller.uid, gid)
            os.fchmod(fd, mode & 0o7777)  # chown drops set-id bits
    node = overlay.nodes.add_nameless(os.fstat(fd).st_ino)
    node.fd = fd
    keep_orphan(overlay, node)
    return node


def keep_orphan(overlay: Overlay, node: File) -> None:
    """Where a successor must find it, an open file that loses its last name gets a hidden one."""
    if overlay.nodes.held is not None and not node.orphan:
        node.orphan = overlay.upper.link_orphan(node.fd, node.real)


def drop_orphan(overlay: Overlay, node: File) -> None:
    """Nobody has it open any more, or it has a name again."""
    if node.orphan:
        overlay.upper.unlink_orphan(node.real)
        node.orphan = False


def mkdir(overlay: Overlay, folder: Folder, name: bytes, mode: int, caller: Caller) -> Folder:
    """A new folder; over a whiteout it is empty, for the whiteout stays."""
    path = _room_for(overlay, folder, name)
    overlay.upper.mkdir(path, mode)
    _give(overlay, folder, path, caller)
    overlay.added(folder, name)
    return overlay.nodes.add_folder(folder, name, True)


def mknod(overlay: Overlay, folder: Folder, name: bytes, mode: int, rdev: int, caller: Caller) -> File:
    """A new fifo, socket or file; a device only for root, and never the one that other overlays read as a whiteout."""
    if stat.S_ISCHR(mode) and rdev == 0:
        raise _fail(errno.EPERM)
    path = _room_for(overlay, folder, name)
    overlay.upper.mknod(path, mode, rdev)
    _give(overlay, folder, path, caller)
    return _found(overlay, folder, name)


def symlink(overlay: Overlay, folder: Folder, name: bytes, target: bytes, caller: Caller) -> File:
    """A new symbolic link."""
    path = _room_for(overlay, folder, name)
    overlay.upper.symlink(path, target)
    _give(overlay, folder, path, caller)
    return _found(overlay, folder, name)


def link(overlay: Overlay, node: File, folder: Folder, name: bytes) -> File:
    """A second name for a file (a first one for a file without)."""
    if node.gone and node.fd < 0:
        raise _fail(errno.ENOENT)
    overlay.copy_up(node)
    path = _room_for(overlay, folder, name)
    if node.gone:
        overlay.upper.link_open(node.fd, path)
        drop_orphan(overlay, node)
    else:
        overlay.upper.link(node.path(), path)
    return _found(overlay, folder, name)


def unlink(overlay: Overlay, folder: Folder, name: bytes) -> File:
    """Remove a file's name; the lower file there gets a whiteout first."""
    node = overlay.need(folder, name)
    if isinstance(node, Folder):
        raise _fail(errno.EISDIR)
    path = folder.path_of(name)
    hide_lower(overlay, folder, name)
    if node.low is None:
        keep_for_holders(overlay, node, folder, name)
        overlay.upper.unlink(path)
        if path in overlay.layer.origins:
            overlay.log.append([("forget-origin", os.fsdecode(path))])
    overlay.nodes.unname(node, folder, name)
    overlay.removed_from(folder, name)
    return node


def rmdir(overlay: Overlay, folder: Folder, name: bytes) -> Folder:
    """Remove an empty folder."""
    node = overlay.need(folder, name)
    if not isinstance(node, Folder):
        raise _fail(errno.ENOTDIR)
    path = node.path()
    merged, records = overlay.lower_of(node) is not None, overlay.layer.below(path)
    if (merged or records) and overlay.names(node):
        raise _fail(errno.ENOTEMPTY)  # of what shows in it the upper may have nothing: a folder moved here is a record
    if merged and node.upper:
        hide_lower(overlay, folder, name)
        overlay.upper.rmdir(path)
    elif node.upper:
        overlay.upper.rmdir(path)
        if records:
            overlay.log.append([("clear", os.fsdecode(path))])
    else:
        hide_lower(overlay, folder, name)
    drop_folder(overlay, node)
    return node


def drop_folder(overlay: Overlay, node: Folder) -> None:
    """A folder has lost its name."""
    if node.parent is not None:
        overlay.removed_from(node.parent, node.name)
    if node.parent is not None and node.parent.children.get(node.name) is node:
        del node.parent.children[node.name]
    node.gone, node.upper, node.listing = True, False, None
    overlay.nodes.renamed(node)
    overlay.epoch += 1


def hide_lower(overlay: Overlay, folder: Folder, name: bytes) -> None:
    """Write a whiteout for whatever of the lower shows at a name, and mark the folder as changed."""
    path = folder.path_of(name)
    overlay.note_removed(path)
    changes = hiding(overlay, folder, name)
    if changes:
        overlay.ensure_upper(folder)
        overlay.log.append(changes)
        overlay.upper.touch(folder.path())
        overlay.epoch += 1


def hiding(overlay: Overlay, folder: Folder, name: bytes) -> list[Change]:
    """The records after which nothing of the lower shows at a name."""
    path = folder.path_of(name)
    if overlay.below(folder, name) is not None:
        return [] if path in overlay.layer.hidden else [("hide", os.fsdecode(path))]
    if path in overlay.layer.redirects:
        return [("clear", os.fsdecode(path)), ("show", os.fsdecode(path))]
    return []


def keep_for_holders(overlay: Overlay, node: File, folder: Folder, name: bytes) -> None:
    """Before an upper file loses a name: keep what those who hold it may still ask for."""
    path = folder.path_of(name)
    found = overlay.upper.stat(path)
    if found is None:
        raise _fail(errno.ENOENT)
    known = 1 + len(node.aliases or ())
    if node.fd >= 0 and known == 1 and node.opens:
        keep_orphan(overlay, node)
    elif node.fd < 0 and known == 1 and (node.opens or found.st_nlink > 1):
        if stat.S_ISREG(found.st_mode):
            node.fd = overlay.upper.open_file(path)
        else:
            node.fd = overlay.upper.open(path, os.O_PATH)
        if node.opens:
            keep_orphan(overlay, node)
    elif node.fd < 0 and found.st_nlink == 1:
        node.last = _without_links(found)
    if found.st_nlink == 1 and node.fd < 0 and overlay.nodes.by_real.get(node.real) is node:
        # Its inode number is free from now on; another file may get it.
        del overlay.nodes.by_real[node.real]


def _without_links(found: os.stat_result) -> os.stat_result:
    values = list(found)
    values[3] = 0
    extra = {name: getattr(found, name) for name in ("st_blksize", "st_blocks", "st_rdev")}
    times = {name: getattr(found, name) for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns")}
    return os.stat_result(values, {**extra, **times})
