"""A course in memory, made into a node's store; a student who uses a folder like any program would."""

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from syncd.agent.update import Report, bring_up_to_date, restore
from syncd.blobs import BlobFolder, Snapshot
from syncd.core.entry import BlobId, CommitId, Mode, RelPath
from syncd.folder.hash import blob_id
from syncd.manifest import FOLDER, Manifest, Node, write_manifest
from syncd.versions import Versions
from syncd.view import View

NOON = datetime(2026, 11, 22, 14, 3)


@dataclass(frozen=True)
class File:
    content: bytes
    mode: Mode = Mode.FILE


def link(target: str) -> File:
    return File(target.encode(), Mode.SYMLINK)


def program(content: bytes) -> File:
    return File(content, Mode.EXECUTABLE)


Tree = Mapping[str, bytes | File]


def as_file(what: bytes | File) -> File:
    return what if isinstance(what, File) else File(what)


class Course:
    """The store of a node, as far as a view sees it."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.blobs = BlobFolder(store / "blobs")
        self.trees: dict[CommitId, dict[str, File]] = {}

    def commit(self, tree: Tree) -> Snapshot:
        files = {path: as_file(what) for path, what in tree.items()}
        top = Node(b"", FOLDER, b"")
        for path, file in files.items():
            blob = self.keep(file.content)
            at = top
            *folders, name = os.fsencode(path).split(b"/")
            for folder in folders:
                found = next((child for child in at.children if child.name == folder), None)
                if found is None:
                    found = Node(folder, FOLDER, b"")
                    at.children.append(found)
                at = found
            mtime = 1_700_000_000_000_000_000 + int(blob[:8], 16) * 1_000
            at.children.append(Node(name, int(file.mode), bytes.fromhex(blob), len(file.content), mtime))
        _seal(top)
        commit = CommitId(hashlib.sha1(b"commit %d" % len(self.trees) + top.id).hexdigest())
        write_manifest(self.store / "manifests" / commit, commit, top, 1_700_000_000_000_000_000)
        self.trees[commit] = files
        return self.snapshot(commit)

    def keep(self, content: bytes) -> BlobId:
        blob = blob_id(content)
        path = self.blobs.path(blob)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o444)
        return blob

    def snapshot(self, commit: CommitId) -> Snapshot:
        try:
            return Snapshot(Manifest(self.store / "manifests" / commit), self.blobs)
        except FileNotFoundError:
            raise LookupError(commit) from None


def _seal(folder: Node) -> None:
    for child in folder.children:
        if child.mode == FOLDER:
            _seal(child)
    lines = sorted(b"%o %s\0%s" % (child.mode, child.name, child.id) for child in folder.children)
    folder.id = hashlib.sha1(b"\n".join(lines)).digest()


def shown(root: Path) -> dict[str, File]:
    """All files and links of a folder, as a student sees them; our own asides must not be among them."""
    out: dict[str, File] = {}
    for here, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        for name in [*names, *links]:
            path = os.path.join(here, name)
            found = os.lstat(path)
            where = os.path.relpath(path, root)
            if stat.S_ISLNK(found.st_mode):
                out[where] = link(os.readlink(path))
            else:
                content = Path(path).read_bytes()
                out[where] = program(content) if found.st_mode & 0o100 else File(content)
    return out


Opening = Callable[[], View]


@dataclass
class Student:
    """One student's folder; after every update the invariants are checked."""

    course: Course
    opening: Opening
    versions: Versions
    view: View = field(init=False)
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.view = self.opening()

    @property
    def root(self) -> Path:
        return self.view.root

    def path(self, where: str) -> Path:
        return self.root / where

    def write(self, where: str, content: bytes) -> None:
        self.path(where).parent.mkdir(parents=True, exist_ok=True)
        self.path(where).write_bytes(content)

    def read(self, where: str) -> bytes:
        return self.path(where).read_bytes()

    def delete(self, where: str) -> None:
        self.path(where).unlink()

    def has(self, where: str) -> bool:
        return os.path.lexists(self.path(where))

    def files(self) -> dict[str, File]:
        return shown(self.root)

    def update(self, tree: Tree | None = None, *, update_now: bool = False, touched_as: Collection[str] = ()) -> Report:
        """Bring the folder to a new commit (None: the one it shows), check the invariants, and update once more.

        `touched_as` are names in the commit of files that the student touched under another name (S14, S16).
        """
        if tree is None:
            assert self.view.base is not None
            snapshot = self.course.snapshot(self.view.base)
        else:
            snapshot = self.course.commit(tree)
        before = self.files()
        made = {path for path, mine in self.view.observe().items() if mine.change.now is not None}
        touched = {*self.view.observe(), *map(RelPath, touched_as)}
        was = {} if self.view.base is None else self.course.trees[self.view.base]
        report = self._run(snapshot, update_now)
        after = self.files()
        self.check_nothing_is_lost({path: before[path] for path in made}, after)
        told = {note.path for note in report.notes}
        may_be_renamed = any(path in touched for path in was.keys() - self.course.trees[snapshot.commit].keys())
        moved = {
            path
            for path, mine in self.view.observe().items()
            if mine.change.now is not None or (may_be_renamed and path not in was)
        }
        self.check_untouched_files(touched | told | moved, after)
        again = self._run(snapshot, update_now)
        assert self.files() == after, "updating twice is not updating once"
        assert again.changed == 0 or again.waiting or report.waiting
        return report

    def _run(self, snapshot: Snapshot, update_now: bool = False) -> Report:
        return bring_up_to_date(
            self.view, snapshot, self.course.snapshot, self.versions, lambda: self.now, update_now=update_now
        )

    def restore(self, where: str | None) -> tuple[RelPath, ...]:
        assert self.view.base is not None
        before = self.files()
        made = {path for path, mine in self.view.observe().items() if mine.change.now is not None}
        path = None if where is None else RelPath(where)
        out = restore(self.view, self.course.snapshot(self.view.base), self.versions, lambda: self.now, path)
        self.check_nothing_is_lost({path: before[path] for path in made}, self.files())
        return out

    def reopen(self) -> None:
        self.view.close()
        self.view = self.opening()

    def check_nothing_is_lost(self, mine: Mapping[str, File], after: Mapping[str, File]) -> None:
        """Invariants 1 and 3."""
        there = {file.content for file in after.values()}
        there |= {self.versions.read(version.id) for version in self.versions.list()}
        for path, file in mine.items():
            assert file.content in there, f"what the student had in {path} is nowhere"
        for path, file in after.items():
            for mark in (b"<<<<<<<", b">>>>>>>"):
                assert mark not in file.content, f"a conflict marker in {path}"

    def check_untouched_files(self, touched: set[RelPath], after: Mapping[str, File]) -> None:
        """Invariant 4.  `touched` holds what the student changed, and what came to hold it by a rename (S14-S16)."""
        assert self.view.base is not None
        for path, file in self.course.trees[self.view.base].items():
            if path not in touched and path not in self.view.waiting:
                assert after.get(path) == file, f"{path}, which the student did not touch, is not as committed"
