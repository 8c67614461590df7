"""MERGE_SPEC I11-I13: renamed on one side and edited on the other is one file, as git makes it where git can."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from classroom_side import GIT, everything, fill, git
from test_publisher_kills import EVERYTHING, Desk

from syncd.core.entry import CommitId, RelPath
from syncd.git.commits import Author
from syncd.publisher.merge import Merge, merge
from syncd.publisher.workspace import Workspace

Files = dict[str, bytes]
LATER = {"GIT_COMMITTER_DATE": "2035-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2035-01-01T00:00:00Z"}
EARLIER = {"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}


def text(first: str = "", last: str = "") -> bytes:
    lines = [f"line {n} of the notes\n" for n in range(12)]
    lines[1] = first + lines[1]
    lines[10] = last + lines[10]
    return "".join(lines).encode()


def notebook(first: str = "", last: str = "") -> bytes:
    cells = [
        {"cell_type": "markdown", "id": f"c{n}", "metadata": {}, "source": [f"Question {n}\n", "Explain.\n"]}
        for n in range(9)
    ]
    cells[1]["source"] = [first, *cells[1]["source"]] if first else cells[1]["source"]
    cells[7]["source"] = [last, *cells[7]["source"]] if last else cells[7]["source"]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode() + b"\n"


class Two:
    """A base, and two commits that go on from it, in the history of a folder and in a clone of git's."""

    def __init__(self, place: Path) -> None:
        self.folder, self.clone = place / "folder", place / "clone"
        self.folder.mkdir()
        self.here = Workspace(self.folder, place / "own", "main", Author("Ida", "ida@example.org"))
        git(place, "init", "-q", "-b", "main", "clone")

    def commits(self, base: Files, mine: Files, theirs: Files, *, theirs_is_newer: bool = False) -> Merge:
        """The merge that the folder would be given."""
        first = self._commit(base, {})
        git(self.clone, "checkout", "-q", "-b", "theirs")
        yours = self._commit(theirs, LATER if theirs_is_newer else EARLIER)
        git(self.clone, "checkout", "-q", "main")
        self._commit(mine, {})
        own = str(self.here.history.path)
        git(self.clone, "push", "-q", own, "main", "theirs:refs/remotes/origin/main")
        fill(self.folder, mine)
        with self.here as here:
            return merge(here, yours, first, datetime(2026, 11, 22, 14, 3))

    def _commit(self, files: Files, env: dict[str, str]) -> CommitId:
        if self._tracked():
            git(self.clone, "rm", "-q", "-r", ".")
        fill(self.clone, files)
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", "As it is now", env=env)
        return CommitId(git(self.clone, "rev-parse", "HEAD").decode().strip())

    def _tracked(self) -> bytes:
        return git(self.clone, "ls-files")

    def by_git(self) -> Files:
        """What git's own merge makes of it; an error if git asks a person."""
        git(self.clone, "-c", "merge.directoryRenames=true", "merge", "-q", "-m", "Merge", "theirs")
        return {os.fsdecode(name): (self.clone / os.fsdecode(name)).read_bytes() for name in self._names()}

    def git_gives_up(self) -> bool:
        command = ["git", "-c", "merge.directoryRenames=true", "merge", "-q", "theirs"]
        return subprocess.run(command, cwd=self.clone, env=GIT, capture_output=True).returncode != 0

    def _names(self) -> list[bytes]:
        return git(self.clone, "ls-files", "-z").split(b"\0")[:-1]

    def files(self, commit: CommitId) -> Files:
        history = self.here.history
        return {path: history.read(entry.blob) for path, entry in history.files(history.tree_id(commit))}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    made = Two(tmp_path)
    yield made
    made.here.close()


D = {"d/a.md": text(), "d/b.md": b"b\n" * 9, "d/s/c.md": b"c\n" * 9, "other": b"o\n"}
E_ = {"e/a.md": text(), "e/b.md": b"b\n" * 9, "e/s/c.md": b"c\n" * 9, "other": b"o\n"}

