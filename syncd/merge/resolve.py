"""From decisions to steps: read the contents that a decision needs, merge them, name what goes beside.

The result is data: steps for the folder, and notes that tell the person in plain sentences.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from syncd.core.beside import INSTRUCTORS_VERSION, MY_COPY, beside, conflicted_copy, is_beside
from syncd.core.entry import BlobId, Entry, Mode, RelPath
from syncd.core.plan import Action, Decision, Side
from syncd.merge.files import Merged, merge_file, same_work
from syncd.view import Hide, MoveBeside, PutBeside, Stamp, Step, Take, Wait, Write


class Contents(Protocol):
    """Where contents come from.  None for what is too large to merge."""

    def mine(self, path: RelPath) -> bytes | None:
        """My bytes at a path.  FileNotFoundError if they are gone."""
        ...

    def blob(self, blob: BlobId) -> bytes | None:
        """A committed blob's bytes."""
        ...

    def names(self, folder: RelPath | None) -> Collection[str]:
        """The names in a folder of mine."""
        ...


@dataclass(frozen=True, slots=True)
class Note:
    """What happened to one path, for people.  `kept` and `taken` name cells or lines."""

    case: str
    path: RelPath
    sentence: str
    beside: RelPath | None = None
    kept: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parties:
    """Whose folder it is, what the sides are called, and which of two instructors saved later."""

    side: Side
    mine: str = ""
    theirs: str = ""
    mine_is_newer: Callable[[Decision], bool] = lambda decision: True


@dataclass(frozen=True, slots=True)
class Resolution:
    """Steps for the folder and what to tell the person."""

    steps: Sequence[Step]
    notes: Sequence[Note]


def resolve(
    decisions: Sequence[Decision],
    contents: Contents,
    stamps: Mapping[RelPath, Stamp],
    parties: Parties,
    when: datetime,
    busy: Collection[RelPath] = (),
) -> Resolution:
    """Turn decisions into steps.

    `stamps` holds a stamp for every path of mine that differs from the base.  Where a decision would touch a
    `busy` path the step is to wait.  FileNotFoundError if a file of mine vanished meanwhile: observe and plan again.
    """
    work = _Resolving(contents, stamps, parties, when)
    for decision in decisions:
        mine = (decision.source or decision.path, *decision.moved)
        if decision.action is not Action.KEEP and any(path in busy and path in stamps for path in mine):
            work.steps.extend(_waits(decision))
            work.tell(decision, "an update waits until you have saved and closed it.")
        else:
            work.settle(decision)
    return Resolution(tuple(work.steps), tuple(work.notes))


def _waits(decision: Decision) -> list[Wait]:
    """All of a decision waits: what goes aside goes whole, and until then the name is still mine."""
    if decision.origin is None:
        return [Wait(path, decision.base) for path in dict.fromkeys((decision.path, *decision.moved))]
    theirs = decision.theirs_at
    return [Wait(decision.origin, decision.base), *([Wait(theirs, None)] if theirs != decision.origin else [])]


