"""What an update wants of each path of a plain folder: pure, from the steps, the base and what was seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from syncd.core.entry import Change, Entry, RelPath, inside
from syncd.folder.hash import blob_id
from syncd.view import Hide, Mine, MoveBeside, PutBeside, Stamp, Step, Take, Update, Wait, Write


@dataclass(frozen=True, slots=True)
class Was:
    """A plain folder's stamp: the content and kind that were there (None: nothing)."""

    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Want:
    """`before` shall become `after` at a path; `content` holds the bytes where no blob of the store does.

    `step` is what is handed back if it can't be; it isn't tried unless what `needs` names was done.
    """

    step: Step
    path: RelPath
    before: Entry | None
    after: Entry | None
    base: Entry | None
    content: bytes | None = None
    needs: RelPath | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """All that an update wants: contents, copies beside others, what goes aside, and what waits with which base."""

    wants: tuple[Want, ...]
    copies: tuple[PutBeside, ...]
    asides: tuple[MoveBeside, ...]
    waiting: Mapping[RelPath, Entry | None]


def intent(
    update: Update,
    theirs: Mapping[RelPath, Change],
    seen: Mapping[RelPath, Mine],
    bases: Mapping[RelPath, Entry | None],
) -> Intent:
    """Spell out an update.

    `theirs` are the changes to its commit, `seen` what the student changed, and `bases` holds the base of every path
    that a step names.
    """
    new = update.to.manifest
    wants: list[Want] = []
    waiting: dict[RelPath, Entry | None] = {}
    named: set[RelPath] = set()
    taken = {step.path for step in update.steps if isinstance(step, Take)}
    moves = _moves(update.steps)
    for step in update.steps:
        path = step.path
        named.add(path)
        match step:
            case Take():
                before = bases[path] if step.stamp is None else entry_of(step.stamp)
                wants.append(Want(step, path, before, new.entry(path), bases[path], needs=moves.get(path)))
            case Write():
                merged = Entry(blob_id(step.content), step.mode)
                before = bases[path] if step.stamp is None else entry_of(step.stamp)
                wants.append(Want(step, path, before, merged, bases[path], step.content))
            case MoveBeside():
                named.update(step.stamps)
                after = new.entry(path)
                if after is not None and path not in taken:
                    wants.append(Want(step, path, None, after, bases[path]))
            case Wait():
                if bases[path] != new.entry(path):
                    waiting[path] = bases[path]
            case PutBeside() | Hide():
                pass
    for path, change in theirs.items():
        if path not in named and path not in seen:
            wants.append(Want(Take(path, None), path, change.base, change.now, change.base))
    copies = tuple(step for step in update.steps if isinstance(step, PutBeside))
    asides = tuple(step for step in update.steps if isinstance(step, MoveBeside))
    return Intent(tuple(wants), copies, asides, waiting)


def _moves(steps: Sequence[Step]) -> dict[RelPath, RelPath]:
    """Old name -> new name of the student's files that move: given up at one path, written at the next (S14).

    Not where one lies below the other, which must make room first.
    """
    return {
        old.path: new.path
        for old, new in pairwise(steps)
        if isinstance(old, Take) and isinstance(new, Write) and new.stamp is None
        if not inside(old.path, new.path) and not inside(new.path, old.path)
    }


def entry_of(stamp: Stamp) -> Entry | None:
    """What a stamp of a plain folder says was there."""
    assert isinstance(stamp, Was)
    return stamp.entry
