"""A commit's tree as one flat, immutable, mapped file, shared by every process of a node.

Layout (little endian): a header, then one fixed record per node in breadth-first order, so that
a folder's children are neighbours, sorted by name; then all names.  Node 0 is the top folder.
Folders carry git's tree id, so that two manifests are compared in time proportional to what
differs.  Times are chosen by the writer: a file's time changes exactly when its content does.
"""

import mmap
import os
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from syncd.core.entry import BlobId, Change, CommitId, Entry, Mode, RelPath

_MAGIC = b"SYNCMAN1"
_HEADER = struct.Struct("<8s20sIIq")  # magic, commit, nodes, bytes of names, time (ns)
_RECORD = struct.Struct("<IIIIHHQq20s")  # parent, first child, children, name at, name length, mode, size, mtime, id
_BRIEF = struct.Struct("<12xIHH16x20s")  # of a record: name at, name length, mode, id
_MODE = struct.Struct("<18xH36x")  # of a record: mode
FOLDER = 0o040000
_MODES = {int(mode): mode for mode in Mode}


@dataclass(slots=True)
class Node:
    """A file or folder on its way into a manifest."""

    name: bytes
    mode: int
    id: bytes
    size: int = 0
    mtime_ns: int = 0
    children: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """One node of a manifest; `first` and `count` name a folder's children by index."""

    index: int
    parent: int
    first: int
    count: int
    name: bytes
    mode: int
    size: int
    mtime_ns: int
    id: bytes

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.mode == FOLDER

    @property
    def blob(self) -> BlobId:
        """The content's id (of a folder: git's tree id)."""
        return BlobId(self.id.hex())

    @property
    def entry(self) -> Entry:
        """What the core knows of this file."""
        return Entry(self.blob, Mode(self.mode))


def write_manifest(path: Path, commit: CommitId, top: Node, time_ns: int) -> None:
    """Write a manifest durably: aside, fsync, rename, fsync of the folder."""
    records, names, at = [], bytearray(), 0
    queue: deque[tuple[Node, int]] = deque([(top, 0)])
    following = 1
    while queue:
        node, parent = queue.popleft()
        children = sorted(node.children, key=lambda child: child.name)
        records.append(
            _RECORD.pack(
                parent,
                following,
                len(children),
                len(names),
                len(node.name),
                node.mode,
                node.size,
                node.mtime_ns,
                node.id,
            )
        )
        names += node.name
        queue.extend((child, at) for child in children)
        following += len(children)
        at += 1
    head = _HEADER.pack(_MAGIC, bytes.fromhex(commit), len(records), len(names), time_ns)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(aside, "wb") as out:
        out.write(head)
        out.writelines(records)
        out.write(names)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Manifest:
    """A mapped manifest.  Reading it allocates nothing that lasts."""

    def __init__(self, path: Path) -> None:
        """Map the file.  ValueError if it is not a whole manifest."""
        self.path = path
        with open(path, "rb") as source:
            self._map = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) < _HEADER.size or self._map[:8] != _MAGIC:
            raise ValueError(f"{path} is not a manifest")
        _, commit, self._count, names, self.time_ns = _HEADER.unpack_from(self._map, 0)
        self.commit = CommitId(commit.hex())
        self._names = _HEADER.size + self._count * _RECORD.size
        if len(self._map) != self._names + names:
            raise ValueError(f"{path} is cut short")

    def __len__(self) -> int:
        """The number of nodes, folders and the top included."""
        return int(self._count)

    def record(self, index: int) -> Record:
        """The node with this index."""
        parent, first, count, at, length, mode, size, mtime, oid = _RECORD.unpack_from(
            self._map, _HEADER.size + index * _RECORD.size
        )
        name = self._map[self._names + at : self._names + at + length]
        return Record(index, parent, first, count, name, mode, size, mtime, oid)

    def name(self, index: int) -> bytes:
        """The name of the node with this index."""
        at, length = struct.unpack_from("<IH", self._map, _HEADER.size + index * _RECORD.size + 12)
        return self._map[self._names + at : self._names + at + length]

    def child(self, folder: int, name: bytes) -> int | None:
        """The index of a folder's child; None if there is none of that name."""
        among = self.children(folder)
        low, high = among.start, among.stop
        while low < high:
            middle = (low + high) // 2
            found: bytes = self.name(middle)
            if found == name:
                return middle
            if found < name:
                low = middle + 1
            else:
                high = middle
        return None

    def children(self, folder: int) -> range:
        """The indices of a folder's children, in the order of their names' bytes."""
        first, count = struct.unpack_from("<II", self._map, _HEADER.size + folder * _RECORD.size + 4)
        return range(first, first + count)

    def _listing(self, folder: int) -> dict[bytes, tuple[int, bytes]]:
        among, at = self.children(folder), self._names
        records = self._map[_HEADER.size + among.start * _RECORD.size : _HEADER.size + among.stop * _RECORD.size]
        return {
            self._map[at + where : at + where + length]: (mode, oid)
            for where, length, mode, oid in _BRIEF.iter_unpack(records)
        }

    def _known_child(self, folder: int, name: bytes) -> int:
        found = self.child(folder, name)
        assert found is not None
        return found

    def _entries(self, folder: int, name: bytes, path: str, listed: tuple[int, bytes] | None) -> dict[RelPath, Entry]:
        """The files at or below a child of a folder, as its listing has it."""
        if listed is None:
            return {}
        if listed[0] == FOLDER:
            return {where: file.entry for where, file in self.files(self._known_child(folder, name), path + "/")}
        return {RelPath(path): _entry(listed)}

    def find(self, path: RelPath) -> int | None:
        """The index of the node at a path ('' is the top)."""
        index = 0
        for name in os.fsencode(path).split(b"/") if path else ():
            found = self.child(index, name)
            if found is None:
                return None
            index = found
        return index

    def entry(self, path: RelPath) -> Entry | None:
        """The file at a path; None if there is none, or a folder."""
        index = self.find(path)
        if index is None:
            return None
        record = self.record(index)
        return None if record.is_folder else record.entry

    def files(self, folder: int = 0, prefix: str = "") -> Iterator[tuple[RelPath, Record]]:
        """All files below a folder, with their paths."""
        for index in self.children(folder):
            record = self.record(index)
            path = prefix + os.fsdecode(record.name)
            if record.is_folder:
                yield from self.files(index, path + "/")
            else:
                yield RelPath(path), record

    def count_files(self) -> int:
        """How many files there are."""
        records = memoryview(self._map)[_HEADER.size : self._names]
        return sum(mode != FOLDER for (mode,) in _MODE.iter_unpack(records))

    def tree(self) -> dict[RelPath, Entry]:
        """The whole tree, flat."""
        return {path: record.entry for path, record in self.files()}


