"""What files were when they were last hashed, on disk, so that nothing unchanged is read again.

A cache: losing it costs time and nothing else, so a damaged one is thrown away.  Two tables; in `file`:

- folder, name: the path, as bytes (names need not be UTF-8);
- mode, size, mtime, ctime, ino: the stat data of then;
- hashed: when hashing began, by the clock of this machine, in ns;
- blob: git's id of the content;

and in `equal`, for folders that equalled a commit in all that lies directly in them:

- folder: the path; fingerprint and names: see `syncd.folder.fingerprint`;
- tree: what it equalled; folders: the names of those in it that are synced, zero bytes between; files: how many lie
  in it.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from syncd.core.entry import BlobId, Entry, Mode, RelPath
from syncd.folder.hash import Hashed
from syncd.folder.scan import Seen, StatId

_log = logging.getLogger(__name__)
_FINE = 50_000_000
_COARSE = 2_000_000_000
"""Grain of file times, in ns: a kernel's tick with a wide margin; FAT's and some servers' two seconds."""

_TABLE = """CREATE TABLE IF NOT EXISTS file (
    folder BLOB, name BLOB, mode INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER, ino INTEGER,
    hashed INTEGER, blob BLOB, PRIMARY KEY (folder, name)) WITHOUT ROWID"""

_SUMMARIES = """CREATE TABLE IF NOT EXISTS equal (
    folder BLOB PRIMARY KEY, fingerprint BLOB, names BLOB, tree BLOB, folders BLOB, files INTEGER) WITHOUT ROWID"""


class Summary(NamedTuple):
    """A folder whose files and folders were those of a tree, while it had this fingerprint.

    A tuple, since a start makes one for each folder.
    """

    fingerprint: bytes
    names: bytes
    tree: bytes
    folders: tuple[str, ...]
    files: int


@dataclass(frozen=True, slots=True)
class Known:
    """A file when it was last hashed."""

    entry: Entry
    stat: StatId
    hashed_ns: int

    def holds(self, seen: Seen) -> bool:
        """Whether the file is surely still the same: equal stat data, and not so fresh when hashed
        that a later write could carry the same times (git calls that racily clean).
        """  # noqa: D205
        return seen.stat == self.stat and seen.mode is self.entry.mode and not racy(self.stat, self.hashed_ns)


def racy(stat: StatId, hashed_ns: int) -> bool:
    """Whether a file was changed within its clock's grain before (or after) it was hashed."""
    return fresh(max(stat.mtime_ns, stat.ctime_ns), hashed_ns)


def fresh(changed_ns: int, looked_ns: int) -> bool:
    """Whether what changed then could have changed again, with the same time, after it was looked at."""
    grain = _FINE if changed_ns % 1_000_000 else _COARSE
    return changed_ns + grain > looked_ns


class StatCache:
    """The cache of one folder, in one SQLite file.  One thread at a time."""

    def __init__(self, path: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Open or create it; a damaged one is replaced by an empty one."""
        self._path = path
        self._now_ns = now_ns
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:
            discard(path)
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA cache_size=-2000")  # KB; the system caches the file as well
            db.execute(_TABLE)
            db.execute(_SUMMARIES)
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def now_ns(self) -> int:
        """The clock that `put` wants the start of hashing by."""
        return self._now_ns()

    def folder(self, folder: str) -> Mapping[str, Known]:
        """All that is known of one folder's files, by name."""
        rows = self._db.execute(
            "SELECT name, mode, size, mtime, ctime, ino, hashed, blob FROM file WHERE folder = ?",
            (os.fsencode(folder),),
        )
        return {os.fsdecode(row[0]): _known(row[1:]) for row in rows}

    def get(self, path: RelPath) -> Known | None:
        """What is known of one file."""
        row = self._db.execute(
            "SELECT mode, size, mtime, ctime, ino, hashed, blob FROM file WHERE folder = ? AND name = ?", _key(path)
        ).fetchone()
        return None if row is None else _known(row)

    def knows_below(self, folder: str) -> bool:
        """Whether any file is known in a folder or deeper."""
        start = os.fsencode(folder)
        found = self._db.execute(
            "SELECT 1 FROM file WHERE folder = ? OR (folder > ? AND folder < ?) LIMIT 1",
            (start, start + b"/", start + b"0"),  # "0" is what follows "/"
        ).fetchone()
        return found is not None

    def put(self, files: Iterable[tuple[Hashed, int]]) -> None:
        """Remember files, each with the time at which its hashing began."""
        with self._changing():
            self._db.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        *_key(file.seen.path),
                        int(file.entry.mode),
                        file.seen.stat.size,
                        file.seen.stat.mtime_ns,
                        file.seen.stat.ctime_ns,
                        # Some network file systems use all 64 bits; SQLite's integers are signed.
                        _signed(file.seen.stat.ino),
                        hashed_ns,
                        bytes.fromhex(file.entry.blob),
                    )
                    for file, hashed_ns in files
                ),
            )

    def forget(self, paths: Iterable[RelPath]) -> None:
        """Drop files that are gone."""
        with self._changing():
            self._db.executemany("DELETE FROM file WHERE folder = ? AND name = ?", map(_key, paths))

    def summaries(self) -> dict[str, Summary]:
        """All folders that have one."""
        rows = self._db.execute("SELECT folder, fingerprint, names, tree, folders, files FROM equal")
        return {
            os.fsdecode(folder): Summary(
                mark, names, tree, tuple(os.fsdecode(folders).split("\0")) if folders else (), files
            )
            for folder, mark, names, tree, folders, files in rows
        }

    def summarize(self, summaries: Mapping[str, Summary | None]) -> None:
        """Remember these; None: there is none any more."""
        if not summaries:
            return
        with self._changing():
            self._db.executemany(
                "DELETE FROM equal WHERE folder = ?",
                [(os.fsencode(folder),) for folder, new in summaries.items() if new is None],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO equal VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        os.fsencode(folder),
                        new.fingerprint,
                        new.names,
                        new.tree,
                        os.fsencode("\0".join(new.folders)),
                        new.files,
                    )
                    for folder, new in summaries.items()
                    if new is not None
                ],
            )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction.  A full disk costs what it would have remembered, and must not stop anybody."""
        try:
            with self._db:
                self._db.execute("BEGIN")
                yield
        except sqlite3.OperationalError as problem:
            _log.warning("%s can't be written: %s", self._path, problem)

    def rest(self) -> None:
        """Let go of what is kept in memory."""
        self._db.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def is_sound(path: Path) -> bool:
    """Whether a cache's file can be read as a whole; also while a publisher has it open."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        finally:
            db.close()
    except sqlite3.OperationalError:
        return True  # locked, or not to be opened just now
    except sqlite3.DatabaseError:
        return False


def discard(path: Path) -> None:
    """Throw a cache away that nobody has open."""
    for leftover in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        leftover.unlink(missing_ok=True)


def _key(path: RelPath) -> tuple[bytes, bytes]:
    folder, _, name = path.rpartition("/")
    return os.fsencode(folder), os.fsencode(name)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _known(row: tuple[int, int, int, int, int, int, bytes]) -> Known:
    mode, size, mtime, ctime, ino, hashed, blob = row
    entry = Entry(BlobId(blob.hex()), Mode(mode))
    return Known(entry, StatId(size, mtime, ctime, ino if ino >= 0 else ino + (1 << 64)), hashed)
