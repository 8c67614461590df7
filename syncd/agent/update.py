"""Bring a student's folder to a commit: observe, plan, merge, keep what is replaced, apply.

The same for every kind of view.  Nothing here writes into the folder but `View.apply`.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from syncd.agent.renamed import decide
from syncd.blobs import Snapshot
from syncd.core.beside import MY_COPY, beside
from syncd.core.entry import BlobId, CommitId, RelPath, inside, parents
from syncd.core.errors import NeedsUser
from syncd.core.folding import Folding, fold
from syncd.core.plan import Action, Decision, Side
from syncd.manifest import Manifest, difference, since_agreed
from syncd.merge.resolve import Note, Parties, Resolution, resolve
from syncd.versions import Versions
from syncd.view import Mine, MoveBeside, Step, Take, Update, View, Wait, Write

_TRIES = 4
_TOO_LARGE_TO_MERGE = 50_000_000  # bytes; a merge holds three of them
_FULL = "There is no room left on the disk, so nothing was updated; delete what you no longer need."


class State(Enum):
    """How a view stands; the sentence beside it says the rest."""

    UP_TO_DATE = "up_to_date"
    WAITING = "waiting"
    NEEDS_YOU = "needs_you"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did: the commit that shows now, what waits, and what to tell the student."""

    commit: CommitId | None
    state: State
    sentence: str
    changed: int = 0
    waiting: tuple[RelPath, ...] = ()
    notes: tuple[Note, ...] = ()


Snapshots = Callable[[CommitId], Snapshot]
"""The snapshot of a commit that this node holds.  LookupError if it no longer does."""

Clock = Callable[[], datetime]
"""The time now, local; copies that are put beside are named by it."""


def bring_up_to_date(
    view: View,
    snapshot: Snapshot,
    snapshots: Snapshots,
    versions: Versions,
    clock: Clock,
    *,
    update_now: bool = False,
) -> Report:
    """Update a view to a commit; or, if it shows that commit already, retry what waits.

    With `update_now` files that were saved a moment ago don't wait.  NeedsUser if the folder is gone or the disk is
    full; nothing of the student's was touched then.
    """
    notes: dict[RelPath, Note] = {}
    changed = 0
    before: frozenset[RelPath] | None = None
    for _ in range(_TRIES):
        if view.base == snapshot.commit and not view.waiting:
            break
        old = snapshots(view.base).manifest if view.base is not None else None
        if old is not None and _holds_files(old) and not _holds_files(snapshot.manifest):
            return _refusal(view)
        seen = _observe(view)
        if not seen and not view.waiting and old is None:
            # There is nothing to compare with, and nothing of the student's: the commit as it is.
            refused = _apply(view, Update(snapshot, ()))
            if refused:
                continue
            changed = snapshot.manifest.count_files()
            break
        between = difference(old, snapshot.manifest)
        if not seen and not view.waiting:
            # Nothing of the student's is in the way: the view shows the commit, and there is nothing to plan.
            refused = _apply(view, Update(snapshot, (), between))
            if refused:
                continue
            changed += len(between)
            break
        theirs = since_agreed(between, snapshot.manifest, view.waiting)
        try:
            decisions = decide(view, seen, theirs, snapshot)
            resolution = _resolved(view, snapshot, seen, decisions, clock, update_now)
            _keep_what_goes(view, seen, resolution.steps, versions, clock)
        except FileNotFoundError:
            continue  # a file of the student's went away under us: look again
        refused = _apply(view, Update(snapshot, resolution.steps, between))
        notes |= {note.path: note for note in resolution.notes if note.path not in refused}
        as_before = {decision.path for decision in decisions if decision.action is Action.KEEP}
        as_before |= {step.path for step in resolution.steps if isinstance(step, Wait)} | refused
        changed += len(theirs.keys() - as_before)
        if not refused or refused == before:
            break
        before = refused
    return _report(view, changed, notes.values())


def restore(
    view: View, snapshot: Snapshot, versions: Versions, clock: Clock, path: RelPath | None = None
) -> tuple[RelPath, ...]:
    """Give a file, a folder or (None) everything back as the instructor has it, and return the files that changed.

    `snapshot` is the commit the view shows.  What the student had goes into the versions first; what the student made
    under names of their own stays.  NeedsUser if the instructor has nothing at `path`.
    """
    manifest = snapshot.manifest
    if path is not None and manifest.find(path) is None:
        raise NeedsUser(f"The course has nothing named “{path}”; look at the name again.")
    for _ in range(_TRIES):
        seen = _observe(view)
        wanted = {p for p in seen.keys() | view.waiting.keys() if path is None or p == path or p.startswith(path + "/")}
        wanted = {p for p in wanted if manifest.entry(p) is not None}
        steps = _giving_back(view, seen, wanted, clock)
        if not steps:
            return ()
        try:
            _keep_what_goes(view, seen, steps, versions, clock)
        except FileNotFoundError:
            continue
        if not _apply(view, Update(snapshot, steps)):
            return tuple(sorted(wanted))
    raise NeedsUser(f"{path or 'The folder'} is being written to; close it and restore it again.")


