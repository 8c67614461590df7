"""Taking over a mount from a process that died: the nodes that the kernel still asks for by number.

All else is found again by name, under the same numbers.
"""

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from fuse_mount.entries import drop_orphan
from fuse_mount.handover import Handed
from fuse_mount.held import Held
from fuse_mount.held_records import HeldFile, HeldFolder
from fuse_mount.inode import File, Folder
from fuse_mount.kernel.mount import is_mounted
from fuse_mount.overlay import Overlay

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """A mount that is taken over."""

    device: int
    held: Held
    folders: list[int]
    """Numbers of folders that the kernel knows."""


_SALT_AT, _AGES = 48, 0x3FFF
"""Above the inode numbers of disks, and below the bit that marks a lower entry's."""
_DEPTH = 4096
"""More folders above one another than a path can have: the table is damaged."""


def go_on(overlay: Overlay, handed: Handed, point: Path) -> Taken | None:
    """Go on with a mount whose process died; one that is gone, or whose table can't be read, is let go."""
    try:
        held = Held(handed.held)
    except ValueError:
        _log.warning("%s: what the last process held can't be read; the folder is mounted anew", point)
        os.close(handed.held)
    else:
        if held.minor and is_mounted(point):
            return take_over(overlay, handed.device, held)
        held.close()
    os.close(handed.device)
    return None


def take_over(overlay: Overlay, device: int, held: Held) -> Taken:
    """Make the nodes that `held` tells of, and write down in it from now on."""
    nodes = overlay.nodes
    nodes.held = None  # nothing here is news
    held.exchanged = _has_exchanged(overlay, held)
    for ino in held.folders:
        # From the top down: folders may lie deeper than calls may.
        chain = [ino]
        while chain[-1] in held.folders and chain[-1] not in nodes.by_ino and len(chain) < _DEPTH:
            chain.append(held.folders[chain[-1]].parent)
        for above in reversed(chain):
            _folder(overlay, held, above, _DEPTH)
    for ino, file in held.files.items():
        _file(overlay, held, ino, file)
    if held.exchanged or held.closed:
        held.ends()
    folders = list(held.folders)
    held.age_by_one()
    nodes.salt = (held.age & _AGES) << _SALT_AT
    held.folders, held.files, held.moves = {}, {}, {}
    held.rewrite(
        (node for node in nodes.by_ino.values() if isinstance(node, Folder)),
        (node for node in nodes.by_ino.values() if isinstance(node, File)),
        held.opened,
    )
    nodes.held = held
    return Taken(device, held, folders)


def _has_exchanged(overlay: Overlay, held: Held) -> bool:
    """Whether the exchange that was under way was carried out: its first entry is at the second one's place."""
    if held.exchange is None:
        return False
    parent_ino, name, real = held.exchange
    parent = _folder(overlay, held, parent_ino, _DEPTH)
    return parent is not None and not parent.gone and overlay.upper.real(parent.path_of(name)) == real


def _places(held: Held, ino: int, record: HeldFolder | HeldFile) -> list[tuple[int, bytes]]:
    """Where a node may be, the likelier place first: after an exchange something is at either."""
    places = [(record.parent, record.name)] if not record.gone else []
    if ino in held.moves:
        places.insert(0 if held.exchanged else len(places), held.moves[ino])
    return places


def _folder(overlay: Overlay, held: Held, ino: int, depth: int) -> Folder | None:
    nodes = overlay.nodes
    known = nodes.by_ino.get(ino)
    if known is not None:
        return known if isinstance(known, Folder) else None
    record = held.folders.get(ino)
    if record is None or depth == 0:
        return None
    for parent_ino, name in _places(held, ino, record):
        parent = _folder(overlay, held, parent_ino, depth - 1)
        if parent is not None and not parent.gone and name not in parent.children:
            folder = Folder(ino, parent, name, False)
            found = overlay.upper.stat(folder.path())
            folder.upper = found is not None and stat.S_ISDIR(found.st_mode)
            if folder.upper or (found is None and overlay.lower_of(folder) is not None):
                parent.children[name] = folder
                break
    else:
        folder = Folder(ino, nodes.root, record.name, False)
        folder.gone = True
    folder.restored = True
    nodes.by_ino[ino] = folder
    return folder


def _file(overlay: Overlay, held: Held, ino: int, record: HeldFile) -> None:
    nodes = overlay.nodes
    node = File(ino, nodes.root, record.name, record.low, record.real, record.number)
    node.gone = True
    for parent_ino, name in _places(held, ino, record):
        parent = _folder(overlay, held, parent_ino, _DEPTH)
        if parent is not None and not parent.gone and _is_there(overlay, node, parent, name):
            node.parent, node.name, node.gone = parent, name, False
            parent.children.setdefault(name, node)
            break
    node.restored = True
    node.replaced = node.gone and not record.gone
    node.opens, node.writers, node.shared = record.opens, record.writers, record.shared
    node.io, node.backing = record.io, record.backing
    nodes.by_ino[ino] = node
    if node.low is None:
        node.orphan = overlay.upper.staged_orphan(node.real)
        if not node.gone or node.orphan:
            nodes.by_real[node.real] = node  # else its inode number may be another file's by now
        if node.gone and node.orphan:
            node.fd = overlay.upper.open_orphan(node.real)
        elif node.orphan:
            drop_orphan(overlay, node)  # its name was about to be taken away
    if node.opens:
        overlay.opened.add(node)
    if node.writers:
        overlay.writing.add(node)


def _is_there(overlay: Overlay, node: File, parent: Folder, name: bytes) -> bool:
    """Whether a name leads to this very file: an update may have been finished meanwhile."""
    path = parent.path_of(name)
    if node.low is None:
        return overlay.upper.real(path) == node.real
    if path in overlay.layer.hidden or overlay.upper.stat(path) is not None:
        return False
    ref = overlay.below(parent, name)
    return ref is not None and overlay.lower.stat(ref) == node.low
