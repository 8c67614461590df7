"""A student's folder of ordinary files, where no FUSE can be had: the protocol of `syncd.view`.

Its state folder holds the base and the journal (`journal.py`) and a cache of stat data.  What the
student changed is whatever differs from the base; no list of it is kept.  An update is spelt out
(`intent.py`), staged, journaled, and carried out by renames that each check what they displace
(`transition.py`).
"""

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from syncd.agent.intent import Was, intent
from syncd.agent.journal import Aside, Base, Journal, Move, Put, Records
from syncd.agent.prepare import Preparing
from syncd.agent.staging import Staging
from syncd.agent.transition import carry_out, in_order, passed_over, rescue
from syncd.blobs import Snapshot
from syncd.core.entry import Change, CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser, Stop
from syncd.core.folding import Folding
from syncd.core.ignore import ASIDE
from syncd.folder.hash import Unsettled, reading
from syncd.folder.observe import Observed, observe
from syncd.folder.root import InTheWay, Root
from syncd.folder.scan import StatId, stat_id
from syncd.folder.spelling import folding_of
from syncd.folder.statcache import StatCache
from syncd.folder.writers import open_for_writing
from syncd.manifest import Manifest, changes_to
from syncd.view import Mine, MoveBeside, Newest, Stamp, Step, Update, View

_MANY = 10
"""A folder of so many files that has none left was more likely unmounted than emptied by the student."""


class Emptied(NeedsUser):
    """All files are gone at once; `PlainView.start_over` fills the folder anew."""


def available() -> str | None:
    """Why plain folders can't be had here: they always can."""
    return None


