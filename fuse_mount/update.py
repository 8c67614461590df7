"""Carrying out an update: each step is checked against its stamp, done, and all of it made true by one record.

Under the overlay's lock, in four parts: check; change the upper's files, by renames that can be done
again; write the record that names the new base; switch.  Killed before the record, all of it is done
again from the journal; killed after it, what is left is done again.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from fuse_mount.entries import drop_folder, keep_for_holders
from fuse_mount.inode import File, Folder
from fuse_mount.journal import Journal, Staged
from fuse_mount.layer import Origin, origin_change, wait_change
from fuse_mount.lower import SnapshotLower
from fuse_mount.observe import Observer, files_at
from fuse_mount.overlay import Overlay
from fuse_mount.switch import Stale, Switch, make_folder, own, unbind
from fuse_mount.touched import Touched, being_written
from syncd.blobs import Snapshot
from syncd.core.entry import Change, Entry, RelPath
from syncd.manifest import difference, since_agreed
from syncd.view import Hide, MoveBeside, PutBeside, Stamp, Step, Take, Wait, Write


class _Rest(Enum):
    """What a path is that no step names."""

    SETTLED = "as the plan saw it"
    UNTOUCHED = "as it was agreed on"
    LATE = "changed since the plan, or being written"


@dataclass(slots=True)
class Outcome:
    """What an update did."""

    refused: list[Step] = field(default_factory=list)
    stale: Stale = field(default_factory=Stale)
    changed: set[bytes] = field(default_factory=set)
    """Folders of the upper whose names changed."""


class Updating:
    """One update of one overlay."""

    def __init__(
        self,
        overlay: Overlay,
        observer: Observer | None,
        to: Snapshot,
        journal: Journal,
        between: Mapping[RelPath, Change] | None = None,
    ) -> None:
        """`observer` looks at the commit that shows now (None before the first); `between`: what differs, if known."""
        self.overlay, self.observer, self.to, self.journal = overlay, observer, to, journal
        self.old = observer.manifest if observer else None
        # At the very first there is nothing to compare, and nobody has seen anything yet.
        fresh = self.old is None and not overlay.upper.names(b"")
        if between is None or fresh:
            between = {} if fresh else difference(self.old, to.manifest)
        self.between = between
        self.theirs = since_agreed(self.between, to.manifest, overlay.layer.waiting)
        self.again = False
        self.out = Outcome()
        self._waits: dict[RelPath, Entry | None] = {}

    def run(self, again: bool = False) -> Outcome:
        """Do it; `again` if a killed process may have done some of it."""
        overlay = self.overlay
        self.again = again
        closed = self.observer.closed if self.observer else ()
        with overlay.lock, overlay.nodes.passing(), overlay.upper.opened_up(closed):
            overlay.hold_open()
            self.switch = Switch(overlay, self.old, self.to.manifest)
            accepted = [item for item in self.journal.steps if self._holds(item.step) or self._refuse(item.step)]
            rest = dict(self._rest())
            for kind in (MoveBeside, Take, Write, PutBeside, Wait, Hide):
                for item in accepted:
                    if isinstance(item.step, kind):
                        self._do(item)
            self._settle_rest(rest)
            if not (again and overlay.layer.update == self.journal.token):
                self._commit()
            overlay.lower = SnapshotLower(self.to, overlay.upper.mask)
            overlay.epoch += 1
            paths = {os.fsencode(path) for path in self.between.keys() | self.theirs.keys()} | self.switch.touched
            unbind(overlay, paths - {b""}, self.switch.stale)
            self.out.stale = self.switch.stale
        return self.out

    # Checking

    def _base(self, path: RelPath) -> Entry | None:
        return self.observer.base(path) if self.observer else None

    def _stamp(self, path: RelPath) -> Stamp | None:
        if self.observer is None:
            return None if self.overlay.at(os.fsencode(path)) is None else Stamp(("unknown",))
        return self.observer.stamp(path)

    def _holds(self, step: Step) -> bool:
        at = os.fsencode(step.path)
        match step:
            case Take(_, stamp) | Write(_, _, _, stamp):
                if self._is_done(step, stamp):
                    return True
                node = self.overlay.at(at)
                if isinstance(node, File) and node.writers:
                    return False
                if isinstance(node, Folder) and stamp is not None and self._has_files(node):
                    return False
                return self._stamp(step.path) == stamp
            case MoveBeside():
                if self.again and self.overlay.at(at) is None:
                    return True
                if self.overlay.at(os.fsencode(step.to)) is not None:
                    return False
                return all(self._stamp(path) == stamp for path, stamp in step.stamps.items())
            case PutBeside():
                return self.again or self.overlay.at(at) is None
            case Hide():
                return self.overlay.at(at) is None
            case _:
                return True

    def _is_done(self, step: Take | Write, stamp: object) -> bool:
        if not self.again:
            return False
        if isinstance(step, Write):
            return not any(self.overlay.upper.staged(i.staged) for i in self.journal.steps if i.step is step)
        is_upper = isinstance(stamp, tuple) and stamp[0] in ("upper", "folder")
        return is_upper and self.overlay.upper.stat(os.fsencode(step.path)) is None

    def _refuse(self, step: Step) -> bool:
        self.out.refused.append(step)
        if isinstance(step, MoveBeside):
            for path in {*step.stamps, *files_at(self.to.manifest, step.path)}:
                self._wait(path)
        elif not isinstance(step, PutBeside):
            self._wait(step.path)
        return False

    def _wait(self, path: RelPath) -> None:
        """The path stays as it shows, and keeps its base."""
        base = self._base(path)
        if base != self.to.manifest.entry(path):
            self._waits[path] = base
        self._stay(path, pin=path in self._waits)

    def _stay(self, path: RelPath, pin: bool = True) -> None:
        """What shows at a path now goes on to show, be it nothing."""
        at = os.fsencode(path)
        if pin and self.switch.pin(at):
            return
        if self.overlay.at(at) is None and self.to.manifest.find(path) is not None:
            self.switch.conceal(at)

    # Doing

    def _do(self, item: Staged) -> None:
        step = item.step
        self.switch.touched.add(os.fsencode(step.path))
        match step:
            case MoveBeside():
                self._move(step)
            case Take():
                self._take(step.path)
            case Write():
                if self.overlay.upper.staged(item.staged):
                    self._write(step, item.staged)
                self._keep_origin(os.fsencode(step.path))
            case PutBeside():
                if self.overlay.upper.staged(item.staged):
                    self._put(step, item.staged)
            case Wait():
                self._wait(step.path)
            case Hide():
                self._stay(step.path, pin=False)
                self._keep_origin(os.fsencode(step.known_as), step.path)

    def _keep_origin(self, path: bytes, now: RelPath | None = None) -> None:
        """A file that the student renamed goes on to be known as the course's, which may have renamed it (`now`)."""
        origin = self.overlay.layer.origins.get(path)
        course = now or (origin.path if origin else None)
        if course is None:
            return
        entry = self.to.manifest.entry(course) or (origin.entry if origin else None)
        if entry is not None:
            self.switch.record(origin_change(path, Origin(course, entry, self.overlay.upper.real(path))))

    def _drop(self, path: bytes) -> None:
        """Give up what the upper has at a path; whoever has it open keeps it."""
        node = self.overlay.at(path)
        folder, name = self._above(path)
        if isinstance(node, File) and node.low is None and folder is not None:
            keep_for_holders(self.overlay, node, folder, name)
            self.overlay.upper.unlink(path)
            self.overlay.nodes.replace(node, folder, name)
            self.out.changed.add(folder.path())
        elif isinstance(node, Folder) and node.upper and not self._has_files(node):
            self._drop_empty(node)
        if path in self.overlay.layer.origins:
            self.switch.record(("forget-origin", os.fsdecode(path)))

    def _has_files(self, folder: Folder) -> bool:
        """Whether anything but empty folders shows in a folder: those hold nothing of anybody's."""
        found = (self.overlay.lookup(folder, name) for name in self.overlay.names(folder))
        return any(not isinstance(node, Folder) or self._has_files(node) for node in found)

    def _drop_empty(self, folder: Folder) -> None:
        for name in list(self.overlay.names(folder)):
            inside = self.overlay.lookup(folder, name)
            if isinstance(inside, Folder):
                self._drop_empty(inside)
        if folder.upper:
            self.overlay.upper.rmdir(folder.path())
        drop_folder(self.overlay, folder)

    def _above(self, path: bytes) -> tuple[Folder | None, bytes]:
        above, _, name = path.rpartition(b"/")
        folder = self.overlay.at(above)
        return (folder if isinstance(folder, Folder) else None), name

    def _take(self, path: RelPath) -> None:
        at = os.fsencode(path)
        self._drop(at)
        if self.to.manifest.entry(path) is not None:
            if not self.switch.reveal(at):
                self.out.refused.append(Take(path, None))
                self._waits[path] = None
        elif isinstance(self.overlay.at(at), File) and self.switch.below(at) != at:
            self.switch.record(("hide-own", path))  # what shows through a redirect does so whatever the commit has here

    def _write(self, step: Write, staged: bytes) -> None:
        at = os.fsencode(step.path)
        folder = make_folder(self.overlay, at.rpartition(b"/")[0], self.switch.stale, self.to.manifest)
        name = at.rpartition(b"/")[2]
        node = self.overlay.lookup(folder, name)
        if isinstance(node, File):
            if node.low is None:
                found = self.overlay.upper.stat(at)
                keep_for_holders(self.overlay, node, folder, name)
                if found is not None:
                    self.overlay.upper.dress_like(staged, found, step.mode)
            self.overlay.nodes.replace(node, folder, name)
        self.overlay.upper.place(staged, at)
        self.out.changed.add(folder.path())

    def _put(self, step: PutBeside, staged: bytes) -> None:
        at = os.fsencode(step.path)
        folder = make_folder(self.overlay, at.rpartition(b"/")[0], self.switch.stale, self.to.manifest)
        try:
            self.overlay.upper.place_new(staged, at)
        except FileExistsError:
            self.out.refused.append(step)
        else:
            self.out.changed.add(folder.path())

    def _move(self, step: MoveBeside) -> None:
        old, new = os.fsencode(step.path), os.fsencode(step.to)
        for path in step.stamps:
            own(self.overlay, os.fsencode(path))
        node = self.overlay.at(old)
        if node is not None and self.overlay.upper.stat(old) is not None:
            goal = make_folder(self.overlay, new.rpartition(b"/")[0], self.switch.stale, self.to.manifest)
            self.overlay.upper.rename(old, new)
            self.out.changed |= {old.rpartition(b"/")[0], goal.path()}
            _rename_node(self.overlay, node, old, goal, new.rpartition(b"/")[2])
        self.switch.record(("clear", step.path), ("show", step.path), ("forget-origin", step.path))
        self.switch.touched.add(new)
        for path in files_at(self.to.manifest, step.path):
            self.switch.reveal(os.fsencode(path))

    def _rest(self) -> Iterator[tuple[RelPath, _Rest]]:
        """The paths that the commit changes and no step names, where the student may have something."""
        named = self._named()
        written = set(map(os.fsdecode, being_written(self.overlay)))
        touched = Touched(self.overlay)
        waiting = self.overlay.layer.waiting
        for path in self.theirs.keys() | waiting.keys():
            if path in named or not (path in written or path in waiting or touched(os.fsencode(path))):
                continue
            stamp = self._stamp(path)
            if stamp is not None and stamp == self.journal.known.get(path):
                yield path, _Rest.SETTLED
            else:
                yield path, _Rest.UNTOUCHED if stamp is None and path not in written else _Rest.LATE

    def _named(self) -> set[RelPath]:
        named = {item.step.path for item in self.journal.steps}
        for item in self.journal.steps:
            if isinstance(item.step, MoveBeside):
                named.update(item.step.stamps)
        return named

    def _settle_rest(self, rest: Mapping[RelPath, _Rest]) -> None:
        """The student's stay, unless he changed them after he was asked; all else shows the commit."""
        for path, what in rest.items():
            match what:
                case _Rest.SETTLED:
                    self._stay(path)
                case _Rest.UNTOUCHED:
                    self._take(path)
                case _Rest.LATE:
                    self.out.refused.append(Take(path, None))
                    self._wait(path)
        named = self._named()
        self.switch.follow(self.between, self.theirs, named | self._waits.keys())
        gone = [path for path, change in self.between.items() if change.now is None]
        self.switch.keep_moved(gone)
        self.switch.forget_vanished()
        self.switch.prune([*gone, *(path for path in named if self.to.manifest.entry(path) is None)])

    def _commit(self) -> None:
        layer = self.overlay.layer
        self.overlay.log.append(
            [
                *self.switch.changes,
                *(("agreed", path) for path in layer.waiting if path not in self._waits),
                *(wait_change(path, base) for path, base in self._waits.items()),
                ("base", self.to.commit, self.journal.token),
            ]
        )


def _rename_node(overlay: Overlay, node: File | Folder, old: bytes, to: Folder, name: bytes) -> None:
    above = overlay.at(old.rpartition(b"/")[0])
    old_name = old.rpartition(b"/")[2]
    if isinstance(above, Folder) and above.children.get(old_name) is node:
        del above.children[old_name]
    if isinstance(node, Folder):
        _forget_lower(overlay, node)
        node.move(to, name)
    else:
        node.parent, node.name = to, name
    to.children[name] = node
    overlay.nodes.renamed(node)
    overlay.epoch += 1


def _forget_lower(overlay: Overlay, folder: Folder) -> None:
    """Of a folder that moved without its lower, forget what was lower."""
    for name, node in list(folder.children.items()):
        if isinstance(node, Folder):
            _forget_lower(overlay, node)
            if not node.upper:
                drop_folder(overlay, node)
        elif node.low is not None:
            overlay.nodes.unname(node, folder, name)
