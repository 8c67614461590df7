"""One course's folder on this machine: its view, its versions, its notes.  Everything here blocks.

<state>/kind        overlay or plain, as it was begun with
<state>/view/       the view's own state
<state>/snapshots/  which commits, and where the node keeps them
<state>/versions/   what updates and restores replaced
<state>/notes.json  the newest sentences for the student
<state>/paused      there while the student wants no updates
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from syncd.agent.compare import compared, listed
from syncd.agent.journal import write_durably
from syncd.agent.kinds import Kind, choose, keep_kind, kept_kind
from syncd.agent.plain import Emptied, PlainView
from syncd.agent.snapshots import Snapshots
from syncd.agent.soft_limit import Kept, SoftLimit, counted
from syncd.agent.update import Report, bring_up_to_date, restore
from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.merge.resolve import Note
from syncd.node.client import Ready
from syncd.versions import DAY_S, Limits, Versions
from syncd.view import Newest, View

_log = logging.getLogger(__name__)
_NOTES = 100
_NOT_YET = "The course has not arrived yet; it does as soon as the node has it."
_BASE_LOST = (
    "The version of the course that this folder was made from is no longer kept by the node, so nothing is changed; "
    "restore everything to begin anew, your files stay."
)


class Keeper:
    """Opens and updates one view.  One thread at a time, but for `is_dead` and the plain attributes."""

    def __init__(
        self,
        root: Path,
        state: Path,
        wanted: str | None,
        quiet_s: float,
        known: Mapping[str, Kind],
        door: int | None = None,
        leased: bool = False,
    ) -> None:
        """Nothing is opened yet.  `door`: see `Snapshots`; `leased`: see `OpenView`."""
        self.root = root
        self.kind = kept_kind(state) or wanted or ""
        self.notes: list[str] = _read_notes(state / "notes.json")
        self._state, self._wanted, self._quiet_s, self._known = state, wanted, quiet_s, known
        self._leased = leased
        self._snapshots = Snapshots(state / "snapshots", door)
        self._versions = Versions(state / "versions")
        self._newest: Newest | None = None
        self._asked: Callable[[], None] = lambda: None
        self._pruned_at = 0.0
        self._view: View | None = None

    @property
    def commit(self) -> CommitId | None:
        """The commit that shows; None before the first."""
        return None if self._view is None else self._view.base

    def open(self) -> None:
        """Open the view, if it is not open.  NeedsUser if it can't be."""
        if self._view is not None:
            return
        before = kept_kind(self._state)
        if before is not None:
            self._snapshots.check()  # or a stand-in, which serves the folder meanwhile, would give it up for nothing
        kind = choose(self._known, self._wanted, before)
        (self._state / "view").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._prune()
        try:
            state = self._state / "view"
            self._view = kind.open(self.root, state, self._snapshots, self._quiet_s, leased=self._leased)
        except LookupError as problem:
            raise NeedsUser(_BASE_LOST) from problem
        self.kind = kind.name
        keep_kind(self._state, kind.name)
        if self._newest is not None and not self.paused:
            self._view.follow(self._newest, self._asked)
        self._shown()

    def follow(self, newest: Newest | None, asked: Callable[[], None]) -> None:
        """Have the view go over to new versions by itself, where it can (see `View.follow`)."""
        self._newest, self._asked = newest, asked
        if self._view is not None:
            self._view.follow(None if self.paused else newest, asked)

    def at_newest(self) -> bool:
        """See `View.at_newest`."""
        return self._view is not None and self._view.at_newest()

    def nudge(self) -> None:
        """See `View.nudge`."""
        if self._view is not None:
            self._view.nudge()

    def update(self, ready: Ready | None, update_now: bool = False) -> Report:
        """Bring the folder to the ready commit (None: retry what waits for the one it shows)."""
        if ready is not None:
            self._snapshots.learn(ready)
        view = self._opened()
        with view.still():
            newest = self._newest.read() if self._newest is not None else None
            if newest is not None and newest.commit == view.base:
                ready = None  # it has gone over by itself meanwhile, and must not go back
            return self._updated(view, ready, update_now)

    def _updated(self, view: View, ready: Ready | None, update_now: bool) -> Report:
        commit = view.base if ready is None else ready.commit
        if commit is None:
            raise TryAgain(_NOT_YET)
        try:
            snapshot = self._snapshots(commit) if ready is None or commit == view.base else ready.snapshot()
            report = bring_up_to_date(view, snapshot, self._snapshots, self._versions, _now, update_now=update_now)
        except LookupError as problem:
            raise NeedsUser(_BASE_LOST) from problem
        self._shown()
        if view.kind == "plain" and view.base is not None:
            self._snapshots.keep_copy(view.base)
        self._prune()
        self._tell(note for note in report.notes if note.path not in report.waiting)
        return report

    def restore(self, path: str, ready: Ready | None) -> str:
        """Give a file, a folder or ('') everything back; a sentence that says what was done."""
        view = self._opened()
        with view.still():
            return self._restored(view, path, ready)

    def _restored(self, view: View, path: str, ready: Ready | None) -> str:
        if view.base is None:
            raise NeedsUser(_NOT_YET)
        try:
            given = restore(view, self._snapshots(view.base), self._versions, _now, RelPath(path) if path else None)
        except (LookupError, Emptied) as problem:
            if path:
                raise NeedsUser(_BASE_LOST) if isinstance(problem, LookupError) else problem from None
            return self._start_over(view, ready)
        if not given:
            return f"{path or 'Everything'} is as the instructor has it already."
        what = given[0] if len(given) == 1 else f"{len(given)} files"
        sentence = f"{what} {'is' if len(given) == 1 else 'are'} as the instructor has it again; what you had is kept."
        self.notes = [*self.notes, sentence][-_NOTES:]
        return sentence

    @property
    def paused(self) -> bool:
        """Whether the student wants no updates for now."""
        return (self._state / "paused").exists()

    def pause(self, paused: bool) -> None:
        """Remember it, durably."""
        if paused:
            write_durably(self._state / "paused", b"")
        else:
            (self._state / "paused").unlink(missing_ok=True)
        self.follow(self._newest, self._asked)

    def changes(self) -> dict[str, Any]:
        """See `compare.listed`."""
        view = self._opened()
        with view.still():
            return listed(view, self._versions)

    def compare(self, path: str, version: str) -> dict[str, Any]:
        """See `compare.compared`."""
        view = self._opened()
        if view.base is None:
            raise NeedsUser(_NOT_YET)
        try:
            with view.still():
                return compared(view, self._snapshots(view.base), self._versions, RelPath(path), version)
        except (LookupError, ValueError) as problem:
            raise NeedsUser("The earlier version can't be read any more.") from problem

    def counted(self, limit: SoftLimit) -> Kept:
        """What is kept for the student: the layer, and older versions."""
        return counted(self._state, limit)

    def is_dead(self) -> bool:
        """Whether the folder's mount is gone or nobody answers for it any more.  Any thread."""
        view = self._view
        return view is not None and view.base is not None and not view.is_served()

    def reopen(self) -> None:
        """Let go of a dead view and open it anew."""
        self.close()
        self.open()

    def close(self) -> None:
        """Close the view: an overlay is unmounted."""
        view, self._view = self._view, None
        if view is not None:
            view.close()

    def _opened(self) -> View:
        self.open()
        assert self._view is not None
        return self._view

    def _prune(self) -> None:
        """Hold the versions within their limits, once a day."""
        now = time.time()
        if now - self._pruned_at > DAY_S:
            self._pruned_at = now
            self._versions.prune(Limits(), now)

    def _shown(self) -> None:
        """What could not be mounted is opened anew: that tries again, or says in a sentence why not."""
        if self.is_dead():
            self.close()
            raise TryAgain("The folder can't be shown just now; it is tried again.")

    def _start_over(self, view: View, ready: Ready | None) -> str:
        if not isinstance(view, PlainView) or ready is None:
            raise NeedsUser(_BASE_LOST)
        view.start_over()
        self.update(ready)
        return "Everything is as the instructor has it again."

    def _tell(self, notes: Iterable[Note]) -> None:
        new = [note.sentence for note in notes]
        if new:
            self.notes = [*self.notes, *new][-_NOTES:]
            # Not flushed: a power cut may take sentences, and a class that merges waits for its disk as it is.
            aside = self._state / ".notes.json.new"
            aside.write_text(json.dumps(self.notes))
            aside.replace(self._state / "notes.json")


def sentence_of(problem: SyncError) -> str:
    """A problem's words for people; its cause goes to the log."""
    if problem.__cause__ is not None:
        _log.info("%s", problem, exc_info=problem)
    return str(problem)


def _now() -> datetime:
    return datetime.now()


def _read_notes(path: Path) -> list[str]:
    try:
        raw = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return []
    return [str(note) for note in raw] if isinstance(raw, list) else []
