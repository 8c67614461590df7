"""Many new objects as one pack: two files to make durable instead of one for each object.

Format: git's Documentation/gitformat-pack.txt, pack version 2 and index version 2; no deltas.
"""

import hashlib
import os
import secrets
import struct
import zlib
from pathlib import Path

BLOB, TREE, COMMIT = 3, 2, 1
_KINDS = {BLOB: b"blob", TREE: b"tree", COMMIT: b"commit"}
_PIECE = 1 << 20
_LEVEL = 1
_FAR = 1 << 31
_FEW, _LITTLE = 32, 8 << 20
"""So many objects, or so many bytes, are kept in memory before they become a pack."""


def object_id(kind: int, content: bytes) -> str:
    """Git's id of an object."""
    return hashlib.sha1(head_of(kind, len(content)) + content, usedforsecurity=False).hexdigest()


def head_of(kind: int, size: int) -> bytes:
    """What stands before an object's content where it is hashed, and in a file of its own."""
    return b"%s %d\0" % (_KINDS[kind], size)


class PackWriter:
    """A pack on its way into a repository.  Nothing is seen of it before `finish`."""

    def __init__(self, repository: Path) -> None:
        self._folder = repository / "objects/pack"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._aside = self._folder / f"tmp_pack_{secrets.token_hex(8)}"
        self._file = open(self._aside, "w+b")  # noqa: SIM115  (closed by finish or discard)
        self._file.write(struct.pack(">4sII", b"PACK", 2, 0))
        self._objects: dict[bytes, tuple[int, int]] = {}

    def __contains__(self, oid: str) -> bool:
        return bytes.fromhex(oid) in self._objects

    def add(self, kind: int, oid: str, content: bytes) -> None:
        """Put in an object whose id is known."""
        raw = bytes.fromhex(oid)
        if raw in self._objects:
            return
        start = self._file.tell()
        data = _head(kind, len(content)) + zlib.compress(content, _LEVEL)
        self._file.write(data)
        self._objects[raw] = (start, zlib.crc32(data))

    def finish(self) -> None:
        """Make the objects part of the repository, durably."""
        try:
            if not self._objects:
                return
            self._file.seek(0)
            self._file.write(struct.pack(">4sII", b"PACK", 2, len(self._objects)))
            checksum = self._checksum()
            self._file.seek(0, os.SEEK_END)
            self._file.write(checksum)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            name = self._folder / f"pack-{hashlib.sha1(b''.join(sorted(self._objects))).hexdigest()}"
            index = self._folder / f"tmp_idx_{secrets.token_hex(8)}"
            with open(index, "wb") as out:
                out.write(self._index(checksum))
                out.flush()
                os.fsync(out.fileno())
            # In this order: an index makes git look for its pack.
            os.replace(self._aside, name.with_suffix(".pack"))
            os.replace(index, name.with_suffix(".idx"))
            _sync_folder(self._folder)
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop what is not finished."""
        self._file.close()
        self._aside.unlink(missing_ok=True)

    def _checksum(self) -> bytes:
        self._file.seek(0)
        digest = hashlib.sha1(usedforsecurity=False)
        while piece := self._file.read(_PIECE):
            digest.update(piece)
        return digest.digest()

    def _index(self, checksum: bytes) -> bytes:
        oids = sorted(self._objects)
        counts = [0] * 256
        for oid in oids:
            counts[oid[0]] += 1
        fanout, total = [], 0
        for count in counts:
            total += count
            fanout.append(total)
        far = [self._objects[oid][0] for oid in oids if self._objects[oid][0] >= _FAR]
        places = {start: _FAR | n for n, start in enumerate(far)}
        out = b"".join(
            [
                struct.pack(">4sI256I", b"\xfftOc", 2, *fanout),
                *oids,
                *(struct.pack(">I", self._objects[oid][1]) for oid in oids),
                *(struct.pack(">I", places.get(self._objects[oid][0], self._objects[oid][0])) for oid in oids),
                *(struct.pack(">Q", start) for start in far),
                checksum,
            ]
        )
        return out + hashlib.sha1(out, usedforsecurity=False).digest()


def _head(kind: int, size: int) -> bytes:
    """An entry's type and size: four bits of the size, then seven in each further byte."""
    out = bytearray()
    byte, size = kind << 4 | size & 15, size >> 4
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Bulk:
    """Objects put off until it is known whether they are many: then they become a pack."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._pending: dict[str, tuple[int, bytes]] = {}
        self._held = 0
        self._pack: PackWriter | None = None

    def __contains__(self, oid: str) -> bool:
        return oid in self._pending or (self._pack is not None and oid in self._pack)

    def add(self, kind: int, oid: str, content: bytes) -> None:
        """Put in an object; it can be read after the end only."""
        self._pending[oid] = (kind, content)
        self._held += len(content)
        if len(self._pending) > _FEW or self._held > _LITTLE:
            if self._pack is None:
                self._pack = PackWriter(self._repository)
            self._spill(self._pack)

    def finish(self) -> dict[str, tuple[int, bytes]]:
        """Make the pack durable; or, if the objects were few, hand them back, by id, to be stored one by one."""
        if self._pack is None:
            return self._pending
        self._spill(self._pack)
        self._pack.finish()
        return {}

    def discard(self) -> None:
        """Drop all."""
        if self._pack is not None:
            self._pack.discard()

    def _spill(self, pack: PackWriter) -> None:
        for oid, (kind, content) in self._pending.items():
            pack.add(kind, oid, content)
        self._pending.clear()
        self._held = 0
