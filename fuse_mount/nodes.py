"""The table of inodes that somebody holds: by number and by identity, and nothing that can be looked up again.

A lower file's number comes from its path and version, so that a changed file is another inode; an
upper file's is its real one.  A number in use by something else is passed over.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Protocol

from fuse_mount.inode import File, Folder, Node
from fuse_mount.listed import ListedFiles
from fuse_mount.lower import Lower, LowerRef, LowerStat

ROOT = 1
_LOWER_BIT = 1 << 62


class Holding(Protocol):
    """Where it is written down what a successor must know."""

    def folder(self, node: Folder) -> None:
        """A folder is held, or has another name, or none any more."""
        ...

    def file(self, node: File) -> None:
        """An open file has become another, or has another name."""
        ...

    def move(self, node: Node, to: Folder, name: bytes) -> None:
        """A node is about to be renamed: until the next word of it, it has either name."""
        ...

    def exchanges(self, real: int, to: Folder, name: bytes) -> None:
        """The upper entry `real` is about to be exchanged with the one at a name."""
        ...

    def drop(self, ino: int) -> None:
        """Nobody holds it any more."""
        ...


class Nodes:
    """The table of inodes."""

    def __init__(self) -> None:
        """Only the top."""
        self.root = Folder(ROOT, None, b"", True)
        self.root.lookups = 1
        self.by_ino: dict[int, Node] = {ROOT: self.root}
        self.listed = ListedFiles()
        """What the kernel knows besides; a number is in one of both."""
        self.by_real: dict[int, File] = {}
        self.held: Holding | None = None
        self.shows: Callable[[Folder, bytes, LowerStat], bool] = lambda folder, name, low: False
        """Whether the view shows this very lower file at a name of which no node is held."""
        self.salt = 0
        """Keeps the numbers of this process apart from those under which a predecessor's files may be forgotten yet."""
        self._passing: list[int] | None = None

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Within it, whoever looks something up need not let go of it."""
        if self._passing is not None:
            yield
            return
        self._passing = []
        try:
            yield
        finally:
            passed, self._passing = self._passing, None
            for ino in reversed(passed):
                self.forget(ino, 0)

    def get(self, ino: int) -> Node:
        """The node of a number; OSError(ESTALE) if nobody holds it."""
        try:
            return self.by_ino[ino]
        except KeyError:
            node = self._grown(ino, True)
            if node is None:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE)) from None
            return node

    def _grown(self, ino: int, look: bool) -> File | None:
        """The node of what was listed; without its name if that leads elsewhere by now, or if nobody is to look."""
        listed = self.listed.take(ino)
        if listed is None:
            return None
        low, name = listed.lower.stat(listed.ref), listed.lower.name(listed.ref)
        node = File(ino, listed.folder, name, low, 0, ino ^ self.salt)
        node.lookups = listed.lookups
        self.by_ino[ino] = node
        if look and self.shows(listed.folder, name, low):
            listed.folder.children[name] = node
        else:
            node.gone = True
        return node

    def folder(self, ino: int) -> Folder:
        """The folder of a number."""
        node = self.get(ino)
        if not isinstance(node, Folder):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return node

    def file(self, ino: int) -> File:
        """The file of a number."""
        node = self.get(ino)
        if not isinstance(node, File):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return node

    def add_folder(self, parent: Folder, name: bytes, upper: bool) -> Folder:
        """A folder that was just found."""
        ino = self._new(folder_number(parent.path_of(name)))
        node = self.by_ino[ino] = parent.children[name] = Folder(ino, parent, name, upper)
        self.renamed(node)
        return node

    def renames(self, node: Node, to: Folder, name: bytes) -> None:
        """A node is about to be renamed."""
        if self.held is not None and (isinstance(node, Folder) or node.opens):
            self.held.move(node, to, name)

    def renamed(self, node: Node) -> None:
        """A node's identity has changed: a successor must know."""
        if self.held is not None:
            if isinstance(node, Folder):
                self.held.folder(node)
            elif node.opens:
                self.held.file(node)

    def add_lower(self, parent: Folder, name: bytes, low: LowerStat) -> File:
        """A lower file that was just found; the same node as before if somebody still holds this very version."""
        ino = _number(b"f%o" % low.mode, parent.path_of(name), low.version)
        held = self.by_ino.get(ino ^ self.salt) or self._grown(ino ^ self.salt, False)
        if isinstance(held, File) and held.low == low and held.gone and held.name == name and held.parent is parent:
            held.gone = False
            node = held
        else:
            number, ino = ino, self._new(ino ^ self.salt)
            node = self.by_ino[ino] = File(ino, parent, name, low, 0, number)
        parent.children[name] = node
        return node

    def add_listed(self, parent: Folder, name: bytes, lower: Lower, ref: LowerRef, low: LowerStat) -> int | None:
        """Hold a lower file that is being listed; the number that it shows, None if that number is not free for it."""
        number = _number(b"f%o" % low.mode, parent.path_of(name), low.version)
        ino = number ^ self.salt
        return number if ino not in self.by_ino and self.listed.add(ino, parent, lower, ref) else None

    def add_upper(self, parent: Folder, name: bytes, real: int) -> File:
        """An upper file that was just found, or another name of one that is held."""
        node = self.by_real.get(real)
        if node is None:
            ino = self._new(real ^ self.salt)
            node = self.by_ino[ino] = self.by_real[real] = File(ino, parent, name, None, real, real)
        elif node.gone:
            node.gone, node.parent, node.name = False, parent, name
        elif node.parent is not parent or node.name != name:
            node.aliases = [*(node.aliases or ()), (parent, name)]
        parent.children[name] = node
        return node

    def add_nameless(self, real: int) -> File:
        """An upper file that was made without a name."""
        ino = self._new(real ^ self.salt)
        node = self.by_ino[ino] = self.by_real[real] = File(ino, self.root, b"", None, real, real)
        node.gone = True
        return node

    def unname(self, node: File, parent: Folder, name: bytes) -> None:
        """Take one of a file's names away; without any it is gone."""
        if parent.children.get(name) is node:
            del parent.children[name]
        if node.aliases and (parent, name) in node.aliases:
            node.aliases.remove((parent, name))
        elif node.aliases:
            node.parent, node.name = node.aliases.pop()
        else:
            node.gone = True
        self.renamed(node)

    def replace(self, node: File, parent: Folder, name: bytes) -> None:
        """An update gives one of a file's names to another file, or to none."""
        self.unname(node, parent, name)
        node.replaced = node.gone

    def forget(self, ino: int, count: int) -> File | None:
        """The kernel lets go of some look-ups; returns a file that nobody holds any more."""
        node = self.by_ino.get(ino)
        if node is None:
            self.listed.forget(ino, count)
            return None
        node.lookups -= count
        if node.lookups > 0 or ino == ROOT or node.restored:
            return None
        if isinstance(node, Folder):
            self._drop_folder(node)
            return None
        if node.opens:
            return None
        self._drop_file(node)
        return node

    def _drop_file(self, node: File) -> None:
        del self.by_ino[node.ino]
        if node.real and self.by_real.get(node.real) is node:
            del self.by_real[node.real]
        if not node.gone:
            for parent, name in [(node.parent, node.name), *(node.aliases or ())]:
                if parent.children.get(name) is node:
                    del parent.children[name]
                self._drop_folder(parent)

    def _drop_folder(self, node: Folder | None) -> None:
        # A folder stays while anything below it is held: their paths lead through it.
        while (
            node is not None and node.lookups <= 0 and not (node.restored or node.children) and node.ino in self.by_ino
        ):
            del self.by_ino[node.ino]
            if self.held is not None:
                self.held.drop(node.ino)
            if node.parent is not None and node.parent.children.get(node.name) is node:
                del node.parent.children[node.name]
            node = node.parent

    def _new(self, ino: int) -> int:
        while ino in self.by_ino or ino in self.listed:
            ino += 1
        if self._passing is not None:
            self._passing.append(ino)
        return ino


def folder_number(path: bytes) -> int:
    """The number of the folder at a path, unless something else has it."""
    return _number(b"d", path)


def _number(*parts: bytes) -> int:
    return int.from_bytes(blake2b(b"\0".join(parts), digest_size=8).digest(), "little") >> 2 | _LOWER_BIT