def _entry(listed: tuple[int, bytes]) -> Entry:
    return Entry(BlobId(listed[1].hex()), _MODES[listed[0]])


def difference(old: Manifest | None, new: Manifest) -> dict[RelPath, Change]:
    """The changes from one commit to another; equal folders are never entered."""
    if old is None:
        return {path: Change(None, record.entry) for path, record in new.files()}
    out: dict[RelPath, Change] = {}
    pairs = [("", 0, 0)]
    while pairs:
        prefix, before, after = pairs.pop()
        was, now = old._listing(before), new._listing(after)
        # Compared as sets of (name, (mode, id)): nothing is made for what is the same.
        for name in {name for name, _ in was.items() ^ now.items()}:
            path = prefix + os.fsdecode(name)
            a, b = was.get(name), now.get(name)
            if a and b and a[0] == b[0] == FOLDER:
                pairs.append((path + "/", old._known_child(before, name), new._known_child(after, name)))
                continue
            if a and b and a[0] != FOLDER and b[0] != FOLDER:
                out[RelPath(path)] = Change(_entry(a), _entry(b))
                continue
            gone, came = old._entries(before, name, path, a), new._entries(after, name, path, b)
            out.update((where, Change(entry, came.get(where))) for where, entry in gone.items())
            out.update((where, Change(None, entry)) for where, entry in came.items() if where not in gone)
    return out


def since_agreed(
    between: Mapping[RelPath, Change], new: Manifest, waiting: Mapping[RelPath, Entry | None]
) -> Mapping[RelPath, Change]:
    """What a commit changes, each path against the base it was last agreed on: `waiting` holds the exceptions."""
    if not waiting:
        return between
    theirs = dict(between)
    for path, base in waiting.items():
        now = new.entry(path)
        theirs.pop(path, None)
        if now != base:
            theirs[path] = Change(base, now)
    return theirs


def changes_to(
    old: Manifest | None, new: Manifest, waiting: Mapping[RelPath, Entry | None]
) -> Mapping[RelPath, Change]:
    """The same, from one commit to another."""
    return since_agreed(difference(old, new), new, waiting)
