"""The versions store: what a merge, a reset or a restore replaced can be had back.

    <folder>/content/ab/cdef...   the bytes, named by their SHA-256, compressed by zlib
    <folder>/index                one line per version: JSON, a tab, CRC-32 of the JSON
    <folder>/lock                 held while the index is written

A content is durable before the index names it, so a line always has its bytes.  A torn last line
(power loss, full disk) is stepped over, and the next line starts on a line of its own.
"""

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NewType

from syncd.core.entry import Mode, RelPath

VersionId = NewType("VersionId", str)
"""Sixty-four hex digits: the SHA-256 of the content."""

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Version:
    """One kept content of one file; `when` is in seconds since 1970, `stored` its bytes on disk."""

    path: RelPath
    id: VersionId
    when: float
    reason: str
    mode: Mode
    size: int
    stored: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is kept; the newest version of a file stays whatever they say."""

    age_s: float = 180 * DAY_S
    total_bytes: int = 1_000_000_000


def surplus(versions: Iterable[Version], limits: Limits, now: float) -> frozenset[Version]:
    """Those versions that the limits no longer cover: the too old, then the oldest until the rest fits."""
    oldest_first = sorted(versions, key=lambda version: version.when)
    newest = {version.path: version for version in oldest_first}
    names: dict[VersionId, int] = {}
    stored: dict[VersionId, int] = {}
    for version in oldest_first:
        names[version.id] = names.get(version.id, 0) + 1
        stored[version.id] = version.stored
    total = sum(stored.values())
    out: set[Version] = set()
    for version in oldest_first:
        if newest[version.path] == version:
            continue
        if now - version.when > limits.age_s or total > limits.total_bytes:
            out.add(version)
            names[version.id] -= 1
            total -= 0 if names[version.id] else stored[version.id]
    return frozenset(out)


class Versions:
    """A folder of versions.  Several processes may keep into one; each call stands alone."""

    def __init__(self, folder: Path) -> None:
        """Open the store; its folder is made, for the owner only, with the first version."""
        self._folder = folder
        self._index = folder / "index"

    def keep(self, path: RelPath, content: bytes, reason: str, when: float, mode: Mode = Mode.FILE) -> VersionId:
        """Keep a content, durably when this returns.

        The newest version of the file is not kept a second time.  OSError (a full disk) means that
        nothing was kept: the caller must then not replace the file.
        """
        version = VersionId(hashlib.sha256(content).hexdigest())
        with self._locked():
            newest = max(self.list(path), key=lambda known: known.when, default=None)
            if newest is not None and (newest.id, newest.mode) == (version, mode) and self._content(version).exists():
                return version
            stored = self._store(version, content)
            self._append(_line(Version(path, version, when, reason, mode, len(content), stored)))
        return version

    def list(self, path: RelPath | None = None) -> list[Version]:
        """The versions of one file, or of all, newest first."""
        found = [version for version in self._read() if path is None or version.path == path]
        return sorted(found, key=lambda version: version.when, reverse=True)

    def read(self, version: VersionId) -> bytes:
        """A version's bytes.  KeyError if it is not (or no longer) here, ValueError if the disk spoiled it."""
        try:
            packed = self._content(version).read_bytes()
        except FileNotFoundError:
            raise KeyError(version) from None
        try:
            content = zlib.decompress(packed)
        except zlib.error as spoiled:
            raise ValueError(f"the kept version {version} is damaged on disk") from spoiled
        if hashlib.sha256(content).hexdigest() != version:
            raise ValueError(f"the kept version {version} is damaged on disk")
        return content

    def prune(self, limits: Limits, now: float) -> int:
        """Let go of what the limits no longer cover, and return how many versions that were."""
        if not self._index.exists():
            return 0
        with self._locked():
            versions = list(self._read())
            gone = surplus(versions, limits, now)
            kept = [version for version in versions if version not in gone]
            if gone:
                _write_durably(self._index, b"".join(map(_line, kept)))
            self._sweep({version.id for version in kept})
        return len(gone)

    def _read(self) -> Iterator[Version]:
        try:
            raw = self._index.read_bytes()
        except FileNotFoundError:
            return
        for line in raw.split(b"\n"):
            version = _parsed(line)
            if version is not None:
                yield version

    def _content(self, version: VersionId) -> Path:
        return self._folder / "content" / version[:2] / version[2:]

    def _store(self, version: VersionId, content: bytes) -> int:
        target = self._content(version)
        if not target.exists():
            fresh = not target.parent.exists()
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_durably(target, zlib.compress(content, 6))
            if fresh:
                _sync_folder(target.parent.parent)
        return target.stat().st_size

    def _append(self, line: bytes) -> None:
        fresh = not self._index.exists()
        descriptor = os.open(self._index, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            written = os.write(descriptor, whole := b"\n" * torn + line)
            if written != len(whole):
                raise OSError(28, "the disk is full", str(self._index))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            _sync_folder(self._folder)

    def _sweep(self, named: set[VersionId]) -> None:
        for folder in (self._folder / "content").glob("??"):
            for content in folder.iterdir():
                # what a killed writer left aside starts with a dot and is named by no line either
                if folder.name + content.name not in named:
                    content.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _line(version: Version) -> bytes:
    body = json.dumps(
        {
            "path": version.path,
            "id": version.id,
            "when": version.when,
            "reason": version.reason,
            "mode": int(version.mode),
            "size": version.size,
            "stored": version.stored,
        }
    ).encode()
    return body + b"\t%08x\n" % zlib.crc32(body)


def _parsed(line: bytes) -> Version | None:
    body, _, checksum = line.rpartition(b"\t")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    raw = json.loads(body)
    return Version(
        RelPath(raw["path"]),
        VersionId(raw["id"]),
        float(raw["when"]),
        str(raw["reason"]),
        Mode(raw["mode"]),
        int(raw["size"]),
        int(raw["stored"]),
    )


def _write_durably(target: Path, content: bytes) -> None:
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
