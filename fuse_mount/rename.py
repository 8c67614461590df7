"""Renaming in an overlay: files by copy-up, lower folders by a redirect, both atomically.

The real rename and the records that go with it are bound by a `try` record, so that a kill between
them leaves either all of it or nothing.
"""

import errno
import os

from fuse_mount.entries import drop_folder, hiding, keep_for_holders
from fuse_mount.inode import File, Folder, Node
from fuse_mount.layer import Change, Origin, origin_change
from fuse_mount.lower import LowerStat
from fuse_mount.overlay import NAME_MAX, Overlay
from fuse_mount.syscalls import Rename
from syncd.core.entry import BlobId, Entry, Mode, RelPath


def _fail(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def rename(overlay: Overlay, folder: Folder, name: bytes, to: Folder, new: bytes, flags: Rename = Rename.PLAIN) -> None:
    """renameat2(2) with RENAME_NOREPLACE and RENAME_EXCHANGE."""
    if len(new) > NAME_MAX:
        raise _fail(errno.ENAMETOOLONG)
    if flags not in (Rename.PLAIN, Rename.NOREPLACE, Rename.EXCHANGE):
        raise _fail(errno.EINVAL)
    node = overlay.need(folder, name)
    target = overlay.lookup(to, new)
    if flags is Rename.NOREPLACE and target is not None:
        raise _fail(errno.EEXIST)
    if flags is Rename.EXCHANGE and target is None:
        raise _fail(errno.ENOENT)
    if _leads_through(to, node):
        raise _fail(errno.EINVAL)
    if target is node:
        return
    if flags is Rename.EXCHANGE and target is not None:
        if _leads_through(folder, target):
            raise _fail(errno.EINVAL)
        _exchange(overlay, node, folder, name, target, to, new)
        return
    if isinstance(node, Folder):
        _rename_folder(overlay, node, to, new, target)
    else:
        _rename_file(overlay, node, folder, name, to, new, target)


def _leads_through(folder: Folder | None, node: Node) -> bool:
    while folder is not None:
        if folder is node:
            return True
        folder = folder.parent
    return False


def _rename_file(
    overlay: Overlay, node: File, folder: Folder, name: bytes, to: Folder, new: bytes, target: Node | None
) -> None:
    if isinstance(target, Folder):
        raise _fail(errno.EISDIR)
    origin = origin_of(overlay, node, folder, name, to, new)
    overlay.copy_up(node)
    overlay.ensure_upper(folder)
    overlay.ensure_upper(to)
    old_path, new_path = folder.path_of(name), to.path_of(new)
    if isinstance(target, File) and target.low is None:
        if target.real == node.real:
            return
        keep_for_holders(overlay, target, to, new)
    changes = hiding(overlay, folder, name)
    if old_path in overlay.layer.origins:
        changes.append(("forget-origin", os.fsdecode(old_path)))
    if origin is not None:
        changes.append(origin_change(new_path, origin))
    elif new_path in overlay.layer.origins:
        changes.append(("forget-origin", os.fsdecode(new_path)))

    def act() -> None:
        overlay.upper.rename(old_path, new_path)

    overlay.nodes.renames(node, to, new)
    if changes:
        overlay.log.attempt(new_path, node.real, changes, act)
        overlay.epoch += 1
    else:
        act()
    overlay.note_removed(old_path)
    if isinstance(target, File):
        overlay.nodes.unname(target, to, new)
    _rename_node(overlay, node, folder, name, to, new)
    overlay.removed_from(folder, name)
    overlay.added(to, new)


def _rename_node(overlay: Overlay, node: File, folder: Folder, name: bytes, to: Folder, new: bytes) -> None:
    if folder.children.get(name) is node:
        del folder.children[name]
    if node.parent is folder and node.name == name:
        node.parent, node.name = to, new
    elif node.aliases and (folder, name) in node.aliases:
        node.aliases[node.aliases.index((folder, name))] = (to, new)
    to.children[new] = node
    overlay.nodes.renamed(node)


def origin_of(overlay: Overlay, node: File, folder: Folder, name: bytes, to: Folder, new: bytes) -> Origin | None:
    """Where a file comes from, if it is one of the course's files that gets another name."""
    known = overlay.layer.origins.get(folder.path_of(name))
    if known is not None and node.low is None and known.real == node.real:
        source, entry = known.path, known.entry
    else:
        ref = overlay.below(folder, name)
        if ref is None or folder.path_of(name) in overlay.layer.hidden:
            return None
        found = entry_of(overlay.lower.stat(ref))
        if found is None:
            return None
        source, entry = RelPath(os.fsdecode(_lower_path(overlay, folder, name))), found
    if os.fsencode(source) == to.path_of(new) or overlay.below(to, new) is not None:
        return None
    overlay.copy_up(node)
    return Origin(source, entry, node.real)


def entry_of(low: LowerStat) -> Entry | None:
    """What the core calls a lower file; None for what git does not know."""
    if not low.is_blob:
        return None
    kind = {0o120000: Mode.SYMLINK, 0o100000: Mode.EXECUTABLE if low.mode & 0o100 else Mode.FILE}.get(
        low.mode & 0o170000
    )
    return Entry(BlobId(low.version.hex()), kind) if kind else None


def _lower_path(overlay: Overlay, folder: Folder, name: bytes) -> bytes:
    """The lower's own path of what shows at a name."""
    names = [name]
    while folder.parent is not None:
        redirect = overlay.layer.redirects.get(folder.path())
        if redirect is not None:
            return b"/".join([redirect, *names])
        names.insert(0, folder.name)
        folder = folder.parent
    return b"/".join(names)


def _rename_folder(overlay: Overlay, node: Folder, to: Folder, new: bytes, target: Node | None) -> None:
    if target is not None:
        if not isinstance(target, Folder):
            raise _fail(errno.ENOTDIR)
        if overlay.names(target):
            raise _fail(errno.ENOTEMPTY)
    folder = node.parent
    assert folder is not None
    overlay.ensure_upper(folder)
    overlay.ensure_upper(to)
    old_path, new_path = node.path(), to.path_of(new)
    changes = _folder_changes(overlay, node, to, new)
    overlay.nodes.renames(node, to, new)
    if node.upper:

        def act() -> None:
            overlay.upper.rename(old_path, new_path)

        if changes:
            overlay.log.attempt(new_path, overlay.upper.real(old_path), changes, act)
        else:
            act()
    else:
        # The folder has nothing of the student's: records alone move it.  An empty upper folder there may stay.
        overlay.log.append(changes)
        overlay.upper.touch(folder.path())
        overlay.upper.touch(to.path())
        node.upper = overlay.upper.real(new_path) != 0
    if isinstance(target, Folder):
        drop_folder(overlay, target)
    _move_node(overlay, node, to, new)
    overlay.note_removed(old_path)
    overlay.added(to, new)


def _move_node(overlay: Overlay, node: Folder, to: Folder, new: bytes) -> None:
    if node.parent is not None:
        overlay.removed_from(node.parent, node.name)
    if node.parent is not None and node.parent.children.get(node.name) is node:
        del node.parent.children[node.name]
    node.move(to, new)
    to.children[new] = node
    overlay.nodes.renamed(node)
    overlay.epoch += 1


def _folder_changes(overlay: Overlay, node: Folder, to: Folder, new: bytes) -> list[Change]:
    """The records that go with a folder's move."""
    assert node.parent is not None
    old_path, new_path = node.path(), to.path_of(new)
    old, goal = os.fsdecode(old_path), os.fsdecode(new_path)
    layer = overlay.layer
    own_old = overlay.below(node.parent, node.name)
    lower = overlay.lower_of(node)
    changes: list[Change] = []
    if layer.below(new_path):
        changes.append(("clear", goal))
    if new_path in layer.redirects:
        changes.append(("show", goal))  # of the empty folder that it replaces
    if layer.below(old_path) or old_path in layer.hidden or old_path in layer.redirects:
        changes += [("show", goal), ("move", old, goal), ("show", goal)]
    changes += _bottom(overlay, to, new, _redirect_of(overlay, node) if lower is not None else None)
    if own_old is not None:
        changes.append(("hide", old))
    return changes


def _redirect_of(overlay: Overlay, node: Folder) -> bytes:
    known = overlay.layer.redirects.get(node.path())
    assert node.parent is not None
    return known if known is not None else _lower_path(overlay, node.parent, node.name)


def _bottom(overlay: Overlay, folder: Folder, name: bytes, source: bytes | None) -> list[Change]:
    """What a name's own record must be so that this lower folder, or none, lies below it."""
    path, own = os.fsdecode(folder.path_of(name)), overlay.below(folder, name)
    if source is None:
        return [("hide-own", path)] if own is not None else []
    if own is not None and source == _lower_path(overlay, folder, name):
        return [("show", path)]
    return [("redirect", path, os.fsdecode(source))]


def _exchange(overlay: Overlay, a: Node, folder: Folder, name: bytes, b: Node, to: Folder, new: bytes) -> None:
    origins = [
        origin_of(overlay, node, *where) if isinstance(node, File) else None
        for node, where in ((a, (folder, name, to, new)), (b, (to, new, folder, name)))
    ]
    for node in (a, b):
        if isinstance(node, Folder):
            overlay.ensure_upper(node)
        else:
            overlay.copy_up(node)
    a_path, b_path = folder.path_of(name), to.path_of(new)
    bottoms = []
    for node, place in ((a, (to, new)), (b, (folder, name))):
        is_merged = isinstance(node, Folder) and overlay.lower_of(node) is not None
        bottoms += _bottom(overlay, *place, _redirect_of(overlay, node) if is_merged else None)  # type: ignore[arg-type]
    one, two = os.fsdecode(a_path), os.fsdecode(b_path)
    changes: list[Change] = [("swap", one, two), ("show", one), ("show", two)]
    changes += [("forget-origin", one), ("forget-origin", two), *bottoms]
    changes += [origin_change(path, o) for path, o in zip((b_path, a_path), origins, strict=True) if o is not None]
    real = overlay.upper.real(a_path)
    overlay.nodes.renames(a, to, new)
    overlay.nodes.renames(b, folder, name)
    if overlay.nodes.held is not None:
        overlay.nodes.held.exchanges(real, to, new)
    overlay.log.attempt(b_path, real, changes, lambda: overlay.upper.rename(a_path, b_path, Rename.EXCHANGE))
    folder.children[name], to.children[new] = b, a
    overlay.added(folder, name)
    overlay.added(to, new)
    for node, was, now in ((a, (folder, name), (to, new)), (b, (to, new), (folder, name))):
        if isinstance(node, Folder):
            node.move(*now)
        elif (node.parent, node.name) == was:
            node.parent, node.name = now
        elif node.aliases and was in node.aliases:
            node.aliases[node.aliases.index(was)] = now
        overlay.nodes.renamed(node)
    overlay.epoch += 1
