"""Whatever is done to a folder: what is taken up is the very tree that git itself would write."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.core.entry import RelPath
from syncd.core.settle import Due
from syncd.git.commits import Author
from syncd.publisher.local import Local
from syncd.publisher.workspace import Workspace

# Names that sort otherwise as a folder than as a file, and one that is no text.
NAMES = ("a", "a.b", "a-b", "a0", "a b", "A", "é", os.fsdecode(b"\xff"), "run.sh")


class Git:
    """git itself, with an index of its own over the same folder."""

    def __init__(self, place: Path, folder: Path) -> None:
        self._folder = folder
        self._settings = {"GIT_DIR": str(place), "GIT_WORK_TREE": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
        self("init", "-q")

    def __call__(self, *arguments: str) -> str:
        environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", **self._settings}
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self._folder, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def tree(self) -> str:
        self("add", "-A")
        return self("write-tree")


def edits(chance: random.Random, folder: Path) -> Iterator[RelPath]:
    """Do one to four things to a folder; the paths that had events."""
    for _ in range(chance.randint(1, 4)):
        path = folder.joinpath(*chance.choices(NAMES, k=chance.randint(1, 4)))
        if any(above.is_symlink() for above in path.parents if folder in above.parents):
            continue  # what is beyond a link is at another path
        there = path.is_symlink() or path.exists()
        match chance.choice(("write", "write", "run", "link", "remove", "rename")):
            case "remove" | "link" | "rename" as what if there:
                if what == "rename":
                    to = folder / "moved" / f"{chance.randrange(100)}"
                    to.parent.mkdir(exist_ok=True)
                    if to.exists():
                        continue
                    path.rename(to)
                    yield RelPath(str(to.relative_to(folder)))
                elif path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                if what == "link":
                    path.symlink_to(chance.choice(NAMES[:5]))
            case "write" | "run" as what if path.is_symlink() or not path.is_dir():
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.unlink(missing_ok=True)
                except (FileExistsError, NotADirectoryError):
                    continue  # a file is where a folder would be
                path.write_text(f"{chance.randrange(6)}\n")
                path.chmod(0o755 if what == "run" else 0o644)
            case _:
                continue
        yield RelPath(str(path.relative_to(folder)))


@pytest.mark.parametrize("seed", range(2))
def test_after_any_edits_the_tree_is_the_one_that_git_writes(tmp_path: Path, seed: int) -> None:
    folder, chance = tmp_path / "folder", random.Random(seed)
    folder.mkdir()
    here = Workspace(folder, tmp_path / "own", "main", Author("Ida", "ida@example.org"))
    local, git = Local(here), Git(tmp_path / "repository", folder)
    (folder / "stays").write_text("so that the folder is never empty\n")
    local.take_up(Due(frozenset(), True, frozenset()))
    commits = 0
    for step in range(30):
        touched = frozenset(edits(chance, folder))
        everything = step % 8 == 7
        taken = local.take_up(Due(frozenset() if everything else touched, everything, frozenset()), agreed=True)
        commits += taken.commit is not None
        tree = here.history.tree_id(here.head)
        assert tree is not None and tree.hex() == git.tree(), (step, sorted(touched))
    assert commits > 15
    here.close()
    own = str(tmp_path / "own" / "history.git")
    subprocess.run(["git", "-C", own, "fsck", "--strict", "--full"], check=True, capture_output=True)
    counted = subprocess.run(["git", "-C", own, "rev-list", "--count", "main"], check=True, capture_output=True)
    assert int(counted.stdout) == commits + 1
