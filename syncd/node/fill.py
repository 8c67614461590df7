"""Filling the folder of blobs: each missing one written aside, checked by id, made durable, then named."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from syncd.blobs import BlobFolder
from syncd.core.entry import BlobId
from syncd.core.errors import NeedsUser
from syncd.git.failure import Damaged
from syncd.node.durable import sync_files

_BATCH_BYTES, _BATCH_FILES = 64 << 20, 4_000
RESERVE = 128 << 20
"""Bytes of the disk that are left for others: a full disk hurts every service on it, and the students first."""


def fill(
    blobs: BlobFolder,
    incoming: Path,
    wanted: Iterable[bytes],
    read: Callable[[bytes], bytes],
    executor: Executor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[bytes, int]:
    """Bring all wanted blobs into the folder, durably; the size of each.

    `read` is called from this thread only.  Killed at any point, the folder holds whole blobs only;
    what lies in `incoming` is swept at the next start.  Memory is bounded by a batch.
    """
    ids = list(dict.fromkeys(wanted))
    found = executor.map(lambda oid: _size_if_whole(blobs.path(BlobId(oid.hex())), oid), ids)
    known = dict(zip(ids, found, strict=True))
    sizes = {oid: size for oid, size in known.items() if size is not None}
    missing = [oid for oid, size in known.items() if size is None]
    done, total = 0, len(missing)
    try:
        for batch in _batches(missing, read):
            _spare_the_disk(blobs.root, sum(len(content) for _, content in batch))
            _write(blobs, incoming, batch, executor)
            sizes |= {oid: len(content) for oid, content in batch}
            done += len(batch)
            progress(done, total)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NeedsUser("The disk of the node's store is full: free some space, then it goes on.") from error
        raise
    return sizes


def id_of(place: Path) -> tuple[bytes, int]:
    """The git id of a file's content as it is now, and its size."""
    with open(place, "rb") as source:
        size = os.fstat(source.fileno()).st_size
        name = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while piece := source.read(1 << 20):
            name.update(piece)
    return name.digest(), size


def _size_if_whole(place: Path, oid: bytes) -> int | None:
    """The size of a blob that is there; a damaged one is removed, so that it is made again."""
    try:
        found, size = id_of(place)
    except FileNotFoundError:
        return None
    if found == oid:
        return size
    place.unlink()
    return None


def _spare_the_disk(folder: Path, wanted: int) -> None:
    facts = os.statvfs(folder)
    free = facts.f_bavail * facts.f_frsize
    if free - wanted < RESERVE:
        raise NeedsUser(
            f"The disk of the node's store has only {free / 1e6:,.0f} MB left, and this version needs "
            f"{wanted / 1e6:,.0f} MB more: free some space, then it goes on by itself."
        )


def _batches(missing: Sequence[bytes], read: Callable[[bytes], bytes]) -> Iterator[list[tuple[bytes, bytes]]]:
    batch: list[tuple[bytes, bytes]] = []
    held = 0
    for oid in missing:
        content = read(oid)
        batch.append((oid, content))
        held += len(content)
        if held >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _write(blobs: BlobFolder, incoming: Path, batch: Sequence[tuple[bytes, bytes]], executor: Executor) -> None:
    places = {oid: blobs.path(BlobId(oid.hex())) for oid, _ in batch}
    folders = {place.parent for place in places.values()}
    made = False
    for folder in folders:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = True

    def write(item: tuple[bytes, bytes]) -> Path:
        oid, content = item
        if hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).digest() != oid:
            raise Damaged(
                f"{oid.hex()} does not hold what its name says: the copy of the repository must be made anew."
            )
        aside = incoming / oid.hex()
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o444)
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            left = memoryview(content)
            while left:
                left = left[out.write(left) :]
            os.fchmod(descriptor, 0o444)
        return aside

    written = list(executor.map(write, batch))
    sync_files(executor, written, incoming)
    for aside, (oid, _) in zip(written, batch, strict=True):
        with contextlib.suppress(FileExistsError):  # another course had it at the same time
            os.link(aside, places[oid])
        aside.unlink()
    sync_files(executor, [*folders, *([blobs.root] if made else [])], blobs.root)


def show(pool: BlobFolder, course: BlobFolder, wanted: Iterable[bytes], executor: Executor) -> None:
    """Have a course's folder hold these blobs, durably: as further names of those in the pool."""
    changed: set[Path] = set()
    for oid in wanted:
        blob = BlobId(oid.hex())
        place = course.path(blob)
        if not place.parent.exists():
            place.parent.mkdir(mode=0o755)
            changed.add(course.root)
        try:
            os.link(pool.path(blob), place)
        except FileExistsError:
            if os.path.samefile(pool.path(blob), place):
                continue
            place.unlink()  # of a blob that was made again because it had been damaged
            os.link(pool.path(blob), place)
        changed.add(place.parent)
    sync_files(executor, list(changed), course.root)
