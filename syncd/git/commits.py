"""The local history of one folder: a bare repository in the state folder, never in the person's own.

A commit is built from the paths that changed, in the folders they lie in; nothing else is read.
What it names is on disk before its ref is (fsync is switched on in `syncd.git.remote`).
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pygit2
from pygit2.enums import ObjectType

from syncd.core.entry import BlobId, Change, CommitId, Entry, RelPath
from syncd.core.errors import NeedsUser, Stop
from syncd.core.progress import Progress, Told, nobody
from syncd.git import loose
from syncd.git.commit import Author as Author
from syncd.git.commit import Commit as Commit
from syncd.git.commit import commit_object
from syncd.git.joined import Joined
from syncd.git.pack import BLOB, COMMIT, TREE, Bulk, object_id
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


class History:
    """The repository of one folder.  One thread at a time, of one process: leftovers of a killed one are removed."""

    def __init__(self, path: Path, subfolder: str = "") -> None:
        """Open it, or create it empty.  Stop if it can't be read.

        With a `subfolder` all trees here are what commits hold there; what else they hold is carried on untouched.
        """
        self.path = path
        self._inside = tuple(_bytes(subfolder).split(b"/")) if subfolder else ()
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

    # refs

    def head(self, branch: str) -> CommitId | None:
        """The last commit made here."""
        return self.ref(f"refs/heads/{branch}")

    def agreed(self, branch: str) -> CommitId | None:
        """The last commit that the remote showed and that is part of ours."""
        return self.ref(f"refs/synced/{branch}")

    def fetched(self, branch: str) -> CommitId | None:
        """The last commit fetched from the remote; it need not be merged yet."""
        return self.ref(f"refs/remotes/origin/{branch}")

    def set_head(self, branch: str, commit: CommitId) -> None:
        """Move the branch."""
        self._write_held()
        with self._writing():
            self._repo.references.create(f"refs/heads/{branch}", commit, force=True)

    def set_agreed(self, branch: str, commit: CommitId) -> None:
        """Note what the remote shows."""
        with self._writing():
            self._repo.references.create(f"refs/synced/{branch}", commit, force=True)

    def ref(self, name: str) -> CommitId | None:
        """The commit that any ref names, by its full name; an annotated tag's commit, not the tag."""
        found = self._repo.references.get(name)
        return None if found is None else CommitId(str(found.peel(pygit2.Commit).id))

    def set_ref(self, name: str, commit: CommitId) -> None:
        """Point a ref at a commit, durably."""
        with self._writing():
            self._repo.references.create(name, commit, force=True)

    def drop_ref(self, name: str) -> None:
        """Forget a ref, if it is there."""
        with self._writing(), contextlib.suppress(KeyError):
            self._repo.references.delete(name)

    def refs(self, below: str) -> list[str]:
        """The full names of the refs below a prefix, sorted."""
        return sorted(name for name in self._repo.references if name.startswith(below))

    def tag(self, name: str, commit: CommitId, author: Author, message: str) -> None:
        """Give a commit a name; with a message as an annotated tag.  NeedsUser if it can't be written."""
        with self._writing():
            if message:
                by = self._signature(author, time.time())
                self._repo.create_tag(name, pygit2.Oid(hex=commit), ObjectType.COMMIT, by, message)
            else:
                self._repo.references.create(f"refs/tags/{name}", commit)

    def tag_message(self, name: str) -> str:
        """What an annotated tag says; '' for a plain one."""
        found = self._repo.references.get(f"refs/tags/{name}")
        tag = None if found is None else self._repo[found.target]
        return tag.message if isinstance(tag, pygit2.Tag) and tag.message else ""

    # contents

    def store(self, source: BinaryIO) -> BlobId:
        """Keep a content; its id.  Holds at most a few MB of it in memory."""
        self._stored += 1
        self.told(Progress("Reading files", self._stored, None, "files"))
        start = source.read(_SMALL + 1)
        if len(start) <= _SMALL:
            return self.store_bytes(start)
        with self._writing():
            return BlobId(str(self._repo.create_blob_fromiobase(Joined(start, source))))

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
            for kind, content in bulk.finish():
                self._put(kind, content)

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

    def _write_held(self) -> None:
        if self._held:
            held, self._held = self._held, {}
            with self._writing():
                loose.write(self.path, ((oid, kind, content) for oid, (kind, content) in held.items()))

    def _put(self, kind: int, content: bytes) -> str:
        with self._writing():
            if self._bulk is not None:
                oid = object_id(kind, content)
                if oid not in self._bulk and oid not in self._repo:
                    self._bulk.add(kind, oid, content)
                return oid
            if self._held is not None:
                oid = object_id(kind, content)
                if oid not in self._repo:
                    self._held[oid] = (kind, content)
                return oid
            if kind == BLOB:
                return str(self._repo.create_blob(content))
            return str(self._repo.odb.write(ObjectType.TREE, content))

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

    # trees

    def tree_id(self, commit: CommitId | None) -> bytes | None:
        """The id of a commit's tree (of its subfolder); None for no commit, and for an empty tree."""
        at = self._whole_tree(commit)
        for name in self._inside:
            item = self._recent.get(at).get(name) if at is not None else None
            at = item.id if item is not None and item.is_folder else None
        return at

    def _whole_tree(self, commit: CommitId | None) -> bytes | None:
        if commit is None:
            return None
        found = self._repo[commit]
        assert isinstance(found, pygit2.Commit)
        tree = bytes.fromhex(str(found.tree_id))
        return tree if tree != _EMPTY else None

    def subfolder_is_taken(self, commit: CommitId) -> bool:
        """Whether a commit has something else than a folder where the subfolder, or one above it, shall be."""
        at: Item | None = None
        tree = self._whole_tree(commit)
        for name in self._inside:
            at = self.items(tree).get(name)
            if at is None:
                return False
            if not at.is_folder:
                return True
            tree = at.id
        return False

    def items(self, tree: bytes | None) -> Items:
        """What one tree object holds; nothing for None."""
        if tree is None:
            return {}
        data = self._held_content(tree.hex())
        if data is None:
            _, data = self._repo.odb.read(tree.hex())
        return parse_tree(data)

    def item(self, commit: CommitId | None, path: str) -> Item | None:
        """What a commit holds at a path ('' is the top, as a folder); None if nothing."""
        return self.below(self.tree_id(commit), path)

    def below(self, tree: bytes | None, path: str) -> Item | None:
        """What a tree holds at a path ('' is the top, as a folder); None if nothing."""
        if tree is None:
            return None
        found: Item | None = Item(FOLDER, tree)
        for name in _bytes(path).split(b"/") if path else ():
            if found is None or not found.is_folder:
                return None
            found = self._recent.get(found.id).get(name)
        return found

    def entry(self, commit: CommitId | None, path: RelPath) -> Entry | None:
        """The file that a commit holds at a path."""
        found = self.item(commit, path)
        return None if found is None else found.entry

    def files(self, tree: bytes | None, prefix: str = "") -> Iterator[tuple[RelPath, Entry]]:
        """All files of a tree, with their paths."""
        stack = [(_bytes(prefix), tree)]
        while stack:
            above, at = stack.pop()
            for name, item in self.items(at).items():
                if item.is_folder:
                    stack.append((above + name + b"/", item.id))
                elif (entry := item.entry) is not None:
                    yield _path(above + name), entry

    def changes(self, old: CommitId | None, new: CommitId | None) -> dict[RelPath, Change]:
        """The files that differ between two commits."""
        out: dict[RelPath, Change] = {}
        for path, a, b in self.differences(self.tree_id(old), self.tree_id(new)):
            base, entry = a.entry if a else None, b.entry if b else None
            if base != entry:
                out[path] = Change(base, entry)
        return out

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
                    yield _path(path), a, b

    def edited(self, tree: bytes | None, edits: Mapping[RelPath, Item | None]) -> bytes | None:
        """A tree with files put in and taken out; None if nothing is left.

        A file put where a folder was takes its place, and the reverse; folders that become empty vanish.
        """
        if not edits:
            return tree
        folders: dict[bytes, Items] = {}
        files = {_bytes(path): item for path, item in edits.items()}
        for path in files:
            for folder in split(path):
                if folder not in folders:
                    folders[folder] = self.items(self._below(folders, folder, tree))
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
        return bytes.fromhex(self._put(TREE, format_tree(items)))

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

    # commits

    def commit(
        self, parents: Sequence[CommitId], tree: bytes | None, author: Author, message: str, when: float | None = None
    ) -> CommitId:
        """Make a commit; no ref moves.  `tree` is as `edited` gives it.

        What lies beside the subfolder is the last parent's: of a merge, theirs, since nobody changes it here.
        """
        if self._inside:
            tree = self._with(self._whole_tree(parents[-1] if parents else None), self._inside, tree)
        oid = self._repo.odb.write(ObjectType.TREE, b"") if tree is None else pygit2.Oid(raw=tree)
        by = self._signature(author, time.time() if when is None else when)
        text = message.encode("utf-8", "replace").decode()
        if self._held is not None and tree is not None:
            return CommitId(self._put(COMMIT, commit_object(tree, parents, by, text)))
        with self._writing():
            return CommitId(str(self._repo.create_commit(None, by, by, text, oid, list(parents))))

    def _with(self, whole: bytes | None, names: Sequence[bytes], tree: bytes | None) -> bytes | None:
        """A tree with another one at a path, which takes the place of a file there; None if nothing is left."""
        if not names:
            return tree
        items = dict(self.items(whole))
        at = items.get(names[0])
        below = self._with(at.id if at is not None and at.is_folder else None, names[1:], tree)
        if below is not None:
            items[names[0]] = Item(FOLDER, below)
        elif at is not None and at.is_folder:
            del items[names[0]]
        return self._write(items) if items else None

    @staticmethod
    def _signature(author: Author, when: float) -> pygit2.Signature:
        zone = time.localtime(int(when)).tm_gmtoff // 60
        return pygit2.Signature(_plain(author.name), _plain(author.email), int(when), zone, "utf-8")

    def look_up(self, commit: CommitId) -> Commit:
        """A commit's own data."""
        found = self._repo[commit]
        assert isinstance(found, pygit2.Commit)
        by = Author(found.author.name or "", found.author.email or "")
        parents = tuple(CommitId(str(parent)) for parent in found.parent_ids)
        return Commit(commit, parents, by, found.commit_time, found.message)

    def log(self, commit: CommitId | None, limit: int = 50) -> list[Commit]:
        """A commit and those before it, newest first."""
        if commit is None:
            return []
        walker = self._repo.walk(commit, pygit2.enums.SortMode.TIME | pygit2.enums.SortMode.TOPOLOGICAL)
        return [self.look_up(CommitId(str(found.id))) for found, _ in zip(walker, range(limit), strict=False)]

    def merge_base(self, one: CommitId, other: CommitId) -> CommitId | None:
        """The last commit that both have; None if the histories have nothing in common."""
        found = self._repo.merge_base(one, other)
        return None if found is None else CommitId(str(found))

    def contains(self, commit: CommitId | None, part: CommitId | None) -> bool:
        """Whether `part` is `commit` or one of those before it (no commit is part of all)."""
        if part is None or commit == part:
            return True
        return commit is not None and self.has(part) and self._repo.descendant_of(commit, part)

    def changed_at(self, path: RelPath, since: CommitId | None, until: CommitId, limit: int = 200) -> int:
        """The time of the last commit up to `until` that changed a path, looking back to `since`."""
        now = self.entry(until, path)
        newest = self.look_up(until)
        at = newest
        for _ in range(limit):
            if at.id == since or not at.parents:
                break
            same = [parent for parent in at.parents if self.entry(parent, path) == now]
            if not same:
                break
            at = self.look_up(same[0])
        else:
            return newest.time
        return at.time


def is_branch_name(name: str) -> bool:
    """Whether git takes this as a branch's name."""
    return not name.startswith("-") and bool(pygit2.reference_is_valid_name(f"refs/heads/{name}"))


_EMPTY = bytes.fromhex("4b825dc642cb6eb9a060e54bf8d69288fbee4904")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _path(path: bytes) -> RelPath:
    return RelPath(path.decode("utf-8", "surrogateescape"))


def _plain(text: str) -> str:
    out = "".join(c for c in text if c not in "<>\n\0").encode("utf-8", "replace").decode().strip()
    return out or "someone"
