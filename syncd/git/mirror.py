"""A bare repository on this machine, read object by object: trees as git stores them, nothing checked out."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pygit2

from syncd.core.entry import CommitId
from syncd.git.failure import Damaged

_COMMIT, _TREE, _BLOB = 1, 2, 3


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An entry of a tree object, byte for byte: nothing about it may be trusted."""

    mode: int
    name: bytes
    id: bytes


class Mirror:
    """An open mirror.  Reading raises Damaged where an object is missing or isn't what its id says."""

    def __init__(self, path: Path) -> None:
        """Open it, or make an empty one."""
        self.path = path
        try:
            if not (path / "HEAD").exists():
                pygit2.init_repository(str(path), bare=True)
            self._repository = pygit2.Repository(str(path))
        except pygit2.GitError as error:
            raise Damaged(f"There is no readable repository in {path}: it must be made anew.") from error

    def tip(self, branch: str) -> CommitId | None:
        """The commit that was last fetched for a branch."""
        try:
            return CommitId(str(self._repository.references[f"refs/remotes/origin/{branch}"].target))
        except KeyError:
            return None
        except (pygit2.GitError, ValueError) as error:
            raise Damaged(f"The branches in {self.path} can't be read: it must be made anew.") from error

    def commit(self, commit: CommitId) -> tuple[bytes, int]:
        """A commit's tree id, and its time in seconds since the epoch."""
        found = self._read(bytes.fromhex(commit), _COMMIT)
        tree, seconds = b"", 0
        for line in found.split(b"\n\n", 1)[0].split(b"\n"):
            word, _, rest = line.partition(b" ")
            if word == b"tree" and not tree:
                tree = bytes.fromhex(rest.decode("ascii"))
            elif word == b"committer":
                stamp = rest.rpartition(b">")[2].split()
                seconds = int(stamp[0]) if stamp and stamp[0].isdigit() else 0
        return tree, seconds

    def tree(self, tree: bytes) -> list[RawEntry]:
        """The entries of a tree object, in its order, hostile ones included."""
        data, at, out = self._read(tree, _TREE), 0, []
        while at < len(data):
            space, zero = data.find(b" ", at), data.find(b"\0", at)
            if not at < space < zero or zero + 21 > len(data):
                raise Damaged(f"A folder's record in {self.path} is malformed: the repository must be repaired.")
            try:
                mode = int(data[at:space], 8)
            except ValueError:
                mode = 0
            out.append(RawEntry(mode, data[space + 1 : zero], data[zero + 1 : zero + 21]))
            at = zero + 21
        return out

    def blob(self, blob: bytes) -> bytes:
        """A blob's content."""
        return self._read(blob, _BLOB)

    def _read(self, oid: bytes, kind: int) -> bytes:
        try:
            found, data = self._repository.read(pygit2.Oid(raw=oid))
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise Damaged(f"{oid.hex()} is missing in {self.path}: it must be made anew.") from error
        if found != kind:
            raise Damaged(f"{oid.hex()} in {self.path} is of another kind than its name says: it must be made anew.")
        return bytes(data)


def sweep(path: Path) -> int:
    """Remove what a killed fetch leaves (neither gc nor prune does); how many.  Only under the store's lock."""
    removed = 0
    for pattern in ("objects/pack/pack_git2_*", "objects/pack/.tmp-*", "objects/*/tmp_object_git2_*", "**/*.lock"):
        for leftover in path.glob(pattern):
            leftover.unlink(missing_ok=True)
            removed += 1
    return removed


def discard(path: Path) -> None:
    """Remove a mirror that can't be read; the next fetch makes it anew."""
    shutil.rmtree(path, ignore_errors=True)
