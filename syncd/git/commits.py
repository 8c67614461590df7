"""The local history of one folder: a bare repository in the state folder, never in the person's own.

A commit is built from the paths that changed, in the folders they lie in; nothing else is read.
What it names is on disk before its ref is (fsync is switched on in `syncd.git.remote`).
"""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType

from syncd.core.entry import Change, CommitId, Entry, RelPath
from syncd.git.commit import Author as Author
from syncd.git.commit import Commit as Commit
from syncd.git.commit import commit_object
from syncd.git.objects import Objects, as_bytes
from syncd.git.pack import COMMIT
from syncd.git.trees import FOLDER, Item


class History(Objects):
    """The repository of one folder, with its branches and commits.  One thread at a time, of one process."""

    def __init__(self, path: Path, subfolder: str = "") -> None:
        """Open it, or create it empty.  Stop if it can't be read.

        With a `subfolder` all trees here are what commits hold there; what else they hold is carried on untouched.
        """
        self._inside = tuple(as_bytes(subfolder).split(b"/")) if subfolder else ()
        super().__init__(path)

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
        ref = f"refs/heads/{branch}"
        if self._held and (self.path / ref).is_file():
            self._write_held((ref, commit))
            return
        self._write_held()
        with self._writing():
            self._repo.references.create(ref, commit, force=True)

    def set_agreed(self, branch: str, commit: CommitId) -> None:
        """Note what the remote shows."""
        with self._writing():
            self._repo.references.create(f"refs/synced/{branch}", commit, force=True)

    def ref(self, name: str) -> CommitId | None:
        """The commit that any ref names, by its full name; an annotated tag's commit, not the tag."""
        found = self._repo.references.get(name)
        try:
            return None if found is None else CommitId(str(found.peel(pygit2.Commit).id))
        except pygit2.InvalidSpecError:  # somebody's tag of a file
            return None

    def target(self, name: str) -> str | None:
        """The id of the very object that a ref names: of an annotated tag, the tag's own."""
        found = self._repo.references.get(name)
        return None if found is None else str(found.target)

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

    def tag_words(self, ref: str) -> tuple[str, str]:
        """What an annotated tag says, and who made it; '' for a plain one."""
        found = self._repo.references.get(ref)
        tag = None if found is None else self._repo[found.target]
        if not isinstance(tag, pygit2.Tag):
            return "", ""
        return tag.message or "", tag.tagger.name if tag.tagger else ""

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

    def item(self, commit: CommitId | None, path: str) -> Item | None:
        """What a commit holds at a path ('' is the top, as a folder); None if nothing."""
        return self.below(self.tree_id(commit), path)

    def entry(self, commit: CommitId | None, path: RelPath) -> Entry | None:
        """The file that a commit holds at a path."""
        found = self.item(commit, path)
        return None if found is None else found.entry

    def changes(self, old: CommitId | None, new: CommitId | None) -> dict[RelPath, Change]:
        """The files that differ between two commits."""
        out: dict[RelPath, Change] = {}
        for path, a, b in self.differences(self.tree_id(old), self.tree_id(new)):
            base, entry = a.entry if a else None, b.entry if b else None
            if base != entry:
                out[path] = Change(base, entry)
        return out

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

    def count(self, commit: CommitId, known: tuple[CommitId, int] | None = None) -> int:
        """How many commits a history has in all, up to this one; quickly, given the number of one before it."""
        if known is not None and self.has(known[0]):
            ahead, behind = self._repo.ahead_behind(commit, known[0])
            if not behind:
                return known[1] + int(ahead)
        return sum(1 for _ in self._repo.walk(commit, pygit2.enums.SortMode.NONE))

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


def _plain(text: str) -> str:
    out = "".join(c for c in text if c not in "<>\n\0").encode("utf-8", "replace").decode().strip()
    return out or "someone"
