"""Git's tree objects as bytes: names need not be text, so they are read and written here and not by libgit2."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from syncd.core.entry import BlobId, Entry, Mode

FOLDER = 0o040000
GITLINK = 0o160000


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a tree object: git's mode and the twenty bytes of an id."""

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
    out: Items = {}
    at = 0
    while at < len(data):
        blank = data.index(b" ", at)
        end = data.index(b"\0", blank)
        out[data[blank + 1 : end]] = Item(int(data[at:blank], 8), data[end + 1 : end + 21])
        at = end + 21
    return out


def format_tree(items: Mapping[bytes, Item]) -> bytes:
    """The content of a tree object; git sorts folders as if their name ended in a slash."""
    names = sorted(items, key=lambda name: name + b"/" if items[name].is_folder else name)
    return b"".join(b"%o %s\0%s" % (items[name].mode, name, items[name].id) for name in names)


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
        if items is not None:
            self._trees.move_to_end(tree)
            return items
        items = self._trees[tree] = self._read(tree)
        self._kept += len(items)
        while self._kept > self._most and len(self._trees) > 1:
            self._kept -= len(self._trees.popitem(last=False)[1])
        return items

    def forget(self) -> None:
        """Keep nothing."""
        self._trees.clear()
        self._kept = 0