class _Resolving:
    def __init__(self, contents: Contents, stamps: Mapping[RelPath, Stamp], parties: Parties, when: datetime) -> None:
        self.contents, self.stamps, self.parties, self.when = contents, stamps, parties, when
        self.student = parties.side is Side.STUDENT
        self.steps: list[Step] = []
        self.notes: list[Note] = []
        self._promised: dict[RelPath | None, set[str]] = {}

    def tell(
        self, decision: Decision, words: str, *, beside: RelPath | None = None, merged: Merged | None = None
    ) -> None:
        kept, taken = (merged.kept, merged.taken) if merged else ((), ())
        self.notes.append(Note(decision.case, decision.path, f"{decision.path}: {words}", beside, kept, taken))

    def settle(self, decision: Decision) -> None:
        match decision.action:
            case Action.TAKE:
                self._take(decision)
            case Action.KEEP:
                self._keep(decision)
            case Action.MERGE:
                self._merge(decision)
            case Action.KEEP_THEIRS_BESIDE:
                self._their_file_beside(decision, "you have a folder of that name")
            case Action.TAKE_MINE_BESIDE:
                self._mine_beside(decision)
            case Action.NEWER:
                self._newer(decision, None)
            case Action.FOLLOW:
                self._follow(decision)
            case Action.TAKE_AFTER:
                self._take_after(decision)

    def _take(self, decision: Decision) -> None:
        self.steps.append(Take(decision.path, self.stamps.get(decision.path)))
        if decision.case == "S9":
            self.tell(decision, f"you had deleted it; it is back because {self._they} changed it.")

    def _keep(self, decision: Decision) -> None:
        if decision.base and decision.mine and self._only_resaved(decision.path, decision.base):
            self.steps.append(Take(decision.path, self.stamps[decision.path]))
        elif decision.mine is not None:
            self.tell(decision, f"{self._they} deleted it; you had changed it, so it stays.")

    def _only_resaved(self, path: RelPath, base: Entry) -> bool:
        if not path.endswith(".ipynb") or base.is_link:
            return False
        was, now = self.contents.blob(base.blob), self.contents.mine(path)
        return was is not None and now is not None and same_work(path, was, now)

    def _follow(self, decision: Decision) -> None:
        assert decision.source
        stamps = {decision.source: self.stamps[decision.source]}
        self.steps.append(MoveBeside(decision.source, decision.path, stamps))
        self.tell(decision, f"moved along with the folder, which {self._they} renamed.")

    def _take_after(self, decision: Decision) -> None:
        assert decision.theirs
        self.steps.append(PutBeside(decision.path, decision.theirs.blob, decision.theirs.mode))
        self.tell(decision, f"{self._they} added it to this folder, which you renamed.")

    def _merge(self, decision: Decision) -> None:
        if decision.theirs_at not in (decision.path, decision.origin):
            self.steps.append(Hide(decision.theirs_at, decision.path))
        base, mine, theirs = decision.base, decision.mine, decision.theirs
        assert base and mine and theirs  # a MERGE decision is edited against edited
        mode = mine.mode if mine.mode != base.mode else theirs.mode
        if mine.is_link or theirs.is_link or base.is_link:
            self._newer(decision, None)
        elif mine.blob == theirs.blob or mine.blob == base.blob:
            self._theirs(decision, theirs, mode)
        elif theirs.blob == base.blob:
            self._mine(decision, None, mode)
        else:
            was, now, new = (
                self.contents.blob(base.blob),
                self.contents.mine(decision.mine_at),
                self.contents.blob(theirs.blob),
            )
            if was is None or now is None or new is None:
                self._newer(decision, None)
                return
            mine_leads = self.student or self.parties.mine_is_newer(decision)
            merged = (
                merge_file(decision.path, was, now, new) if mine_leads else merge_file(decision.path, was, new, now)
            )
            if merged is None:
                self._newer(decision, None)
            elif merged.kept:
                self._newer(decision, (merged, now, mode))
            else:
                if merged.content == new:
                    self._theirs(decision, theirs, mode)
                else:
                    self._mine(decision, None if merged.content == now else merged.content, mode)
                if not same_work(decision.path, was, now):
                    self.tell(decision, f"your changes and those of {self._they} were merged.", merged=merged)

    def _theirs(self, decision: Decision, theirs: Entry, mode: Mode) -> None:
        """Theirs as it is, with the merged mode, under the name that the decision gives the file."""
        stamp = self.stamps[decision.mine_at]
        in_commit = decision.source in (None, decision.origin)  # else the name is one that only I use
        if in_commit and mode == theirs.mode:
            self._take_theirs(decision, stamp)
            return
        if not self.student:
            self._lay(decision, theirs.blob, mode)
            return
        content = self.contents.blob(theirs.blob)
        if content is not None:
            self._mine(decision, content, mode)
        elif in_commit:  # too large to hold: theirs with their mode
            self._take_theirs(decision, stamp)
        else:
            self._newer(decision, None)

    def _take_theirs(self, decision: Decision, stamp: Stamp) -> None:
        if decision.source is None:
            self.steps.append(Take(decision.path, stamp))
        else:
            self.steps.extend([Take(decision.path, None), Take(decision.source, stamp)])

    def _mine(self, decision: Decision, content: bytes | None, mode: Mode) -> bool:
        """My file with a merged content (None: its own), under the name that the decision gives it.

        False if it can't be brought there, being too large to hold: it stays where it is, as an edit does.
        """
        source = decision.source if decision.source != decision.path else None
        stamp = self.stamps[decision.mine_at]
        assert decision.mine
        if content is None and source is None and mode == decision.mine.mode:
            return True
        if content is None and not self.student:
            self._lay(decision, decision.mine.blob, mode)
            return True
        if content is None:
            content = self.contents.mine(decision.mine_at)
        if content is None:
            return False
        if source is None:
            self.steps.append(Write(decision.path, content, mode, stamp))
        else:
            self.steps.extend([Take(source, stamp), Write(decision.path, content, mode, None)])
        return True

    def _lay(self, decision: Decision, blob: BlobId, mode: Mode) -> None:
        """A committed content, unread, under the name that the decision gives the file; an instructor's only."""
        self.steps.append(Take(decision.mine_at, self.stamps[decision.mine_at]))
        self.steps.append(PutBeside(decision.path, blob, mode))

    def _newer(self, decision: Decision, partly: tuple[Merged, bytes, Mode] | None) -> None:
        """Both changed the same place (or it can't be merged): one keeps the name, the other goes beside whole."""
        mine, theirs = decision.mine, decision.theirs
        assert mine and theirs
        if self.student:
            case = "S4" if partly else "S5"
        else:
            case = decision.case if decision.case == "I5" else "I3"
        decision = replace(decision, case=case)
        merged = partly[0] if partly else None
        if self.student or self.parties.mine_is_newer(decision):
            label = INSTRUCTORS_VERSION if self.student else conflicted_copy(self.parties.theirs)
            mode = partly[2] if partly else mine.mode
            if not self._mine(
                decision, merged.content if partly and merged and merged.content != partly[1] else None, mode
            ):
                return  # theirs shows under its new name, mine under the old one
            to = self._put(decision.path, label, theirs)
            where = f" ({', '.join(merged.kept)})" if merged else ""
            self.tell(
                decision,
                f"you and {self._they} changed the same place{where}; yours stays, and {self._their_version} "
                f"is beside it as “{_name(to)}”.",
                beside=to,
                merged=merged,
            )
        else:
            to = self._put(decision.path, conflicted_copy(self.parties.mine), mine)
            if partly and merged:
                self._mine(decision, merged.content, partly[2])
            else:
                self._theirs(decision, theirs, theirs.mode)
            self.tell(
                decision,
                f"you and {self._they} changed the same place; theirs is newer and keeps the name, "
                f"yours is beside it as “{_name(to)}”.",
                beside=to,
                merged=merged,
            )

    def _their_file_beside(self, decision: Decision, why: str) -> None:
        assert decision.theirs
        label = INSTRUCTORS_VERSION if self.student else conflicted_copy(self.parties.theirs)
        to = self._put(decision.path, label, decision.theirs)
        self.tell(decision, f"{why}; {self._their_version} is beside it as “{_name(to)}”.", beside=to)

    def _mine_beside(self, decision: Decision) -> None:
        moved = decision.moved or (decision.path,)
        label = MY_COPY if self.student else conflicted_copy(self.parties.mine)
        folder = decision.mine is None
        to = beside(decision.path, label, self.when, self._taken(decision.path), folder=folder)
        self._promise(to)
        self.steps.append(MoveBeside(decision.path, to, {path: self.stamps[path] for path in moved}))
        self.tell(
            decision,
            f"{self._they} added {'one' if decision.theirs else 'a folder'} of the same name; "
            f"yours is beside it as “{_name(to)}”.",
            beside=to,
        )

    def _put(self, path: RelPath, label: str, entry: Entry) -> RelPath:
        """Put an entry beside a path, unless that very content is there already."""
        above = path.rpartition("/")[0]
        for name in sorted(self.contents.names(RelPath(above) if above else None)):
            if is_beside(name, path, label):
                there = RelPath(f"{above}/{name}" if above else name)
                if self._holds(there, entry.blob):
                    return there
        to = beside(path, label, self.when, self._taken(path))
        self._promise(to)
        self.steps.append(PutBeside(to, entry.blob, entry.mode))
        return to

    def _holds(self, path: RelPath, blob: BlobId) -> bool:
        try:
            content = self.contents.mine(path)
        except OSError:
            return False
        return content is not None and _blob_id(content) == blob

    def _taken(self, path: RelPath) -> Collection[str]:
        folder = RelPath(path.rpartition("/")[0]) or None
        return {*self.contents.names(folder), *self._promised.get(folder, ())}

    def _promise(self, path: RelPath) -> None:
        above, _, name = path.rpartition("/")
        self._promised.setdefault(RelPath(above) or None, set()).add(name)

    @property
    def _they(self) -> str:
        return "the instructor" if self.student else self.parties.theirs or "somebody else"

    @property
    def _their_version(self) -> str:
        return "the instructor's version" if self.student else f"the version of {self._they}"


def _name(path: RelPath) -> str:
    return path.rpartition("/")[2]


def _blob_id(content: bytes) -> BlobId:
    return BlobId(hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())
