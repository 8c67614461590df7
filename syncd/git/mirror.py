"""A bare repository on this machine, read object by object: trees as git stores them, nothing checked out."""

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pygit2

from syncd.core.entry import CommitId
from syncd.git.failure import Damaged

_COMMIT, _TREE, _BLOB = 1, 2, 3
_ID = re.compile(b"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An entry of a tree object, byte for byte: nothing about it may be trusted."""

    mode: int
    name: bytes
    id: bytes


@dataclass(frozen=True, slots=True)
class RawCommit:
    """What a commit says; `time` in seconds since the epoch."""

    tree: bytes
    time: int
    parents: tuple[CommitId, ...]
    message: str


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

    def forget_history(self, tip: CommitId) -> None:
        """Have a shallow mirror end at its newest commit.  Nothing happens to one with all its history.

        The next fetch then names one commit as known, not hundreds, and is done in a single request; and
        the list of ends does not grow with each fetch.
        """
        ends = self.path / "shallow"
        if not ends.exists() or ends.read_text() == f"{tip}\n":
            return
        aside = ends.with_name(".shallow.new")
        aside.write_text(f"{tip}\n")
        aside.replace(ends)

    def holds(self, commit: CommitId) -> bool:
        """Whether it is here, and not only the name of what came before a shallow mirror's end."""
        return commit in self._repository

    def commit(self, commit: CommitId) -> RawCommit:
        """A commit, read leniently."""
        head, _, message = self._read(bytes.fromhex(commit), _COMMIT).partition(b"\n\n")
        tree, seconds, parents = b"", 0, []
        for line in head.split(b"\n"):
            word, _, rest = line.partition(b" ")
            if word == b"tree" and not tree:
                tree = bytes.fromhex(rest.decode("ascii"))
            elif word == b"parent" and _ID.fullmatch(rest):
                parents.append(CommitId(rest.decode("ascii")))
            elif word == b"committer":
                stamp = rest.rpartition(b">")[2].split()
                seconds = int(stamp[0]) if stamp and stamp[0].isdigit() else 0
        return RawCommit(tree, seconds, tuple(parents), message.decode("utf-8", "replace"))

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


_LEFTOVERS = (
    "objects/pack/pack_git2_*",
    "objects/pack/.tmp-*",
    "objects/*/tmp_object_git2_*",
    "**/*.lock",
    ".shallow.new",
)


def leftovers(path: Path) -> list[Path]:
    """What a killed fetch or tidying leaves (neither gc nor prune removes it); while one goes on, its files too."""
    found = [each for pattern in _LEFTOVERS for each in path.glob(pattern)]
    return found + [pack for pack in path.glob("objects/pack/*.pack") if not pack.with_suffix(".idx").exists()]


def sweep(path: Path) -> int:
    """Remove the leftovers; how many.  Only under the store's lock."""
    left = leftovers(path)
    for each in left:
        each.unlink(missing_ok=True)
    return len(left)


def tidy(path: Path, most_packs: int = 40, budget: int = 16 << 20) -> bool:
    """Put small packs, of which each fetch leaves one, together into one; whether there was need.

    Each object is in a pack that is on disk and named before the packs it was in go; killed in between, it
    is there twice.  `budget` bounds the bytes that are packed anew, and so the time.  Only while nothing
    else has the mirror open.
    """
    folder = path / "objects/pack"
    small: list[Path] = []
    for index in sorted(folder.glob("*.idx"), key=_size_of_pack):
        budget -= _size_of_pack(index)
        if budget < 0:
            break
        small.append(index)
    if len(small) <= max(1, most_packs):
        return False
    try:
        repository = pygit2.Repository(str(path))
        builder = pygit2.PackBuilder(repository)
        for index in small:
            for oid in _objects_in(index):
                builder.add(oid)
        before = set(folder.glob("*.idx"))
        builder.write(str(folder))
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise Damaged(f"The packs in {folder} can't be read: the mirror must be made anew.") from error
    if set(folder.glob("*.idx")) <= before:
        return False  # the same objects as one of them: nothing is gained, and nothing may go
    for index in small:
        index.unlink()
        index.with_suffix(".pack").unlink(missing_ok=True)
    return True


def _size_of_pack(index: Path) -> int:
    try:
        return index.with_suffix(".pack").stat().st_size
    except FileNotFoundError:
        return 1 << 62


def _objects_in(index: Path) -> list[pygit2.Oid]:
    """The ids in a pack's index, version 2 (gitformat-pack)."""
    data = index.read_bytes()
    if data[:8] != b"\xfftOc\0\0\0\2":
        raise ValueError(f"{index} is no index of version 2")
    names = 8 + 256 * 4
    count = int.from_bytes(data[names - 4 : names], "big")
    return [pygit2.Oid(raw=data[at : at + 20]) for at in range(names, names + 20 * count, 20)]


def leave_homes_alone() -> None:
    """From now on, read no git settings from a home: whoever acts as another user may not look into their own."""
    for level in (pygit2.enums.ConfigLevel.GLOBAL, pygit2.enums.ConfigLevel.XDG):
        pygit2.settings.search_path[level] = ""


def broken_packs(path: Path) -> list[Path]:
    """The packs that don't hold what was written into them: each ends with the SHA-1 of all before (gitformat-pack)."""
    broken = []
    for index in sorted(path.glob("objects/pack/*.idx")):
        for file in (index, index.with_suffix(".pack")):
            try:
                if not _ends_with_its_sum(file):
                    broken.append(file)
            except FileNotFoundError:
                broken.append(file)
    return broken


def _ends_with_its_sum(file: Path) -> bool:
    with open(file, "rb") as source:
        left = source.seek(0, 2) - 20
        source.seek(0)
        found = hashlib.sha1(usedforsecurity=False)
        while left > 0 and (piece := source.read(min(left, 1 << 20))):
            found.update(piece)
            left -= len(piece)
        return source.read() == found.digest()


def discard(path: Path) -> None:
    """Remove a mirror that can't be read; the next fetch makes it anew."""
    shutil.rmtree(path, ignore_errors=True)
