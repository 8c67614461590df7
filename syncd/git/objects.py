"""Contents and trees of a bare repository, by their ids: stored durably, alone or many at once, and read.

A tree is edited in the folders that the changed paths lie in; nothing else of it is read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pygit2
from pygit2.enums import ObjectType

from syncd.core.entry import BlobId, CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser, Stop
from syncd.core.progress import Progress, Told, nobody
from syncd.git import loose
from syncd.git.pack import BLOB, TREE, Bulk, object_id
from syncd.git.trees import FOLDER, Item, Items, RecentTrees, format_tree, parse_tree, split

pygit2.settings.enable_fsync_gitdir(True)

_SMALL = 4 << 20
"""Contents up to this size are handed over in one piece; larger ones are streamed through a file."""

# What libgit2 leaves when it is killed: a lock would block its ref for ever, the rest only takes room.
_LEFTOVERS = (
    "*.lock",
    "refs/**/*.lock",
    "objects/tmp_object_git2_*",
    "objects/*/tmp_object_git2_*",
    "objects/pack/pack_git2_*",
    "objects/pack/tmp_*",
)


class Objects:
    """One repository.  One thread at a time, of one process: leftovers of a killed one are removed."""

    def __init__(self, path: Path) -> None:
        """Open it, or create it empty.  Stop if it can't be read."""
        self.path = path
        self._bulk: Bulk | None = None
        self._held: dict[str, tuple[int, bytes]] | None = None
        self._stored = 0
        self.told: Told = nobody
        """Hears of each content that is stored."""
        self._recent = RecentTrees(self.items)
        try:
            if (path / "HEAD").exists():
                self._repo = pygit2.Repository(str(path))
            else:
                self._repo = pygit2.init_repository(str(path), bare=True)
        except pygit2.GitError as problem:
            raise Stop(f"The history in {path} can't be read ({problem}); move it away and add the folder anew.") from (
                problem
            )
        for pattern in _LEFTOVERS:
            for leftover in path.glob(pattern):
                leftover.unlink(missing_ok=True)

    def rest(self) -> None:
        """Let go of open packs and of what is kept in memory; all comes again when it is needed."""
        self._recent.forget()
        self._repo.free()

    def store(self, source: BinaryIO) -> BlobId:
        """Keep a content, from the beginning of a file; its id.  Holds at most a few MB of it in memory.

        A large one that grows meanwhile is kept as long as it was; ValueError if it became shorter.
        """
        self._stored += 1
        self.told(Progress("Reading files", self._stored, None, "files"))
        start = source.read(_SMALL + 1)
        if len(start) <= _SMALL:
            return self.store_bytes(start)
        with self._writing():
            return BlobId(loose.write_stream(self.path, BLOB, source))

    def store_bytes(self, content: bytes) -> BlobId:
        """Keep a content that is in memory; its id."""
        return BlobId(self._put(BLOB, content))

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """What is stored within becomes one pack if it is much; it can be read, and is durable, afterwards only.

        If the work within fails, what it stored is dropped.
        """
        if self._bulk is not None:
            yield
            return
        self._bulk = bulk = Bulk(self.path)
        try:
            yield
        except BaseException:
            bulk.discard()
            raise
        finally:
            self._bulk = None
        with self._writing():
            for oid, (kind, content) in bulk.finish().items():
                self._keep(oid, kind, content)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is stored within becomes durable at once, before the branch moves or at the end.  Only for a few."""
        self._held = {}
        try:
            yield
        finally:
            try:
                self._write_held()
            finally:
                self._held = None

    def _write_held(self, ref: tuple[str, str] | None = None) -> None:
        """Make durable what is held, and let a ref point at one of these objects then."""
        if self._held:
            held, self._held = self._held, {}
            with self._writing():
                loose.write(self.path, ((oid, kind, content) for oid, (kind, content) in held.items()), ref)

    def _put(self, kind: int, content: bytes) -> str:
        oid = object_id(kind, content)
        with self._writing():
            if not self._is_here(oid, kind):
                if self._bulk is not None:
                    self._bulk.add(kind, oid, content)
                else:
                    self._keep(oid, kind, content)
        return oid

    def _keep(self, oid: str, kind: int, content: bytes) -> None:
        if self._held is not None:
            self._held[oid] = (kind, content)
        else:
            self._repo.odb.write(ObjectType(kind), content)

    def _is_here(self, oid: str, kind: int) -> bool:
        """Whether an object need not be written.

        For what it does not find libgit2 looks into its folder of packs anew.  So for a few paths it is asked for
        contents only: their trees are new, unless they are as once before, and then they are written once more.
        """
        if (self._bulk is not None and oid in self._bulk) or self._held_content(oid) is not None:
            return True
        return (self._held is None or kind == BLOB) and oid in self._repo

    def has(self, oid: BlobId | CommitId) -> bool:
        """Whether an object is here."""
        return (
            (self._bulk is not None and oid in self._bulk) or self._held_content(oid) is not None or oid in self._repo
        )

    def _held_content(self, oid: str) -> bytes | None:
        return self._held[oid][1] if self._held and oid in self._held else None

    def size(self, blob: BlobId) -> int:
        """A content's size, without reading all of it."""
        if (held := self._held_content(blob)) is not None:
            return len(held)
        found = self._repo[blob]
        assert isinstance(found, pygit2.Blob)
        return int(found.size)

    def read(self, blob: BlobId) -> bytes:
        """A content.  KeyError if it is not here."""
        if (held := self._held_content(blob)) is not None:
            return held
        found = self._repo[blob]
        assert isinstance(found, pygit2.Blob)
        return bytes(found.data)

    def copy(self, blob: BlobId, out: BinaryIO) -> None:
        """Write a content into a file."""
        if (held := self._held_content(blob)) is not None:
            out.write(held)
            return
        found = self._repo[blob]
        assert isinstance(found, pygit2.Blob)
        out.write(memoryview(found))

    def items(self, tree: bytes | None) -> Items:
        """What one tree object holds; nothing for None."""
        if tree is None:
            return {}
        data = self._held_content(tree.hex())
        if data is None:
            _, data = self._repo.odb.read(tree.hex())
        return parse_tree(data)

    def below(self, tree: bytes | None, path: str) -> Item | None:
        """What a tree holds at a path ('' is the top, as a folder); None if nothing."""
        if tree is None:
            return None
        found: Item | None = Item(FOLDER, tree)
        for name in as_bytes(path).split(b"/") if path else ():
            if found is None or not found.is_folder:
                return None
            found = self._recent.get(found.id).get(name)
        return found

    def files(self, tree: bytes | None, prefix: str = "") -> Iterator[tuple[RelPath, Entry]]:
        """All files of a tree, with their paths."""
        stack = [(as_bytes(prefix), tree)]
        while stack:
            above, at = stack.pop()
            for name, item in self.items(at).items():
                if item.is_folder:
                    stack.append((above + name + b"/", item.id))
                elif (entry := item.entry) is not None:
                    yield as_path(above + name), entry

    def differences(self, old: bytes | None, new: bytes | None) -> Iterator[tuple[RelPath, Item | None, Item | None]]:
        """What differs between two trees, submodules included, folders not; equal folders are never entered."""
        stack = [(b"", old, new)]
        while stack:
            above, before, after = stack.pop()
            was, now = self.items(before), self.items(after)
            for name in was.keys() | now.keys():
                a, b = was.get(name), now.get(name)
                if a == b:
                    continue
                path = above + name
                below = (a.id if a and a.is_folder else None, b.id if b and b.is_folder else None)
                if any(below):
                    stack.append((path + b"/", *below))
                a, b = (None if item is None or item.is_folder else item for item in (a, b))
                if a != b:
                    yield as_path(path), a, b

    def edited(self, tree: bytes | None, edits: Mapping[RelPath, Item | None]) -> bytes | None:
        """A tree with files put in and taken out; None if nothing is left.

        A file put where a folder was takes its place, and the reverse; folders that become empty vanish.
        """
        if not edits:
            return tree
        folders: dict[bytes, Items] = {}
        files = {as_bytes(path): item for path, item in edits.items()}
        for path in files:
            for folder in split(path):
                if folder not in folders:
                    at = self._below(folders, folder, tree)
                    folders[folder] = dict(self._recent.get(at)) if at is not None else {}
        for path, item in files.items():
            above, _, name = path.rpartition(b"/")
            if item is not None:
                folders[above][name] = item
            elif name in folders[above] and not folders[above][name].is_folder:
                del folders[above][name]
        top: bytes | None = None
        for folder in sorted(folders, key=lambda each: each.count(b"/") + bool(each), reverse=True):
            items = folders[folder]
            written = self._write(items) if items else None
            if not folder:
                top = written
                continue
            above, _, name = folder.rpartition(b"/")
            if written is not None:
                folders[above][name] = Item(FOLDER, written)
            elif name in folders[above] and folders[above][name].is_folder:
                del folders[above][name]
        return top

    def _below(self, folders: dict[bytes, Items], folder: bytes, top: bytes | None) -> bytes | None:
        if not folder:
            return top
        above, _, name = folder.rpartition(b"/")
        item = folders[above].get(name)
        return item.id if item is not None and item.is_folder else None

    def _write(self, items: Items) -> bytes:
        tree = bytes.fromhex(self._put(TREE, format_tree(items)))
        self._recent.put(tree, items)
        return tree

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (pygit2.GitError, OSError) as problem:
            words = str(problem)
            if "space" in words or "quota" in words:
                how = "the disk is full: free some space); it goes on by itself."
            else:
                how = f"{words}); if this stays so, end the publisher and run `syncd doctor --fix`."
            raise NeedsUser(f"The history in {self.path} can't be written ({how}") from problem


def as_bytes(path: str) -> bytes:
    """A path as git keeps it."""
    return path.encode("utf-8", "surrogateescape")


def as_path(path: bytes) -> RelPath:
    """A path of git's as ours."""
    return RelPath(path.decode("utf-8", "surrogateescape"))
