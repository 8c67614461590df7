"""A student's folder as an overlay: the protocol of `syncd.view` over a mount.

Its state folder holds `upper/` (the student's files, as they are), `layer.log` (whiteouts, redirects,
the base), `staging/`, `update.json` while an update is under way, and `lock`.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from fuse_mount import observe
from fuse_mount.catch_up import CatchUp, numbered_otherwise, switch_at_once
from fuse_mount.catch_up import notices as notices
from fuse_mount.handover import Handed, claim
from fuse_mount.inode import File, Folder
from fuse_mount.journal import Journal, JournalFile, discard, stage
from fuse_mount.keeper import kept_for, let_go
from fuse_mount.kernel.engine import KernelEngine
from fuse_mount.kernel.mount import MountOptions, close_mount, is_mounted, unavailable
from fuse_mount.lower import EmptyLower, SnapshotLower
from fuse_mount.mount_point import prepare, shut
from fuse_mount.nudge import watching as watching
from fuse_mount.observe import Observer
from fuse_mount.overlay import Caller, Overlay
from fuse_mount.record_log import RecordLog
from fuse_mount.stand_in import serve_until_relieved
from fuse_mount.state_lock import DYING_S, lock
from fuse_mount.successor import Taken, go_on
from fuse_mount.switch import Stale
from fuse_mount.update import Outcome, Updating
from fuse_mount.upper import Upper
from syncd.blobs import Snapshot
from syncd.core.entry import Change, CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser
from syncd.view import Mine, Newest, Posted, Step, Update, View

_MOST_OWED = 2000
ENGINE = "SYNCD_FUSE_ENGINE"
"""The environment's choice of engine: `kernel` (the default) or `mfusepy`."""


class Engine(Protocol):
    """What shows an overlay at a folder."""

    def tell(self, stale: Stale) -> None:
        """Caches are wrong about this."""
        ...

    def nudge(self, stale: Stale) -> None:
        """Programs that watch folders have heard nothing of this."""
        ...

    def serves(self) -> bool:
        """Whether requests are still answered."""
        ...

    def close(self) -> None:
        """Take the mount away."""
        ...


def available() -> str | None:
    """Why no overlay can be had here, in one sentence; None if it can."""
    return unavailable()


def open_view(
    root: Path,
    state: Path,
    snapshots: Callable[[CommitId], Snapshot],
    quiet_s: float = 2.0,
    engine: str | None = None,
    *,
    leased: bool = False,
) -> View:
    """Open an overlay, finishing an update that was interrupted; mounted as soon as there is a base.

    NeedsUser if the folder can't be used, Stop if another process has this state.  `leased`: none can have it while
    this one lives, so it takes no lock; and when it dies nothing is written any more: no child of it, which the lease
    does not cover, stands in, and the kernel has no file of the student's to write to by itself.
    """
    return OverlayView(root, state, snapshots, quiet_s, engine or os.environ.get(ENGINE, "kernel"), leased=leased)


def give_up(root: Path, state: Path) -> None:
    """Another machine serves this view now: what is left of it here goes, and who waits for it gets an error."""
    let_go(state)
    if is_mounted(root):
        close_mount(root)


