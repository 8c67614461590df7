"""Random operations on the model and on a real folder must give the same, with switches and restarts between."""

import errno
import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from made_commits import BareView, Hands, Opening, Store, real_tree

from fuse_mount.catch_up import switch_at_once
from fuse_mount.syscalls import Rename, renameat2
from syncd.blobs import Snapshot
from syncd.core.entry import Change, Entry, RelPath, parents
from syncd.view import Mine, Step, Take, Update, Wait, Write

FOLDERS = ["d1", "d2", "d3"]
FILES = ["f1", "f2", "f3", "f4"]


class Dice:
    """A real folder beside a view; the same hands on both."""

    def __init__(self, seed: int, opened: Opening, store: Store, plain: Path) -> None:
        self.random = random.Random(seed)
        self.opened, self.store, self.plain = opened, store, plain
        self.files: dict[str, bytes] = {}
        self.gone_over = 0
        self.replaced: set[str] = set()
        self.folders: dict[int, str] = {}
        """The plain folder's folders that are the course's, by inode, and where it has them."""
        plain.mkdir()
        self.view: BareView = opened()
        self.switch()

    def name(self, kinds: list[str]) -> str:
        depth = self.random.choice([0, 0, 1, 1, 2])
        return "/".join([*(self.random.choice(FOLDERS) for _ in range(depth)), self.random.choice(kinds)])

    def data(self) -> bytes:
        return b"%d" % self.random.randrange(10**6) * self.random.choice([0, 1, 1, 3])

    def operate(self) -> str:
        r = self.random
        file, other = self.name(FILES), self.name(FILES)
        folder, to = self.name(FOLDERS), self.name(FOLDERS)
        data = self.data()
        hands, plain = Hands(self.view.overlay), self.plain
        flags = r.choice([Rename.PLAIN, Rename.PLAIN, Rename.NOREPLACE, Rename.EXCHANGE])
        kinds = [
            (f"write {file}", lambda: hands.write(file, data), lambda: _overwrite(plain / file, data)),
            (f"append {file}", lambda: hands.append(file, data), lambda: _append(plain / file, data)),
            (f"remove {file}", lambda: hands.remove(file), lambda: (plain / file).unlink()),
            (f"mkdir {folder}", lambda: hands.mkdir(folder), lambda: (plain / folder).mkdir()),
            (f"rmdir {folder}", lambda: hands.rmdir(folder), lambda: (plain / folder).rmdir()),
            (f"rm -r {folder}", lambda: _remove_all(hands, folder), lambda: shutil.rmtree(plain / folder)),
            (f"mv {file} {other}", lambda: hands.rename(file, other), lambda: os.rename(plain / file, plain / other)),
            (
                f"mv {folder} {to} {flags!r}",
                lambda: hands.rename(folder, to, flags),
                lambda: _rename(plain / folder, plain / to, flags),
            ),
            (
                f"mv {file} {other} {flags!r}",
                lambda: hands.rename(file, other, flags),
                lambda: _rename(plain / file, plain / other, flags),
            ),
            (f"ln {file} {other}", lambda: hands.link(file, other), lambda: os.link(plain / file, plain / other)),
            (f"ln -s {file}", lambda: hands.symlink(file, "x"), lambda: os.symlink("x", plain / file)),
        ]
        weights = [6, 2, 4, 2, 2, 1, 4, 4, 1, 1, 1]
        said, ours, theirs = r.choices(kinds, weights)[0]
        results = []
        for act in (ours, theirs):
            try:
                act()
                results.append(0)
            except OSError as error:
                code = error.errno or 0
                results.append(errno.ENOTEMPTY if code == errno.EEXIST and "mv" in said else code)
        assert results[0] == results[1], f"{said}: {results}"
        there = {path.lstat().st_ino for path in plain.rglob("*")}
        self.folders = {ino: path for ino, path in self.folders.items() if ino in there}
        return f"{said} -> {results[0]}"

    def switch(self) -> None:
        """A new commit; what both changed is settled at random."""
        r = self.random
        new = dict(self.files)
        for _ in range(r.randrange(1, 6)):
            path = self.name(FILES)
            if r.random() < 0.4:
                new.pop(path, None)
            elif r.random() < 0.1:
                new = {p: data for p, data in new.items() if not p.startswith(path[:2] + "/")}
            else:
                new[path] = self.data() + b"!"
        snapshot = self.store.commit(new)
        if r.random() < 0.3 and self.go_over(snapshot, new):
            return
        mine = self.view.observe()
        self.check_observed(mine)
        manifest = snapshot.manifest
        bases = dict(self.view.waiting)
        result = {path: data for path, data in real_tree(self.plain).items()}
        self.replaced.clear()
        steps: list[Step] = []
        for path in sorted(set(self.files) | set(new) | set(bases)):
            where = RelPath(path)
            base = bases[where] if where in bases else _entry(self.files.get(path))
            now = manifest.entry(where)
            if where in mine:
                if base == now and where not in bases:
                    continue
                choice = r.choice(["keep", "take", "write", "wait"])
                if choice == "take":
                    steps.append(Take(where, mine[where].stamp))
                    self.put(result, path, new.get(path))
                elif choice == "write" and mine[where].change.now is not None:
                    steps.append(Write(where, b"merged", mine[where].change.now.mode, mine[where].stamp))
                    if not result[path] or not result[path].startswith(b"-> "):
                        self.put(result, path, b"merged")
                    else:
                        self.put(result, path, b"-> merged")
                elif choice == "wait":
                    steps.append(Wait(where, base))
            elif base != now:
                if r.random() < 0.1:
                    steps.append(Wait(where, base))
                else:
                    if r.random() < 0.5:
                        steps.append(Take(where, None))
                    self.put(result, path, new.get(path))
        was, self.files = self.files, new
        refused = self.view.apply(Update(snapshot, steps))
        assert refused == []
        self.set_plain(result, was, new)
        # A folder of the commit shows even if all its files wait to be taken; that is nobody's loss.
        for path, data in sorted(Hands(self.view.overlay).tree().items()):
            if data is None and path in _folders(new):
                (self.plain / path).mkdir(exist_ok=True)
        self.claim(result, was, new)

    def go_over(self, snapshot: Snapshot, new: dict[str, bytes]) -> bool:
        """Without a plan, if the version concerns nothing of the student's; whether it did."""
        result = dict(real_tree(self.plain))
        self.replaced.clear()
        mine = self.view.observe()
        paths = {}
        for path in sorted(self.files.keys() | new.keys()):
            if self.files.get(path) != new.get(path):
                paths[RelPath(path)] = "+" if path not in self.files else "-" if path not in new else "~"
                self.put(result, path, new.get(path))
        with self.view.overlay.lock:
            if self.view.base is None or switch_at_once(self.view.overlay, snapshot, paths) is None:
                return False
        assert not paths.keys() & mine.keys()
        was, self.files = self.files, new
        self.view.went_over(snapshot)
        self.set_plain(result, was, new)
        self.claim(result, was, new)
        self.gone_over += 1
        return True

    def put(self, result: dict[str, bytes | None], path: str, data: bytes | None) -> None:
        self.replaced.add(path)
        if data is None:
            result.pop(path, None)
            return
        result[path] = data
        for folder in parents(RelPath(path)):
            result.setdefault(folder, None)

    def set_plain(self, result: dict[str, bytes | None], was: dict[str, bytes], new: dict[str, bytes]) -> None:
        """The real folder as it must be; folders that are the course's go with it when they are empty."""
        gone = _folders(was) - _folders(new)
        for folder in sorted(gone, key=len, reverse=True):
            if folder in result and self.is_course_s(folder) and not any(p.startswith(folder + "/") for p in result):
                del result[folder]
        self.folders = {ino: folder for ino, folder in self.folders.items() if folder not in gone}
        hard = real_tree(self.plain)
        for path in sorted(hard, key=len, reverse=True):
            if path not in result:
                target = self.plain / path
                target.rmdir() if target.is_dir() and not target.is_symlink() else target.unlink()
        for path, data in sorted(result.items()):
            target = self.plain / path
            if data is None:
                target.mkdir(exist_ok=True)
            elif path in self.replaced:
                # Another file even if it has the same content: other names of the one before are no names of it.
                target.unlink(missing_ok=True)
                if data.startswith(b"-> "):
                    target.symlink_to(os.fsdecode(data[3:]))
                else:
                    target.write_bytes(data)

    def is_course_s(self, folder: str) -> bool:
        """Whether what is at a path is the course's folder of that name, and none that was made or moved there."""
        at = self.plain / folder
        return not folder or (at.is_dir() and self.folders.get(at.lstat().st_ino) == folder)

    def claim(self, result: dict[str, bytes | None], was: dict[str, bytes], new: dict[str, bytes]) -> None:
        """The course's are those in which it shows a file, and those that came to it where no other of it stands."""
        shows = _folders(path for path in self.replaced if path in new and result.get(path) == new[path])
        for folder in sorted(shows | (_folders(new) - _folders(was))):
            at = self.plain / folder
            if not at.is_dir():
                continue
            known = self.folders.get(at.lstat().st_ino, folder)
            if folder in shows or (known == folder and self.is_course_s(folder.rpartition("/")[0])):
                self.folders[at.lstat().st_ino] = folder

    def check_observed(self, mine: dict[RelPath, Mine]) -> None:
        """What is observed is the difference to the base, file by file, and nothing else."""
        bases = self.view.waiting
        shown = {path: data for path, data in real_tree(self.plain).items() if data is not None}
        wanted = {}
        for path in shown.keys() | self.files.keys() | bases.keys():
            base = bases[RelPath(path)] if path in bases else _entry(self.files.get(path))
            now = _entry(shown.get(path))
            if base != now:
                wanted[path] = Change(base, now)
        assert {path: seen.change for path, seen in mine.items()} == wanted

    def check(self) -> None:
        assert Hands(self.view.overlay).tree() == real_tree(self.plain)

    def restart(self) -> None:
        self.view = self.opened()


