"""Switching the lower tree under a layer, so that what the student changed stays and all else is new.

Everything is driven by the difference of two commits.  Whiteouts and redirects speak of folders,
but mean the files that were in them: what a commit adds to such a folder shows where it was added,
and what it takes from a folder that the student moved stays with him.
"""

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from fuse_mount.entries import drop_folder
from fuse_mount.inode import File, Folder
from fuse_mount.layer import Change, Layer, Origin, origin_change
from fuse_mount.overlay import Overlay
from syncd.core import entry as core
from syncd.core.entry import RelPath
from syncd.manifest import Manifest


@dataclass(slots=True)
class Stale:
    """What a switch made wrong in the caches of whoever looks."""

    names: set[tuple[int, bytes]] = field(default_factory=set)
    folders: set[int] = field(default_factory=set)


class Switch:
    """The records that a switch needs; they are gathered on a copy, and true once they are written."""

    def __init__(self, overlay: Overlay, old: Manifest | None, new: Manifest) -> None:
        """`old` is the commit that shows now.  Under the lock, until `finish`."""
        self.overlay = overlay
        self.old = old
        self.new = new
        self.changes: list[Change] = []
        now = overlay.layer
        self._layer = Layer(set(now.hidden), dict(now.redirects), dict(now.origins))
        self._concealed: set[bytes] = set()
        self.touched: set[bytes] = set()
        self.stale = Stale()

    def record(self, *changes: Change) -> None:
        """Add records."""
        self.changes += changes
        self._layer.fold(changes)
        self.touched.update(os.fsencode(str(change[1])) for change in changes)

    # What the student has

    def pin(self, path: bytes, origin: RelPath | None = None) -> bool:
        """Make what shows at a path now the student's own file, if it is the course's; whether it was."""
        node = self.overlay.at(path)
        if not isinstance(node, File) or node.low is None:
            return False
        own(self.overlay, path)
        was = None if origin is None or self.old is None else self.old.entry(origin)
        if origin is not None and was is not None:
            self.record(origin_change(path, Origin(origin, was, self.overlay.upper.real(path))))
        return True

    def reveal(self, path: bytes) -> bool:
        """Let the course's file show at a path; False if a file of the student's stands where a folder must be."""
        names = path.split(b"/")
        for end in range(1, len(names)):
            node = self.overlay.at(b"/".join(names[:end]))
            if isinstance(node, File) and node.low is None:
                return False
        for end in range(1, len(names) + 1):
            folder = b"/".join(names[:end])
            if folder in self._layer.redirects:
                self._settle(folder, path)
        for end in range(1, len(names) + 1):
            folder = b"/".join(names[:end])
            if folder in self._layer.hidden:
                self.record(("show", os.fsdecode(folder)))
                for child in self._old_names(folder) if folder != path else ():
                    at = folder + b"/" + child
                    lower = self._layer.redirects.get(at)
                    if lower is None:
                        self.record(("hide-own", os.fsdecode(at)))
                    elif lower == at:
                        self.record(("show", os.fsdecode(at)))  # the student has moved it back: it shows by itself now
        return True

    def conceal(self, path: bytes) -> None:
        """Let nothing of the commit's show at a path, whatever else is revealed."""
        self._concealed.add(path)
        self.record(("hide-own", os.fsdecode(path)))

    def _old_names(self, folder: bytes) -> Iterator[bytes]:
        """What the whiteout of a folder has hidden in it."""
        index = self.old.find(RelPath(os.fsdecode(folder))) if self.old else None
        if self.old is not None and index is not None:
            for child in self.old.children(index):
                yield self.old.record(child).name

    def _settle(self, folder: bytes, given_up: bytes) -> None:
        """End a redirect: all that shows through it becomes the student's own, but for one path."""
        node = self.overlay.at(folder)
        if isinstance(node, Folder):
            self._own_all(node, given_up)
        for path in self._layer.below(folder):
            if path in self._layer.redirects or (path in self._layer.hidden and path not in self._concealed):
                self.record(("show", os.fsdecode(path)))
        self.record(("hide-own", os.fsdecode(folder)))

    def _own_all(self, folder: Folder, given_up: bytes) -> None:
        """Copy up all that shows in a folder and is to go on to show."""
        self.overlay.ensure_upper(folder)
        for name in self.overlay.names(folder):
            node, path = self.overlay.lookup(folder, name), folder.path_of(name)
            if isinstance(node, Folder):
                self._own_all(node, given_up)
            elif node is not None and path != given_up and path not in self._layer.hidden:
                own(self.overlay, path)

    # What the commit brings

    def follow(
        self,
        between: Mapping[RelPath, core.Change],
        theirs: Mapping[RelPath, core.Change],
        named: Collection[RelPath],
    ) -> None:
        """Adjust whiteouts and redirects to what a commit changes; `named` paths are settled by steps.

        `between`: against the commit that shows, which is what a redirect leads to; `theirs`: against what was agreed.
        """
        layer = self._layer
        if layer.redirects:
            self._follow_redirects(between, named)
        if not layer.hidden and not layer.redirects:
            return
        for path, change in theirs.items():
            at = os.fsencode(path)
            if change.base is None and change.now is not None and path not in named and layer.covers(at):
                self.reveal(at)

    def _follow_redirects(self, between: Mapping[RelPath, core.Change], named: Collection[RelPath]) -> None:
        for folder, lower in sorted(self._layer.redirects.items()):
            start = os.fsdecode(lower)
            for path, change in between.items():
                if path != start and not path.startswith(start + "/"):
                    continue
                here = folder + os.fsencode(path[len(start) :])
                if change.base is not None:
                    if RelPath(os.fsdecode(here)) not in named and here not in self._layer.hidden:
                        self.pin(here, path)
                elif path != start and not self._layer.covers(here, folder):
                    top = self._topmost_new(path, start)
                    self.record(("hide-own", os.fsdecode(folder) + top[len(start) :]))
                self.touched.add(here)

    def _topmost_new(self, path: RelPath, start: str) -> str:
        """The path, or the highest folder above it and below `start` that the commit brings with it."""
        new: str = path
        for folder in reversed(core.parents(path)):
            if len(folder) <= len(start) or self._was(folder):
                break
            new = folder
        return new

    def keep_moved(self, gone: Collection[RelPath]) -> None:
        """Folders below those that the student moved stay, though the commit takes the last file from them."""
        for folder, lower in sorted(self._layer.redirects.items()):
            start = os.fsdecode(lower)
            for path in gone:
                if not path.startswith(start + "/"):
                    continue
                here = folder + os.fsencode(path[len(start) :])
                while len(here := here.rpartition(b"/")[0]) > len(folder):
                    node = self.overlay.at(here)
                    if isinstance(node, Folder):
                        self.overlay.ensure_upper(node)
                        break

    def forget_vanished(self) -> None:
        """Drop redirects to folders, and whiteouts of entries, that the commit no longer has."""
        for folder, lower in sorted(self._layer.redirects.items()):
            index = self.new.find(RelPath(os.fsdecode(lower)))
            if index is None or not self.new.record(index).is_folder:
                make_folder(self.overlay, folder, self.stale, self.new)
                self.record(("show", os.fsdecode(folder)))
                if self.new.find(RelPath(os.fsdecode(self.below(folder)))) is not None:
                    self.record(("hide-own", os.fsdecode(folder)))
        for path in sorted(self._layer.hidden):
            if self.new.find(RelPath(os.fsdecode(self.below(path)))) is None:
                self.record(("show", os.fsdecode(path)))

    def below(self, path: bytes) -> bytes:
        """Where in the lower tree a path of the view lies, whiteouts aside."""
        names = path.split(b"/")
        for end in range(len(names) - 1, 0, -1):
            lower = self._layer.redirects.get(b"/".join(names[:end]))
            if lower is not None:
                return b"/".join([lower, *names[end:]])
        return path

    def prune(self, gone: Iterable[RelPath]) -> None:
        """Remove folders of the upper that are empty and were only there for files of a folder that is gone."""
        folders = {folder for path in gone for folder in core.parents(path)}
        for folder in sorted(folders, reverse=True):  # what is in a folder comes before it
            at, index = os.fsencode(folder), self.new.find(folder)
            if (index is not None and self.new.record(index).is_folder) or not self._was(folder):
                continue
            if index is None and self.overlay.layer.covers(at):
                continue  # the student's own, or one that he moved here
            if any(path in self._layer.redirects for path in self._layer.below(at)):
                continue  # a folder that he moved into it has nothing in the upper to show for it
            node = self.overlay.at(at)
            if index is not None:
                self._remove_empty(at)  # a file takes the name: empty folders make room
            try:
                self.overlay.upper.rmdir(at)
            except OSError:
                continue
            if isinstance(node, Folder):
                node.upper = False
            self.touched.add(at)

    def _was(self, path: RelPath) -> bool:
        return self.old is not None and self.old.find(path) is not None

    def _remove_empty(self, folder: bytes) -> None:
        """Remove the folders of the upper that are in a folder, if there is nothing but folders."""
        found = [folder] if self.overlay.upper.stat(folder) is not None else []
        for path in found:
            for name, is_folder in self.overlay.upper.names(path):
                if not is_folder:
                    return
                found.append(path + b"/" + name)
        for path in reversed(found[1:]):
            node = self.overlay.at(path)
            self.overlay.upper.rmdir(path)
            if isinstance(node, Folder):
                drop_folder(self.overlay, node)