def _resolved(
    view: View,
    snapshot: Snapshot,
    seen: Mapping[RelPath, Mine],
    decisions: Sequence[Decision],
    clock: Clock,
    update_now: bool,
) -> Resolution:
    touched = {path for decision in decisions for path in (decision.source or decision.path, *decision.moved)}
    busy = frozenset() if update_now else view.busy(touched & seen.keys())
    stamps = {path: mine.stamp for path, mine in seen.items()}
    return resolve(decisions, _Contents(view, snapshot), stamps, Parties(Side.STUDENT), clock(), busy)


@dataclass(frozen=True, slots=True)
class _Contents:
    """Mine from the view, theirs and the base from the store."""

    view: View
    snapshot: Snapshot

    def mine(self, path: RelPath) -> bytes | None:
        content = self.view.content(path)
        return content if len(content) <= _TOO_LARGE_TO_MERGE else None

    def blob(self, blob: BlobId) -> bytes | None:
        where = self.snapshot.blobs.path(blob)
        try:
            return where.read_bytes() if where.stat().st_size <= _TOO_LARGE_TO_MERGE else None
        except FileNotFoundError:
            return None  # a base so old that the node let go of it: not mergeable, so both are kept

    def names(self, folder: RelPath | None) -> frozenset[str]:
        return self.view.names(folder)


def _keep_what_goes(
    view: View, seen: Mapping[RelPath, Mine], steps: Iterable[Step], versions: Versions, clock: Clock
) -> None:
    with _room_on_disk():
        for step in steps:
            if not isinstance(step, Take | Write) or step.path not in seen:
                continue
            now = seen[step.path].change.now
            if now is not None:
                reason = "merged with an update" if isinstance(step, Write) else "replaced by the instructor's version"
                versions.keep(step.path, view.content(step.path), reason, clock().timestamp(), now.mode)


def _observe(view: View) -> Mapping[RelPath, Mine]:
    with _room_on_disk():  # it may have an update to finish
        return view.observe()


def _apply(view: View, update: Update) -> frozenset[RelPath]:
    with _room_on_disk():
        return frozenset(step.path for step in view.apply(update))


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NeedsUser(_FULL) from problem
        raise


def _giving_back(view: View, seen: Mapping[RelPath, Mine], wanted: set[RelPath], clock: Clock) -> list[Step]:
    """Steps that show the instructor's files again; what stands in their way goes beside."""
    mine = {path for path, change in seen.items() if change.change.now is not None}
    above = {folder for path in wanted for folder in parents(path)} & mine
    below = {path for path in wanted if path not in mine and any(inside(other, path) for other in mine)}
    steps: list[Step] = []
    for path in sorted(above | below):
        moved = [other for other in mine if other == path or inside(other, path)]
        folder = RelPath(path.rpartition("/")[0]) or None
        to = beside(path, MY_COPY, clock(), view.names(folder), folder=path in below)
        steps.append(MoveBeside(path, to, {other: seen[other].stamp for other in moved}))
    steps.extend(Take(path, seen[path].stamp if path in seen else None) for path in sorted(wanted))
    return steps


def _holds_files(manifest: Manifest) -> bool:
    return next(manifest.files(), None) is not None


def _refusal(view: View) -> Report:
    sentence = "The course has no files any more, so your folder stays as it was; ask your instructor."
    return Report(view.base, State.NEEDS_YOU, sentence, waiting=tuple(sorted(view.waiting)))


def _report(view: View, changed: int, notes: Iterable[Note]) -> Report:
    waiting = tuple(sorted(view.waiting))
    for path in waiting:
        if (twin := _twin(view, path)) is not None:
            sentence = (
                f"“{path}” can't lie beside “{twin}”, because this disk takes the two names for one; "
                "rename your file, or ask your instructor to rename one of them."
            )
            return Report(view.base, State.WAITING, sentence, changed, waiting, tuple(notes))
    if waiting:
        names = ", ".join(waiting[:3]) + (f" and {len(waiting) - 3} more" if len(waiting) > 3 else "")
        sentence = f"An update waits until you have saved and closed {names}."
        return Report(view.base, State.WAITING, sentence, changed, waiting, tuple(notes))
    return Report(view.base, State.UP_TO_DATE, up_to_date(changed), changed, (), tuple(notes))


def gone_over(commit: CommitId, changed: int) -> Report:
    """Of a view that went over to a version by itself, in which so many files are others."""
    return Report(commit, State.UP_TO_DATE, up_to_date(changed), changed)


def up_to_date(changed: int) -> str:
    """The sentence of a view that shows the newest version, in which so many files are others."""
    return f"Up to date; {_counted(changed)} updated." if changed else "Up to date."


def _twin(view: View, path: RelPath) -> RelPath | None:
    """What keeps a new file out because the disk takes both names for one."""
    above, _, name = path.rpartition("/")
    if view.waiting[path] is not None:
        return None
    both = Folding.CASE | Folding.FORM
    names = view.names(RelPath(above) if above else None)
    same = sorted(each for each in names if fold(each, both) == fold(name, both))
    if not same or name in same:
        return None
    return RelPath(f"{above}/{same[0]}" if above else same[0])


def _counted(files: int) -> str:
    return "1 file was" if files == 1 else f"{files} files were"