def _folders(paths: Iterable[str]) -> set[str]:
    return {folder for path in paths for folder in parents(RelPath(path))}


def _entry(data: bytes | None) -> Entry | None:
    from made_commits import blob_id

    from syncd.core.entry import Mode

    if data is None:
        return None
    return Entry(blob_id(data[3:]), Mode.SYMLINK) if data.startswith(b"-> ") else Entry(blob_id(data), Mode.FILE)


def _overwrite(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _rename(old: Path, new: Path, flags: Rename) -> None:
    renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags)


def _remove_all(hands: Hands, path: str) -> None:
    for name in hands.names(path):
        below = f"{path}/{name}"
        try:
            hands.names(below)
        except NotADirectoryError:
            hands.remove(below)
        else:
            _remove_all(hands, below)
    hands.rmdir(path)


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 24))])
def test_random_operations_are_those_of_a_real_folder(seed: int, opened: Opening, store: Store, tmp_path: Path) -> None:
    dice = Dice(seed, opened, store, tmp_path / "plain")
    said = []
    for turn in range(150):
        said.append(dice.operate())
        if dice.random.random() < 0.2:
            try:
                dice.check()
            except AssertionError as error:
                raise AssertionError("; ".join(said[-40:])) from error
        if dice.random.random() < 0.07:
            said.append("switch")
            try:
                dice.switch()
                dice.check()
            except AssertionError as error:
                raise AssertionError("; ".join(said[-60:])) from error
        if turn % 40 == 39:
            said.append("restart")
            dice.restart()
            dice.check()