class OverlayView:
    """See `syncd.view.View`."""

    kind = "overlay"

    def __init__(
        self,
        root: Path,
        state: Path,
        snapshots: Callable[[CommitId], Snapshot],
        quiet_s: float,
        engine: str = "kernel",
        handed: Handed | None = None,
        *,
        leased: bool = False,
    ) -> None:
        """See `open_view`.  `handed`: stand in for a view whose process died."""
        self.root = root
        self._state = state
        self._stands_in, self._leased = handed is not None, leased
        self._snapshots = snapshots
        self._quiet_s = quiet_s
        self._engine_name = engine
        self._engine: Engine | None = None
        self._seen: Mapping[RelPath, Mine] = {}
        self._written: dict[RelPath, tuple[int, int]] = {}
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if handed is None and engine == "kernel":
            handed = kept_for(state) or claim(state)
        self._lock = -1 if leased else lock(state, DYING_S if handed is not None else 0.0)
        self._taken: Taken | None = None
        self._upper = Upper(state / "upper", state / "staging")
        self._log = RecordLog(state / "layer.log", self._upper.real)
        self._journal = JournalFile(state)
        self._overlay = Overlay(EmptyLower(), self._upper, self._log, Caller(os.geteuid(), os.getegid()))
        self._overlay.writes_end_with_us = leased  # or an open file would be written though others have the lease
        self._observer: Observer | None = None
        self._closed = False
        self._flushing: threading.Thread | None = None
        self._catch_up: CatchUp | None = None
        self._untold = Stale()
        try:
            if self.base is not None:
                self._show(snapshots(self.base))
            if handed is not None:
                self._taken = go_on(self._overlay, handed, self.root)
                if self._taken is None:
                    let_go(state)
            self._finish_interrupted()
            self._upper.clean(node.real for node in self._overlay.opened if node.orphan)
            if self._taken is not None:
                self._mount()
            elif self.base is not None and not self._stands_in:
                prepare(self.root, known=True)
                self._mount()
        except BaseException:
            self.close()
            raise

    @property
    def base(self) -> CommitId | None:
        """The commit this view shows."""
        return self._log.layer.base

    @property
    def waiting(self) -> Mapping[RelPath, Entry | None]:
        """The bases of files whose merge waits."""
        return dict(self._log.layer.waiting)

    @property
    def overlay(self) -> Overlay:
        """The model, for tests and measurements."""
        return self._overlay

    @property
    def engine(self) -> Engine | None:
        """What shows it; None while nothing is mounted."""
        return self._engine

    def origins(self) -> Mapping[RelPath, RelPath]:
        """Files that the student renamed, and what of the course they were; files in renamed folders included."""
        if self._observer is None:
            return {}
        with self._overlay.lock, self._overlay.nodes.passing():
            found = observe.origins(self._overlay, self._observer.manifest)
        return {path: origin.path for path, origin in found.items()}

    def observe(self) -> Mapping[RelPath, Mine]:
        """All that the student changed against the base."""
        self._seen = self._observer.observe() if self._observer else {}
        return self._seen

    def content(self, path: RelPath) -> bytes:
        """The student's bytes at a path."""
        return observe.content(self._overlay, path)

    def names(self, folder: RelPath | None) -> frozenset[str]:
        """All names that the view shows in a folder."""
        with self._overlay.lock, self._overlay.nodes.passing():
            node = self._overlay.at(os.fsencode(folder or ""))
            if not isinstance(node, Folder):
                return frozenset()
            return frozenset(os.fsdecode(name) for name in self._overlay.names(node))

    def busy(self, paths: Collection[RelPath]) -> frozenset[RelPath]:
        """What is open for writing, or was saved or removed within the quiet time."""
        with self._overlay.lock, self._overlay.nodes.passing():
            return frozenset(path for path in paths if self._is_busy(path))

    def _is_busy(self, path: RelPath) -> bool:
        at = os.fsencode(path)
        removed = self._overlay.removed.get(at)
        try:
            node = self._overlay.at(at)
        except PermissionError:
            return True  # in a folder that the student closed
        if not isinstance(node, File):
            return removed is not None and time.monotonic() - removed < self._quiet_s
        if node.writers:
            return True
        if node.low is not None:
            return False
        found = self._upper.stat(node.path())
        if found is None or self._written.get(path) == (found.st_ino, found.st_ctime_ns):
            return False
        return abs(time.time_ns() - found.st_ctime_ns) < self._quiet_s * 1e9

    def apply(self, update: Update) -> Sequence[Step]:
        """Switch to the update's commit; return the steps refused.  OSError while staging: nothing has changed."""
        if self._engine is None:
            prepare(self.root, known=self.base is not None)
        planned_on = self.base
        self._finish_interrupted()
        between = update.between if self.base == planned_on else None
        journal = stage(self._upper, update, self._seen)
        self._seen = {}
        if not journal.is_plain:
            try:
                self._upper.sync_staging()
                self._journal.begin(journal)
            except OSError:
                discard(self._upper, journal.steps)
                raise
        outcome = self._carry_out(update.to, journal, between=between)
        for item in journal.steps:
            found = self._upper.stat(os.fsencode(item.step.path)) if item.staged else None
            if found is not None:
                self._written[item.step.path] = (found.st_ino, found.st_ctime_ns)
        if self._engine is None:
            self._mount()
            # What the student makes from here on is told from the course's own by the base; nobody waits for that.
            self._flushing = threading.Thread(target=self._flush, name="view-flush", daemon=True)
            self._flushing.start()
        return outcome.refused

    def follow(self, newest: Newest | None, asked: Callable[[], None]) -> None:
        """See `CatchUp`; the engine on mfusepy asks for nothing, and only hears what the agent applies."""
        with self._overlay.lock:
            self._catch_up = None if newest is None else CatchUp(newest, self._switch_at_once, asked)
            self._overlay.catch_up = self._catch_up or (lambda: None)
        self._tell_all()  # a version may have been posted before, and what was looked up since then be one behind

    def _tell_all(self) -> None:
        if isinstance(self._engine, KernelEngine):
            with self._overlay.lock:
                folders = [ino for ino, node in self._overlay.nodes.by_ino.items() if isinstance(node, Folder)]
            self._engine.tell_all(folders)

    def still(self) -> contextlib.AbstractContextManager[None]:
        """Go nowhere by itself meanwhile."""
        return self._catch_up.still(self._overlay) if self._catch_up is not None else contextlib.nullcontext()

    def at_newest(self) -> bool:
        """See `CatchUp`."""
        with self._overlay.lock:
            there = self._catch_up is not None and self._catch_up.at_newest()
            looked = self._catch_up is not None and self._catch_up.was_refused
        if there and looked:
            self._tell_all()  # kernels were told when the version was posted, and not to wait until it shows
        return there

    def nudge(self) -> None:
        """Tell programs that watch folders what changed since the last time, where nobody applied an update."""
        with self._overlay.lock:
            stale, self._untold = self._untold, Stale()
        if self._engine is not None:
            self._engine.nudge(stale)

    def _switch_at_once(self, posted: Posted) -> bool:
        if posted.commit == self.base:
            return True
        if posted.since != self.base or posted.paths is None or self._journal.read() is not None:
            return False
        to = self._snapshots(posted.commit)
        stale = switch_at_once(self._overlay, to, posted.paths)
        if stale is None:
            return False
        self._observer = self._observing(to)
        self._owe(stale)
        if isinstance(self._engine, KernelEngine):
            self._engine.tell_unheard(stale, numbered_otherwise(self._overlay, stale.folders))
        return True

    def is_served(self) -> bool:
        """Read from the kernel's table: a process that asks its own mount may wait for itself for ever."""
        return self._engine is not None and self._engine.serves() and is_mounted(self.root)

    def close(self) -> None:
        """Unmount and let go."""
        if self._closed:
            return
        self._closed = True
        if self._engine is not None:
            self._engine.close()
            self._engine = None
            with contextlib.suppress(OSError):
                self.root.rmdir()
        if self._flushing is not None:
            self._flushing.join()
        with self._overlay.lock:
            self._log.close()
        self._upper.close()
        if self._lock >= 0:
            os.close(self._lock)

    def _show(self, snapshot: Snapshot) -> None:
        self._overlay.lower = SnapshotLower(snapshot, self._upper.mask)
        self._observer = self._observing(snapshot)

    def _observing(self, snapshot: Snapshot) -> Observer:
        observer = Observer(self._overlay, snapshot.manifest, self._log.layer.waiting)
        if self._observer is not None:
            observer.remember(self._observer)
        return observer

    def _finish_interrupted(self) -> None:
        journal = self._journal.read()
        if journal is not None:
            self._carry_out(self._snapshots(journal.commit), journal, again=True)

    def _carry_out(
        self, to: Snapshot, journal: Journal, again: bool = False, between: Mapping[RelPath, Change] | None = None
    ) -> Outcome:
        outcome = Updating(self._overlay, self._observer, to, journal, between).run(again)
        self._observer = self._observing(to)
        if self._engine is not None:
            self._engine.tell(outcome.stale)
        for folder in outcome.changed:
            with contextlib.suppress(FileNotFoundError):
                self._upper.sync_at(folder)
        if not journal.is_plain:
            # Else a power loss may take us back to the old base, from where the same update is made again;
            # a class that waits for its disk, one by one, would be the price.
            self._log.sync()
        self._journal.end()
        discard(self._upper, journal.steps)
        if self._catch_up is not None:
            self._owe(outcome.stale)  # whoever posts versions looks for watchers, once for all views
        elif self._engine is not None:
            self._engine.nudge(outcome.stale)
        return outcome

    def _owe(self, stale: Stale) -> None:
        with self._overlay.lock:
            if len(self._untold.names) > _MOST_OWED:
                self._untold = Stale()  # nobody has asked for it in a long time: nobody watches
            self._untold.names |= stale.names

    def stand_in(self, handed: Handed) -> None:
        """In a child of the process that died: serve its mount until somebody else does."""
        view = OverlayView(self.root, self._state, self._snapshots, self._quiet_s, "kernel", handed)
        if view.engine is not None:
            serve_until_relieved(view.overlay, view.engine, view.close)

    def _mount(self) -> None:
        """Mount at an empty folder."""
        try:
            with shut(self.root) if self._taken is None else contextlib.nullcontext():
                self._engine = self._started()
            if isinstance(self._engine, KernelEngine) and not self._stands_in:
                stand_in = None if self._leased else self.stand_in
                self._engine.keep_for_successor(self._state, stand_in, self._doors())
        except OSError as error:
            with contextlib.suppress(OSError):
                self.root.rmdir()
            raise NeedsUser(
                f"The folder {self.root} can't be mounted ({error.strerror}); see that FUSE is allowed here, "
                "or use plain folders."
            ) from error

    def _flush(self) -> None:
        with contextlib.suppress(OSError):  # the next one who has something flushed is told
            self._log.sync()

    def _doors(self) -> list[int]:
        lower = self._overlay.lower
        door = lower.snapshot.blobs.door if isinstance(lower, SnapshotLower) else None
        return [] if door is None else [door]

    def _started(self) -> Engine:
        if self._engine_name == "mfusepy":
            from fuse_mount.mfusepy_engine import MfusepyEngine

            return MfusepyEngine(self._overlay, self.root)
        taken, self._taken = self._taken, None
        return KernelEngine(self._overlay, self.root, MountOptions(allow_other=os.geteuid() == 0), taken)
