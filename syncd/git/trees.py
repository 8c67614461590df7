"""Git's tree objects as bytes: names need not be text, so they are read and written here and not by libgit2."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from syncd.core.entry import BlobId, Entry, Mode

FOLDER = 0o040000
GITLINK = 0o160000

_entries = re.compile(rb"([0-7]+) ([^\0]*)\0(.{20})", re.DOTALL).findall
_MODES = {b"%o" % mode: int(mode) for mode in (*Mode, FOLDER, GITLINK)}


class Item(NamedTuple):
    """One entry of a tree object: git's mode and the twenty bytes of an id.

    A tuple, since a save makes one for all that lies beside what was saved.
    """

    mode: int
    id: bytes

    @property
    def is_folder(self) -> bool:
        """Whether this is a tree itself."""
        return self.mode == FOLDER

    @property
    def entry(self) -> Entry | None:
        """The file it is for us; None for a folder or a submodule."""
        mode = _mode(self.mode)
        return None if mode is None else Entry(BlobId(self.id.hex()), mode)


Items = dict[bytes, Item]


def parse_tree(data: bytes) -> Items:
    """A tree object's content by name.  ValueError if it is none."""
    found = _entries(data)
    if sum(map(len, chain.from_iterable(found))) + len(b" \0") * len(found) != len(data):
        raise ValueError("not a tree object")
    return {name: Item(_MODES.get(mode) or int(mode, 8), id) for mode, name, id in found}


def format_tree(items: Mapping[bytes, Item]) -> bytes:
    """The content of a tree object; git sorts folders as if their name ended in a slash."""
    ordered = sorted(items.items(), key=_place)
    return b"".join([b"%o %s\0%s" % (item.mode, name, item.id) for name, item in ordered])


def _place(named: tuple[bytes, Item]) -> bytes:
    name, item = named
    return name + b"/" if item.mode == FOLDER else name


def item_of(entry: Entry | None) -> Item | None:
    """The tree's entry for one of our files."""
    return None if entry is None else Item(int(entry.mode), bytes.fromhex(entry.blob))


def split(path: bytes) -> Iterator[bytes]:
    """The folders above a path, outermost first; b'' is the top."""
    yield b""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)


def _mode(mode: int) -> Mode | None:
    kind = mode & 0o170000
    if kind == 0o100000:  # old histories hold 100664 and the like
        return Mode.EXECUTABLE if mode & 0o100 else Mode.FILE
    return Mode.SYMLINK if kind == 0o120000 else None


class RecentTrees:
    """Trees parsed not long ago, since paths are looked up one after the other; never change what it gives."""

    def __init__(self, read: Callable[[bytes], Items], most: int = 20_000) -> None:
        """`most` is the number of entries kept, in all trees together; the last tree is kept whatever its size."""
        self._read, self._most = read, most
        self._trees: OrderedDict[bytes, Items] = OrderedDict()
        self._kept = 0

    def get(self, tree: bytes) -> Items:
        """What a tree object holds."""
        items = self._trees.get(tree)
        if items is None:
            items = self._read(tree)
            self.put(tree, items)
        else:
            self._trees.move_to_end(tree)
        return items

    def put(self, tree: bytes, items: Items) -> None:
        """Keep what is known already of a tree object."""
        if tree in self._trees:
            return
        self._trees[tree] = items
        self._kept += len(items)
        while self._kept > self._most and len(self._trees) > 1:
            self._kept -= len(self._trees.popitem(last=False)[1])

    def forget(self) -> None:
        """Keep nothing."""
        self._trees.clear()
        self._kept = 0
