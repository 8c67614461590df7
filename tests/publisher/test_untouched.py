"""A look at everything passes over folders that equal the commit, and over nothing else."""

import os
import random
import time
from pathlib import Path

import pytest
from classroom_side import everything, fill

from syncd.core import ignore
from syncd.core.entry import RelPath
from syncd.core.settle import Due
from syncd.core.staff import Allowed
from syncd.folder.scan import Listing
from syncd.git.commits import Author
from syncd.publisher import guarding
from syncd.publisher.local import Local
from syncd.publisher.look import look_everywhere
from syncd.publisher.workspace import Workspace

EVERYTHING = Due(frozenset(), True, frozenset())
GRAIN_S = 0.06  # files that were written a moment ago are looked at again: see `statcache.racy`


class Desk:
    """A folder with its history, and how many folders were listed at the last look."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = place / "desk"
        self.folder.mkdir()
        self.here = Workspace(self.folder, place / "own", "main", Author("Ida", "ida@example.org"))
        self.local = Local(self.here)
        with self.here:
            pass  # what its disk tells apart is tried: a file comes and goes
        self.listed: list[str] = []
        from syncd.folder import scan as scanning

        original = scanning._listed

        def listed(folder: object, out: Listing, *more: object) -> Listing:
            self.listed.append(out.folder)
            return original(folder, out, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(scanning, "_listed", listed)

    def look(self) -> list[str]:
        """Take everything up; the folders that were listed for it."""
        self.listed.clear()
        self.local.take_up(EVERYTHING, agreed=True)
        head, history = self.here.head, self.here.history
        tree = {path: history.read(entry.blob) for path, entry in history.files(history.tree_id(head))}
        assert tree == everything(self.folder)
        return sorted(self.listed)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_only_folders_that_were_touched_are_listed_again(desk: Desk) -> None:
    fill(desk.folder, {f"{a}/{b}/{n}": f"{a}{b}{n}" for a in "xy" for b in "uv" for n in range(3)})
    (desk.folder / "empty/inside").mkdir(parents=True)
    time.sleep(GRAIN_S)
    assert len(desk.look()) == 9, "new: nothing is known"
    desk.local.remember()
    assert desk.look() == []
    fill(desk.folder, {"x/u/0": "changed"})
    assert desk.look() == ["x/u"]
    time.sleep(GRAIN_S)
    assert desk.look() == ["", "x", "x/u"], "their trees are others now"
    assert desk.look() == []
    os.rename(desk.folder / "y/v", desk.folder / "y/w")
    (desk.folder / "empty/inside").rmdir()
    assert desk.look() == ["empty", "y", "y/w"]


def test_other_rules_make_everything_be_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk.folder, {"a/1": "1", "b/2": "2"})
    time.sleep(GRAIN_S)
    desk.look()
    desk.local.remember()
    assert desk.look() == []
    desk.here.guards.follow((Allowed(RelPath("a/1"), "secret"),), False)
    assert desk.look() == ["", "a", "b"]
    desk.local.remember()
    assert desk.look() == []
    monkeypatch.setattr(guarding, "RULES", guarding.RULES + 1)
    assert desk.look() == ["", "a", "b"]
    monkeypatch.setattr(ignore, "RULES", ignore.RULES + "|\\.new")
    assert desk.look() == ["", "a", "b"]


SECRET = "token = 'ghp" + "_0123456789abcdefghijABCDEFGHIJ012345'\n"


@pytest.mark.parametrize("changed", ["gitignore", "gitignore below", "syncignore", "syncstaff", "allowed", "students"])
def test_rules_that_change_while_nobody_looks_hold_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    desk = Desk(tmp_path, monkeypatch)
    fill(
        desk.folder,
        {".gitignore": "*.log\n", ".syncignore": "*.tmp\n", ".syncstaff": "exam*\n", "a/b/.gitignore": "*.o\n"},
    )
    fill(desk.folder, {f"a/b/{name}": name for name in ("x.log", "x.tmp", "x.o", "exam1", "x.solution.md", "x")})
    fill(desk.folder, {"a/b/key": SECRET, "c/only.log": "a folder in which nothing else is"})
    time.sleep(GRAIN_S)
    for _ in range(3):
        desk.local.take_up(EVERYTHING)
    match changed:
        case "gitignore":
            (desk.folder / ".gitignore").write_text("x.tmp\n")
        case "gitignore below":
            (desk.folder / "a/b/.gitignore").unlink()
        case "syncignore":
            (desk.folder / ".syncignore").write_text("!x.log\n")
        case "syncstaff":
            (desk.folder / ".syncstaff").unlink()
    desk.here.close()
    here = Workspace(desk.folder, tmp_path / "own", "main", Author("Ida", "ida@example.org"))
    allowed = Allowed(RelPath("a/b/key"), "secret"), Allowed(RelPath("a/b/x.log"), "ignored")
    here.guards.follow(allowed if changed == "allowed" else (), changed == "students")
    local = Local(here)
    local.recover()
    found = local.take_up(EVERYTHING)
    assert found.commit is not None
    with here:
        here.cache.summarize(dict.fromkeys(here.cache.summaries()))
        everything_anew = look_everywhere(here)
    assert not everything_anew.edits
    assert everything_anew.left_out == found.looked.left_out


def test_what_was_seen_before_events_were_lost_is_not_used_after(desk: Desk) -> None:
    fill(desk.folder, {"a/1": "1", "b/2": "2"})
    time.sleep(GRAIN_S)
    desk.look()
    desk.local.remember()
    desk.local.recover()
    fill(desk.folder, {"a/1": "a save of which no event told"})
    desk.local.mistrust()
    assert desk.look() == ["a"]


def test_a_folder_in_which_names_changed_a_moment_ago_is_looked_at_again(desk: Desk) -> None:
    fill(desk.folder, {"a/1": "1", "a/2": "2", "b/3": "3"})
    time.sleep(GRAIN_S)
    desk.look()
    desk.local.remember()
    (desk.folder / "a/1").unlink()
    for _ in range(2):
        assert "a" in desk.look()
    time.sleep(GRAIN_S)
    desk.local.remember()
    assert desk.look() == []


def test_random_changes_are_all_found(desk: Desk) -> None:
    chance = random.Random(5)
    fill(desk.folder, {f"{n % 3}/{n % 7}/{n}": str(n) for n in range(40)})
    for round_ in range(60):
        for _ in range(chance.randrange(3)):
            files = [path for path in desk.folder.rglob("*") if path.is_file()]
            path = chance.choice(files)
            match chance.randrange(5):
                case 0:
                    path.write_text(chance.choice("ab") * path.stat().st_size)
                case 1:
                    path.unlink()
                case 2:
                    path.rename(path.with_name(f"r{round_}"))
                case 3:
                    fill(desk.folder, {f"{chance.randrange(3)}/{chance.randrange(9)}/new{round_}": "n"})
                case 4:
                    to = desk.folder / str(chance.randrange(3)) / f"moved{round_}"
                    if path.parent != desk.folder and not to.is_relative_to(path.parent):
                        to.parent.mkdir(exist_ok=True)
                        path.parent.rename(to)
        desk.look()
        if chance.random() < 0.3:
            time.sleep(GRAIN_S)
            desk.local.remember()
