"""What the kernel holds of us, written down where a crash does not reach: numbers of folders, and open files.

A successor that is handed the mount's descriptor must know what each number in the kernel's requests
means.  Names need no record: the kernel looks them up again, and numbers come from what they name.
But a folder that somebody stands in, and a file that somebody has open, are asked for by number alone.

The table is memory shared with whoever keeps the descriptor: an append-only log of records that is
rewritten when most of it is dead.  It outlives the process, not the machine: after a reboot there is no mount.
A process may be killed between any two of its instructions, so what counts becomes true by the store of one word.
"""

import mmap
import os
from collections.abc import Iterable

from fuse_mount import held_records as records
from fuse_mount.held_records import HeldFile, HeldFolder, Record
from fuse_mount.inode import File, Folder

_MAGIC = 0x32444C4548  # "HELD2"
_MAGIC_AT, _HEAD_AT, _DOING_AT, _DONE_AT, _MINOR_AT, _FLAGS_AT, _AGE_AT = range(7)
"""The words of the table's head, of 64 bits: which of `_HEADS` counts, the request under way, the last that was carried
out, minor version and flags agreed on, how many processes have served the mount."""
_HEADS = 8, 11
"""Two places for what a rewrite changes at once: where the log begins, where it ends, and where it ended when the
request under way began."""
_START = 128
_ROOM = 64 << 10