def own(overlay: Overlay, path: bytes) -> None:
    """Copy a lower file up, whoever has it open."""
    node = overlay.at(path)
    if isinstance(node, File):
        try:
            overlay.copy_up(node)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            node = overlay.at(path)
            assert isinstance(node, File)
            overlay.copy_up(node)


def make_folder(overlay: Overlay, path: bytes, stale: Stale, new: Manifest) -> Folder:
    """The folder at a path, in the upper too; NotADirectoryError if a file is in the way that `new` does not take away.

    Somebody may have cached that the names made here are none.
    """
    folder = overlay.nodes.root
    for name in path.split(b"/") if path else ():
        node = overlay.lookup(folder, name)
        if isinstance(node, File):
            if node.low is None or new.entry(RelPath(os.fsdecode(folder.path_of(name)))) is not None:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            overlay.nodes.unname(node, folder, name)
            node = None
        if node is None:
            overlay.ensure_upper(folder)
            overlay.upper.mkdir(folder.path_of(name), 0o777 & ~overlay.upper.mask)
            node = overlay.nodes.add_folder(folder, name, True)
            folder.listing = None
            stale.names.add((folder.ino, name))
            if folder.ino not in stale.folders:
                stale.folders.add(folder.ino)
                if folder.upper and not folder.gone:
                    overlay.upper.touch(folder.path())
        folder = node
    overlay.ensure_upper(folder)
    return folder