class PlainView:
    """See `syncd.view.View`; a stamp here is the entry that was seen (`Was`)."""

    kind = "plain"

    def __init__(
        self,
        root: Path,
        state: Path,
        snapshots: Callable[[CommitId], Snapshot],
        quiet_s: float = 2.0,
        *,
        leased: bool = False,
    ) -> None:
        """Open the folder, making it if there never was one, and finish an update that was interrupted.

        NeedsUser if it is gone; `leased`: see `OpenView`.
        """
        self.root = root
        self._snapshots = snapshots
        self._quiet_s = quiet_s
        self._records = Records(state)
        self._base = self._records.base()
        self._seen: Mapping[RelPath, Mine] | None = None
        self._written: dict[RelPath, StatId] = {}
        """What we put in place ourselves, which is nobody's save."""
        if self._base.commit is None:
            root.mkdir(parents=True, exist_ok=True)
        self._lock = None if leased else _locked(root)
        self._folding = _folding(root, state)
        self._cache = StatCache(state / "stat.sqlite")
        try:
            with self._opened():
                pass
        except BaseException:
            self.close()
            raise

    @property
    def base(self) -> CommitId | None:
        """The commit this view shows."""
        return self._base.commit

    @property
    def waiting(self) -> Mapping[RelPath, Entry | None]:
        """The bases of files whose merge waits."""
        return self._base.waiting

    def observe(self) -> Mapping[RelPath, Mine]:
        """All that differs from the base.  Emptied if nothing at all is left of many files."""
        with self._opened() as root:
            found = observe(root, self._cache, passed_over)
        base = self._manifest()
        bases = {} if base is None else base.tree()
        self._check_not_emptied(found, len(bases))
        bases.update((path, entry) for path, entry in self._base.waiting.items() if entry is not None)
        for path, entry in self._base.waiting.items():
            if entry is None:
                bases.pop(path, None)
        changed: dict[RelPath, Mine] = {}
        for path, file in found.files.items():
            was = bases.pop(path, None)
            if was != file.entry:
                changed[path] = Mine(Change(was, file.entry), Stamp(Was(file.entry)))
        for path, was in bases.items():
            if found.knows(path):
                changed[path] = Mine(Change(was, None), Stamp(Was(None)))
        self._seen = changed
        return changed

    def origins(self) -> Mapping[RelPath, RelPath]:
        """Nothing: ordinary files don't say where they came from, so their contents must."""
        return {}

    def content(self, path: RelPath) -> bytes:
        """The bytes at a path.  FileNotFoundError if they are gone or just being written."""
        with Root(self.root, self._folding) as root:
            try:
                with reading(root, path) as (_, source):
                    return source.read()
            except (InTheWay, Unsettled) as problem:
                raise FileNotFoundError(path) from problem

    def names(self, folder: RelPath | None) -> frozenset[str]:
        """The names in a folder, without our own asides."""
        try:
            with Root(self.root, self._folding) as root, root.folder(folder or "") as at, at.entries() as entries:
                return frozenset(entry.name for entry in entries if not entry.name.startswith(ASIDE))
        except (FileNotFoundError, InTheWay):
            return frozenset()

    def busy(self, paths: Collection[RelPath]) -> frozenset[RelPath]:
        """What is open for writing, or was saved (or deleted, as some editors save) within the quiet time."""
        with Root(self.root, self._folding) as root:
            return frozenset(path for path in paths if self._is_busy(root, path))

    def apply(self, update: Update) -> Sequence[Step]:
        """Carry out an update.  OSError (a full disk) while it is staged means that nothing has changed."""
        if self._seen is None:
            self.observe()
        seen, self._seen = self._seen or {}, None
        with self._opened() as root:
            old, new = self._manifest(), update.to
            bases = {path: self._base_of(path, old) for step in update.steps for path in _paths(step)}
            wanted = intent(update, changes_to(old, new.manifest, self._base.waiting), seen, bases)
            staging = Staging(root)
            staging.clear()
            try:
                prepared = Preparing(root, self._cache, staging, new).prepare(wanted, bases)
                base = Base(self._base.number + 1, new.commit, prepared.waiting)
                journal = Journal(base, in_order(move for move, _ in prepared.moves))
                if journal.moves:
                    staging.sync()
                    self._records.begin(journal)
                elif base == replace(self._base, number=base.number):
                    return prepared.refused
            except BaseException:
                self._records.end()  # first: a journal without its staged contents would leave copies out
                staging.clear()
                raise
            made_not = self._carry_out(root, journal)
            puts = [move for move in journal.moves if isinstance(move, Put) and move.staged in staging.made]
            self._written |= {move.path: staging.made[move.staged or ""] for move in puts}
        steps = {id(move): step for move, step in prepared.moves}
        return [*prepared.refused, *(step for move in made_not if (step := steps[id(move)]) is not None)]

    def start_over(self) -> None:
        """Forget the base: the next update gives every file that is missing, and keeps what is there (S11, S12)."""
        self._base = Base(self._base.number + 1)
        self._records.set_base(self._base)
        self._seen = None
        self.root.mkdir(parents=True, exist_ok=True)

    def follow(self, newest: Newest | None, asked: Callable[[], None]) -> None:
        """Nobody asks us before they look into a plain folder."""

    def at_newest(self) -> bool:
        """Whoever keeps it brings it there."""
        return False

    def still(self) -> AbstractContextManager[None]:
        """It always is."""
        return nullcontext()

    def nudge(self) -> None:
        """Ordinary files tell by themselves."""

    def is_served(self) -> bool:
        """Ordinary files need nobody."""
        return True

    def close(self) -> None:
        """Let go of cache and lock; the folder stays as it is."""
        self._cache.close()
        number, self._lock = self._lock, None
        if number is not None:
            os.close(number)

    @contextmanager
    def _opened(self) -> Iterator[Root]:
        """The folder, with whatever update was interrupted finished."""
        with Root(self.root, self._folding) as root:
            journal = self._records.journal()
            if journal is not None:
                if journal.base.number > self._base.number:
                    rescue(root, self._cache, journal.moves, datetime.now())
                    self._carry_out(root, journal)
                else:
                    self._finish(root)
            yield root

    def _carry_out(self, root: Root, journal: Journal) -> list[Move]:
        refused = carry_out(root, self._cache, journal.moves)
        waiting = dict(journal.base.waiting)
        for move in refused:
            if isinstance(move, Aside):
                waiting.update(move.bases)
            elif not move.own:
                waiting[move.path] = move.base
        base = replace(journal.base, waiting=waiting)
        self._records.set_base(base)
        self._base = base
        self._finish(root)
        return refused

    def _finish(self, root: Root) -> None:
        """The base is set: nothing of the update is needed any more."""
        Staging(root).clear()
        self._records.end()

    def _manifest(self) -> Manifest | None:
        return None if self._base.commit is None else self._snapshots(self._base.commit).manifest

    def _base_of(self, path: RelPath, manifest: Manifest | None) -> Entry | None:
        if path in self._base.waiting:
            return self._base.waiting[path]
        return None if manifest is None else manifest.entry(path)

    def _check_not_emptied(self, found: Observed, files: int) -> None:
        if files >= _MANY and not found.files and not found.unread and not found.unsettled:
            raise Emptied(
                f"All {files} files of {self.root} are gone at once, so nothing is done there; bring the folder back, "
                "or restore everything to have it filled anew."
            )

    def _is_busy(self, root: Root, path: RelPath) -> bool:
        try:
            with root.above(path) as (folder, name):
                try:
                    found = folder.lstat(name)
                except FileNotFoundError:
                    found = folder.stat()
                else:
                    if open_for_writing(folder, name):
                        return True
                    ours = self._written.get(path)
                    if ours is not None and ours.same_file(stat_id(found)):
                        return False
        except (FileNotFoundError, InTheWay):
            return False
        return time.time() - max(found.st_mtime, found.st_ctime) < self._quiet_s


open_view: Callable[..., View] = PlainView
"""Opens a plain folder."""


def _locked(root: Path) -> int | None:
    """A lock on the folder itself, whatever the state folder is.  Stop if another process keeps it."""
    try:
        number = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # it is not there; what reads it next says so
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        os.close(number)
        raise Stop(f"Another agent keeps the folder {root} already; end that one first.") from problem
    except OSError:
        os.close(number)
        return None  # this file system locks no folders; the agent's lock on its state remains
    return number


def _folding(root: Path, state: Path) -> Folding:
    try:
        return folding_of(root, state / "disk.json")
    except OSError:
        return Folding.NOTHING  # it is not there; what reads it next says so


def _paths(step: Step) -> tuple[RelPath, ...]:
    return (step.path, *step.stamps) if isinstance(step, MoveBeside) else (step.path,)
