"""Whether a repository of ours is whole: looked at without changing it, as `git fsck` does."""

import shutil
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2

from syncd.core.entry import CommitId
from syncd.core.progress import Progress, Told, nobody
from syncd.git.remote import NoBranch, Remote
from syncd.git.trees import parse_tree

SPOILED: tuple[type[Exception], ...] = (pygit2.GitError, KeyError)
"""What reading a history that is not whole ends with."""


def is_spoiled(error: BaseException) -> bool:
    """Whether an error comes from reading a history that is not whole, and from no mistake elsewhere."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_spoiled, error.exceptions))
    if isinstance(error, KeyError):  # as pygit2 tells of an object that is missing
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        return bool(frames) and Path(frames[-1].f_code.co_filename).parent == Path(__file__).parent
    return isinstance(error, pygit2.GitError)


@dataclass(frozen=True, slots=True)
class Flaws:
    """What is wrong; all empty: nothing."""

    unreadable: str = ""
    refs: tuple[str, ...] = ()
    """Refs that name no commit that is here."""
    objects: tuple[str, ...] = ()
    """Objects that are missing or spoiled."""
    locks: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unreadable or self.refs or self.objects or self.locks)


def flaws(path: Path, told: Told = nobody) -> Flaws:
    """Look at refs, at all commits with their top folders, and read all that the branches show."""
    locks = tuple(sorted([*path.glob("*.lock"), *path.glob("refs/**/*.lock")]))
    try:
        repository = pygit2.Repository(str(path))
    except pygit2.GitError as error:
        return Flaws(unreadable=str(error), locks=locks)
    refs, bad = list[str](), list[str]()
    tops: list[str] = []
    for name in _refs(path):
        try:
            commit = repository.references[name].peel(pygit2.Commit)
        except (pygit2.GitError, KeyError, ValueError):
            refs.append(name)
            bad += _named(path / name)
            continue
        tops.append(str(commit.id))
    seen: set[str] = set()
    for top in tops:
        bad += _commits(repository, top, seen)
    for top in tops:
        bad += _contents(repository, top, seen, told)
    return Flaws("", tuple(refs), tuple(dict.fromkeys(bad)), locks)


def refetch(path: Path, remote: Remote, branch: str) -> None:
    """Bring all that the remote has of a branch once more, whatever is here; SyncError as `Remote.fetch`.

    Spoiled files of single objects are put away first, into `spoiled/`: what is there again is not looked for in them.
    """
    aside = path.with_name(path.name + ".refetched")
    shutil.rmtree(aside, ignore_errors=True)
    pygit2.init_repository(str(aside), bare=True)
    try:
        try:
            remote.fetch(aside, branch)
        except NoBranch:
            return
        for pack in sorted((aside / "objects/pack").glob("*"), key=lambda each: each.suffix == ".idx"):
            if not (path / "objects/pack" / pack.name).exists():
                shutil.move(pack, path / "objects/pack" / pack.name)
        for loose in (aside / "objects").glob("??/*"):
            target = path / "objects" / loose.parent.name / loose.name
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                shutil.move(loose, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def put_away(path: Path, objects: tuple[str, ...]) -> None:
    """Move the files of spoiled single objects into `spoiled/`, so that others take their place."""
    for oid in objects:
        loose = path / "objects" / oid[:2] / oid[2:]
        if loose.exists():
            (path / "spoiled").mkdir(exist_ok=True)
            loose.replace(path / "spoiled" / oid)


def reset_ref(path: Path, name: str, commit: CommitId | None) -> None:
    """Let a ref that names nothing name a commit, or (None) be gone."""
    file = path / name
    file.unlink(missing_ok=True)
    if commit is not None:
        pygit2.Repository(str(path)).references.create(name, commit, force=True)


def first_known(path: Path, names: tuple[str, ...]) -> CommitId | None:
    """The commit of the first of these refs that names one that is here."""
    repository = pygit2.Repository(str(path))
    for name in names:
        try:
            return CommitId(str(repository.references[name].peel(pygit2.Commit).id))
        except (pygit2.GitError, KeyError, ValueError):
            continue
    return None


def _refs(path: Path) -> Iterator[str]:
    """By their files: libgit2 passes over what it can't read."""
    names = {each.relative_to(path).as_posix() for each in path.glob("refs/**/*") if each.is_file()}
    packed = path / "packed-refs"
    if packed.exists():
        lines = packed.read_text("utf-8", "surrogateescape").splitlines()
        names |= {line.split(" ", 1)[1] for line in lines if " refs/" in line and not line.startswith("#")}
    yield from sorted(name for name in names if not name.endswith(".lock"))


def _commits(repository: pygit2.Repository, top: str, seen: set[str]) -> Iterator[str]:
    waiting = [top]
    while waiting:
        oid = waiting.pop()
        if oid in seen:
            continue
        seen.add(oid)
        if not _readable(repository, oid):
            yield oid
            continue
        commit = repository[oid]
        if isinstance(commit, pygit2.Commit):
            if not _readable(repository, str(commit.tree_id)):
                yield str(commit.tree_id)
            waiting += [str(parent) for parent in commit.parent_ids]


def _contents(repository: pygit2.Repository, top: str, seen: set[str], told: Told) -> Iterator[str]:
    commit = repository[top]
    waiting: list[tuple[str, bool]] = [(str(commit.tree_id), True)] if isinstance(commit, pygit2.Commit) else []
    while waiting:
        oid, is_folder = waiting.pop()
        if oid in seen:
            continue
        seen.add(oid)
        told(Progress("Reading the history", len(seen), None, "objects"))
        try:
            _, data = repository.odb.read(oid)  # libgit2 compares the content with its name
        except (pygit2.GitError, KeyError, ValueError):
            yield oid
            continue
        if is_folder:
            items = parse_tree(data).values()
            waiting += [(item.id.hex(), item.is_folder) for item in items if item.is_folder or item.entry is not None]


def _readable(repository: pygit2.Repository, oid: str) -> bool:
    try:
        repository.odb.read(oid)
    except (pygit2.GitError, KeyError, ValueError):
        return False
    return True


def _named(ref: Path) -> Iterator[str]:
    """The object that a ref's file names."""
    try:
        name = ref.read_text("ascii").strip()
    except (OSError, ValueError):
        return
    if len(name) == 40 and set(name) <= set("0123456789abcdef"):
        yield name