AS_GIT: dict[str, tuple[Files, Files, Files]] = {
    "I rename, they edit": ({"a.md": text()}, {"m.md": text()}, {"a.md": text(last="their ")}),
    "they rename, I edit": ({"a.md": text()}, {"a.md": text("my ")}, {"n.md": text()}),
    "I rename and edit, they edit": ({"a.md": text()}, {"m.md": text("my ")}, {"a.md": text(last="their ")}),
    "they rename and edit, I edit": ({"a.md": text()}, {"a.md": text("my ")}, {"x/n.md": text(last="their ")}),
    "both give the same name": ({"a.md": text()}, {"n.md": text("my ")}, {"n.md": text(last="their ")}),
    "I rename a notebook": (
        {"lab.ipynb": notebook()},
        {"lab 1.ipynb": notebook("mine\n")},
        {"lab.ipynb": notebook(last="theirs\n")},
    ),
    "they rename a notebook": (
        {"lab.ipynb": notebook()},
        {"lab.ipynb": notebook("mine\n")},
        {"labs/lab01.ipynb": notebook(last="theirs\n")},
    ),
    "I rename a folder": (D, {**E_, "e/a.md": text("my ")}, {**D, "d/a.md": text(last="their "), "d/new.md": b"new\n"}),
    "they rename a folder": (
        D,
        {**D, "d/a.md": text("my "), "d/new.md": b"new\n", "d/s/new.md": b"new too\n"},
        {**E_, "e/a.md": text(last="their ")},
    ),
    "they rename, I rename another": (
        {"a.md": text(), "b.md": b"b\n" * 9},
        {"a.md": text("my "), "c.md": b"b\n" * 9},
        {"n.md": text(), "b.md": b"b\n" * 9 + b"more\n"},
    ),
    "I delete what they rename": ({"a.md": text(), "b": b"b"}, {"b": b"b"}, {"a.md": text(), "b": b"B"}),
}


@pytest.mark.parametrize("case", AS_GIT)
def test_a_rename_and_an_edit_give_what_git_gives(two: Two, case: str) -> None:
    made = two.commits(*AS_GIT[case])
    assert two.files(made.commit) == two.by_git()


def test_edits_lead_from_the_folder_to_the_merge(two: Two) -> None:
    """What is put into the folder is what the commit changes there, no more."""
    made = two.commits(*AS_GIT["I rename a folder"])
    history = two.here.history
    changes = history.changes(made.ours, made.commit)
    assert made.edits == {path: change.now for path, change in changes.items()}


def test_where_both_rename_my_name_stays_and_it_is_one_file(two: Two) -> None:
    made = two.commits({"a.md": text()}, {"m.md": text("my ")}, {"n.md": text(last="their ")})
    assert two.git_gives_up()
    assert two.files(made.commit) == {"m.md": text("my ", "their ")}


def test_a_file_that_they_rename_in_the_folder_that_i_rename_has_my_name(two: Two) -> None:
    theirs = {name: it for name, it in D.items() if name != "d/a.md"} | {"d/n.md": text(last="their ")}
    made = two.commits(D, E_, theirs)
    assert two.git_gives_up()
    assert two.files(made.commit) == {**E_, "e/a.md": text(last="their ")}


def test_a_folder_that_both_rename_has_my_name(two: Two) -> None:
    theirs = {name.replace("e/", "f/"): it for name, it in E_.items()}
    made = two.commits(D, E_, {**theirs, "f/a.md": text(last="their ")})
    assert two.files(made.commit) == {**E_, "e/a.md": text(last="their ")}


@pytest.mark.parametrize("theirs_is_newer", [True, False])
@pytest.mark.parametrize("who", ["I rename", "they rename"])
def test_edits_of_the_same_line_are_both_kept_under_the_new_name(two: Two, who: str, theirs_is_newer: bool) -> None:
    old, new = {"a.md": text()}, "n.md"
    mine, theirs = text("my ", "only mine "), text("their ")
    made = two.commits(
        old,
        {new if who == "I rename" else "a.md": mine},
        {new if who == "they rename" else "a.md": theirs},
        theirs_is_newer=theirs_is_newer,
    )
    assert two.git_gives_up()
    files = two.files(made.commit)
    assert files.pop(new) == (text("their ", "only mine ") if theirs_is_newer else mine)
    [(beside, content)] = files.items()
    assert beside.startswith("n (conflicted copy, ") and content == (mine if theirs_is_newer else theirs)


