"""From what an update wants to moves that can be made: look at each path, and stage each content.

A path that is no longer as expected is refused here already, before anything changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.agent.intent import Intent, Want, entry_of
from syncd.agent.journal import Aside, Move, Put
from syncd.agent.staging import Staging
from syncd.agent.transition import are, inode_at
from syncd.blobs import Snapshot
from syncd.core.entry import Entry, Mode, RelPath
from syncd.core.errors import TryAgain
from syncd.folder.root import InTheWay, Root
from syncd.folder.statcache import StatCache
from syncd.view import MoveBeside, PutBeside, Step


@dataclass(slots=True)
class Prepared:
    """Moves, each with the step to hand back if it is refused (None for copies: nothing waits for them)."""

    moves: list[tuple[Move, Step | None]] = field(default_factory=list)
    refused: list[Step] = field(default_factory=list)
    waiting: dict[RelPath, Entry | None] = field(default_factory=dict)


class Preparing:
    """One update's preparation; `to` is the commit whose blobs are staged."""

    def __init__(self, root: Root, cache: StatCache, staging: Staging, to: Snapshot) -> None:
        """Prepare in this folder."""
        self._root, self._cache, self._staging, self._to = root, cache, staging, to

    def prepare(self, wanted: Intent, bases: Mapping[RelPath, Entry | None]) -> Prepared:
        """Stage all contents.  OSError (a full disk): clear the staging, nothing else has changed."""
        out = Prepared(waiting=dict(wanted.waiting))
        makes_room = {step.path for step in wanted.asides}
        for step in wanted.asides:
            self._aside(step, bases, out)
        missing: set[RelPath] = set()
        for want in sorted(wanted.wants, key=lambda want: want.needs is not None):
            if want.before == want.after:
                continue
            if want.needs in missing or (want.path not in makes_room and not self._is(want.path, want.before)):
                missing.add(want.path)
                out.refused.append(want.step)
                out.waiting[want.path] = want.base
                continue
            staged = None if want.after is None else self._stage(want, want.after)
            put = Put(want.path, want.before, want.after, want.base, staged, needs=want.needs)
            out.moves.append((put, want.step))
        for copy in wanted.copies:
            out.moves.append((self._copy(copy), None))
        return out

    def _aside(self, step: MoveBeside, bases: Mapping[RelPath, Entry | None], out: Prepared) -> None:
        before = {path: entry_of(stamp) for path, stamp in step.stamps.items()}
        new = self._to.manifest
        waits = {path: bases[path] for path in (step.path, *before) if bases[path] != new.entry(path)}
        inode = inode_at(self._root, step.path)
        if inode is None or not self._are(before):
            out.refused.append(step)
            out.waiting.update(waits)
        else:
            out.moves.append((Aside(step.path, step.to, before, waits, inode), step))

    def _copy(self, step: PutBeside) -> Put:
        staged = self._staging.put(self._to.blobs.path(step.blob), step.mode, None, None)
        return Put(step.path, None, Entry(step.blob, step.mode), None, staged, own=True)

    def _stage(self, want: Want, after: Entry) -> str:
        permissions = None if want.before is None else self._permissions(want.path, after.mode)
        if want.content is not None:
            return self._staging.put(want.content, after.mode, permissions, None)
        index = self._to.manifest.find(want.path)
        assert index is not None  # what is taken stands in the commit
        record = self._to.manifest.record(index)
        return self._staging.put(self._to.blobs.path(after.blob), after.mode, permissions, record.mtime_ns)

    def _permissions(self, path: RelPath, mode: Mode) -> int | None:
        """Those of the file that is replaced: they are the student's choice and stay, but for the executable bits."""
        try:
            with self._root.above(path) as (folder, name):
                found = folder.lstat(name).st_mode & 0o777
        except (FileNotFoundError, InTheWay):
            return None
        return found | (found & 0o444) >> 2 if mode is Mode.EXECUTABLE else found & ~0o111

    def _is(self, path: RelPath, entry: Entry | None) -> bool:
        return self._are({path: entry})

    def _are(self, expected: Mapping[RelPath, Entry | None]) -> bool:
        try:
            return are(self._root, self._cache, expected)
        except TryAgain:
            return False