def unbind(overlay: Overlay, paths: Iterable[bytes], stale: Stale) -> None:
    """Let names lead where they lead now, and add those that are no longer what somebody may have cached."""
    known: dict[bytes, Folder | None] = {b"": overlay.nodes.root}

    def reach(path: bytes) -> Folder | None:
        """The held folder at a path; None if it is not held, or no longer one: then its name is seen to."""
        if path in known:
            return known[path]
        above, _, name = path.rpartition(b"/")
        parent = reach(above)
        known[path] = None if parent is None else _unbind_name(overlay, parent, name, stale)
        return known[path]

    for path in paths:
        reach(path)


def _unbind_name(overlay: Overlay, folder: Folder, name: bytes, stale: Stale) -> Folder | None:
    """See to one name; a folder that stands there still is returned and left alone."""
    folder.listing = None
    node = folder.children.get(name)
    if isinstance(node, Folder) and _stands(overlay, node):
        return node
    stale.names.add((folder.ino, name))
    if folder.ino not in stale.folders:
        stale.folders.add(folder.ino)
        if folder.upper and not folder.gone:
            overlay.upper.touch(folder.path())
    if isinstance(node, File) and (node.low is not None or not _is_real(overlay, node, folder.path_of(name))):
        overlay.nodes.replace(node, folder, name)
    elif isinstance(node, Folder):
        drop_folder(overlay, node)
    return None


def _stands(overlay: Overlay, folder: Folder) -> bool:
    return not folder.gone and (folder.upper or overlay.lower_of(folder) is not None)


def _is_real(overlay: Overlay, node: File, path: bytes) -> bool:
    return overlay.upper.real(path) == node.real