@pytest.mark.parametrize("theirs_is_newer", [True, False])
def test_pictures_that_both_changed_are_both_kept_under_the_new_name(two: Two, theirs_is_newer: bool) -> None:
    picture = b"\0" + text()
    mine, theirs = picture + b"\0mine", picture + b"\0theirs"
    made = two.commits({"a.png": picture}, {"m.png": mine}, {"a.png": theirs}, theirs_is_newer=theirs_is_newer)
    files = two.files(made.commit)
    assert files.pop("m.png") == (theirs if theirs_is_newer else mine)
    assert list(files.values()) == [mine if theirs_is_newer else theirs]


def test_a_file_that_i_renamed_stays_when_they_delete_it(two: Two) -> None:
    made = two.commits({"a.md": text(), "b": b"b"}, {"m.md": text(), "b": b"b"}, {"b": b"b"})
    assert two.git_gives_up()
    assert two.files(made.commit) == {"m.md": text(), "b": b"b"}


def test_a_file_that_they_renamed_comes_though_i_deleted_it(two: Two) -> None:
    made = two.commits({"a.md": text(), "b": b"b"}, {"b": b"b"}, {"n.md": text("their "), "b": b"b"})
    assert two.files(made.commit) == {"n.md": text("their "), "b": b"b"}


def test_a_new_name_that_they_took_for_another_file_leaves_all_three_contents(two: Two) -> None:
    made = two.commits(
        {"a.md": text()}, {"m.md": text("my ")}, {"a.md": text(last="their "), "m.md": b"another file of theirs\n"}
    )
    assert {text("my "), text(last="their "), b"another file of theirs\n"} <= set(two.files(made.commit).values())


def test_a_new_file_of_theirs_stays_where_my_folder_has_one_of_that_name(two: Two) -> None:
    made = two.commits(D, {**E_, "e/new.md": b"mine\n"}, {**D, "d/new.md": b"theirs\n"})
    assert two.files(made.commit) == {**E_, "e/new.md": b"mine\n", "d/new.md": b"theirs\n"}


def test_a_new_file_of_theirs_takes_no_file_away_that_is_where_its_folder_would_be(two: Two) -> None:
    mine = {name: it for name, it in E_.items() if not name.startswith("e/s/")} | {"e/s": b"a file now\n"}
    made = two.commits(D, mine, {**D, "d/s/new.md": b"theirs\n"})
    assert {b"a file now\n", b"theirs\n"} <= set(two.files(made.commit).values())


@pytest.mark.parametrize("who", ["I rename", "they rename"])
def test_no_edit_follows_a_rename_out_of_what_is_for_staff(two: Two, who: str) -> None:
    """Whoever goes on in `private` did not mean to show it, though somebody shows what was there before."""
    base = {"private/exam.md": text(), "other": b"o"}
    shown = {"public/exam.md": text(), "other": b"o"}
    edited = {**base, "private/exam.md": text(last="the answer "), "private/new.md": b"for staff\n"}
    made = two.commits(base, *((shown, edited) if who == "I rename" else (edited, shown)))
    assert two.files(made.commit) == {**shown, **edited}


def test_a_large_file_is_renamed_without_being_read(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.publisher.merge._LARGEST_MERGED", 10)
    made = two.commits({"a.md": text()}, {"m.md": text()}, {"a.md": text(last="their ")})
    assert two.files(made.commit) == {"m.md": text(last="their ")}


def test_a_rename_that_is_still_settling_meets_their_edit(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    fill(desk.folder, {"a.md": text(), "b": b"b"})
    os.utime(desk.folder / "a.md", (1e9, 1e9))
    desk.local.take_up(EVERYTHING)
    theirs = desk.theirs({"a.md": text(last="their ")})
    (desk.folder / "a.md").rename(desk.folder / "m.md")
    desk.local.take_in(theirs, unsettled={RelPath("a.md"), RelPath("m.md")})
    assert everything(desk.folder) == {"m.md": text(last="their "), "b": b"b"}
    desk.here.close()