class Held:
    """The table, of one serving process; the caller holds the overlay's lock."""

    def __init__(self, fd: int = -1) -> None:
        """Take over the memory of `fd`, and read what a predecessor left in it; without one, begin."""
        fresh = fd < 0
        self.fd = os.memfd_create("held", os.MFD_CLOEXEC) if fresh else fd
        if fresh:
            os.ftruncate(self.fd, _ROOM)
        self._map = mmap.mmap(self.fd, 0)
        # A mapping of its own, for the log's is made larger: words are stored whole, which struct does not promise.
        self._words = memoryview(mmap.mmap(self.fd, mmap.PAGESIZE)).cast("Q")
        self.folders: dict[int, HeldFolder] = {}
        self.files: dict[int, HeldFile] = {}
        self.moves: dict[int, tuple[int, bytes]] = {}
        """What a predecessor left; `moves` are renames that it began, and may have carried out."""
        self.opened: set[int] = set()
        """Files that it opened once for the request under way: of that handle the kernel was not told."""
        self.closed = False
        """Whether the request under way closed a handle, which can't be done twice."""
        self.exchange: tuple[int, bytes, int] | None = None
        """The exchange under way: the second entry's place, and the first one's real inode number."""
        self.exchanged = False
        """Whether that exchange was carried out."""
        if fresh:
            self._words[_HEADS[0]] = self._words[_HEADS[0] + 1] = self._words[_HEADS[0] + 2] = _START
            self._words[_HEAD_AT] = _HEADS[0]
            self._words[_MAGIC_AT] = _MAGIC
        self._head = self._words[_HEAD_AT]
        if self._words[_MAGIC_AT] != _MAGIC or self._head not in _HEADS:
            raise ValueError("not a table of what is held")
        self._begin, self._end, mark = self._words[self._head : self._head + 3]
        if not _START <= self._begin <= self._end <= len(self._map):
            raise ValueError("not a table of what is held")
        self._read(mark)

    def close(self) -> None:
        """Let go of it."""
        self._words.release()
        self._map.close()
        os.close(self.fd)

    # The conversation

    def agree(self, minor: int, flags: int) -> None:
        """What the kernel and we agreed on; a successor is not asked again."""
        self._words[_FLAGS_AT] = flags
        self._words[_MINOR_AT] = minor

    @property
    def minor(self) -> int:
        """The protocol's minor version that was agreed on; 0: nothing is yet."""
        return self._words[_MINOR_AT]

    @property
    def flags(self) -> int:
        """The flags that were agreed on."""
        return self._words[_FLAGS_AT]

    @property
    def age(self) -> int:
        """How many processes have served the mount before."""
        return self._words[_AGE_AT]

    def age_by_one(self) -> None:
        """Another process serves the mount."""
        self._words[_AGE_AT] += 1

    @property
    def doing(self) -> int:
        """The number of the last request that was begun."""
        return self._words[_DOING_AT]

    @property
    def done(self) -> bool:
        """Whether it was carried out, too."""
        return self._words[_DONE_AT] == self._words[_DOING_AT]

    def begins(self, unique: int) -> None:
        """A request is about to be carried out."""
        self._words[self._head + 2] = self._end
        self._words[_DOING_AT] = unique

    def ends(self) -> None:
        """It is carried out, and about to be answered."""
        self._words[_DONE_AT] = self._words[_DOING_AT]

    def fails(self) -> None:
        """It has changed nothing: a successor tries it as if for the first time."""
        self._words[_DOING_AT] = 0

    # Records

    def folder(self, node: Folder) -> None:
        """A folder is held, or has another name, or none any more."""
        self._put(records.folder(node))

    def file(self, node: File) -> None:
        """A file is opened first, or has become another."""
        self._put(records.file(node))

    def move(self, node: Folder | File, to: Folder, name: bytes) -> None:
        """A node is about to be renamed: until the next word of it, it has either name."""
        self._put(records.move(node.ino, to, name))

    def exchanges(self, real: int, to: Folder, name: bytes) -> None:
        """The upper entry `real` is about to be exchanged with the one at a name."""
        self._put(records.exchange(real, to, name))

    def count(self, node: File) -> None:
        """It is opened or closed once more."""
        self._put(records.count(node))

    def drop(self, ino: int) -> None:
        """Nobody has it open any more, or the kernel let the folder go."""
        self._put(records.drop(ino))

    def is_crowded(self, live: int) -> bool:
        """Whether most of the log is dead, where `live` records would do."""
        return bool(self._end > self._begin + _ROOM + 128 * live)

    def rewrite(self, folders: Iterable[Folder], files: Iterable[File], opened: Iterable[int] = ()) -> None:
        """Begin the log anew with what is held now; `opened` is of the request under way."""
        kept = b"".join([*map(records.folder, folders), *map(records.file, files)])
        under_way = b"".join(map(records.opened, opened))
        size = len(kept) + len(under_way)
        begin = _START if size <= self._begin - _START else self._end
        self._reserve(begin + size)
        self._map[begin : begin + size] = kept + under_way
        head = _HEADS[self._head == _HEADS[0]]
        self._words[head], self._words[head + 1], self._words[head + 2] = begin, begin + size, begin + len(kept)
        # Until this line the old log counts.
        self._words[_HEAD_AT] = head
        self._head, self._begin, self._end = head, begin, begin + size

    def _put(self, record: bytes) -> None:
        end = self._end + len(record)
        if end > len(self._map):
            self._reserve(end)
        self._map[self._end : end] = record
        # The record counts from here on: a kill before this line leaves the table as it was.
        self._words[self._head + 1] = self._end = end

    def _reserve(self, size: int) -> None:
        while len(self._map) < size:
            self._map.resize(2 * len(self._map))

    def _read(self, mark: int) -> None:
        for record in records.read(self._map, self._begin, self._end):
            under_way = record.at >= mark
            match record.kind:
                case records.MOVE:
                    self.moves[record.ino] = record.parent, record.tail
                case records.EXCHANGE if under_way:
                    self.exchange = records.exchange_of(record)
                case records.OPENED if under_way:
                    self.opened.add(record.ino)
                case records.FOLDER | records.FILE | records.COUNT | records.DROP:
                    self.moves.pop(record.ino, None)
                    self._note(record, under_way)

    def _note(self, record: Record, under_way: bool) -> None:
        ino = record.ino
        before = self.files[ino].opens if ino in self.files else 0
        match record.kind:
            case records.FOLDER:
                self.folders[ino] = records.folder_of(record)
            case records.FILE:
                self.files[ino] = records.file_of(record)
            case records.COUNT if ino in self.files:
                records.count_again(self.files[ino], record)
            case records.DROP:
                self.folders.pop(ino, None)
                self.files.pop(ino, None)
        after = self.files[ino].opens if ino in self.files else 0
        if under_way and after > before:
            self.opened.add(ino)
        elif under_way and after < before:
            self.closed = True
            self.opened.discard(ino)  # by a successor that was about to open it again
