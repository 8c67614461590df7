"""MERGE_SPEC I1-I6 and I10: the instructor's folder and a colleague with plain git change the same files."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from classroom_side import Colleague, Course, Publisher, add, everything, fill, git, until

from syncd.demo.gitserver import GitServer
from syncd.folder import place

pytestmark = pytest.mark.slow


BASE: dict[str, str | bytes] = {
    "a.txt": "one\ntwo\nthree\nfour\nfive\n",
    "b.txt": "b\n",
    "lab/c.txt": "c\n",
    "data.bin": b"\0\1\2",
}


class Both:
    """A folder whose publisher is paused while both sides change it, and then meets the colleague's work."""

    def __init__(self, folder: Path, course: Course, colleague: Colleague, publisher: Publisher) -> None:
        self.folder, self.course, self.colleague, self.publisher = folder, course, colleague, publisher

    async def change(
        self, mine: dict[str, str | bytes | None], theirs: dict[str, str | bytes | None], *, when: str | None = None
    ) -> None:
        await self.publisher.steer("pause")
        for name, content in mine.items():
            if content is None:
                (self.folder / name).unlink()
            else:
                fill(self.folder, {name: content})
        await asyncio.to_thread(lambda: self.colleague.push(theirs, when=when))

    async def committed(self, path: str) -> None:
        """Wait until the folder's commit, which nobody gets yet, has a file at this path."""

        def is_in() -> bool:
            [own] = (self.publisher.state / "folders").iterdir()
            return path in git(own / "history.git", "ls-tree", "-r", "--name-only", "main").decode().splitlines()

        await until(is_in)

    async def meet(self) -> dict[str, bytes]:
        await self.publisher.steer("resume")
        await until(
            lambda: self.course.files() == everything(self.folder),
            why=lambda: (self.course.files(), everything(self.folder)),
        )
        status = await self.publisher.up_to_date()
        assert status["commit"] == self.course.head()
        await asyncio.to_thread(self.colleague.push, {"later.txt": "the colleague can go on with plain git"})
        return {k: v for k, v in everything(self.folder).items() if k != "later.txt"}


@pytest.fixture
async def both(state: Path, folder: Path, course: Course, tmp_path: Path) -> AsyncIterator[Both]:
    fill(folder, BASE)
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        yield Both(folder, course, colleague, publisher)


def without(*names: str) -> dict[str, bytes]:
    return {k: v if isinstance(v, bytes) else v.encode() for k, v in BASE.items() if k not in names}


async def test_i1_an_edit_on_one_side_is_on_both(both: Both) -> None:
    await both.change({"b.txt": "mine\n", "new": "n"}, {"lab/c.txt": "theirs\n", "data.bin": None})
    files = await both.meet()
    assert files == without("b.txt", "lab/c.txt", "data.bin") | {
        "b.txt": b"mine\n",
        "new": b"n",
        "lab/c.txt": b"theirs\n",
    }


async def test_i2_edits_apart_are_merged(both: Both) -> None:
    await both.change({"a.txt": "ONE\ntwo\nthree\nfour\nfive\n"}, {"a.txt": "one\ntwo\nthree\nfour\nFIVE\n"})
    assert await both.meet() == without("a.txt") | {"a.txt": b"ONE\ntwo\nthree\nfour\nFIVE\n"}
    assert not both.course.messages()[1].startswith("Merge branch")


@pytest.mark.parametrize("newer", ["mine", "theirs"])
async def test_i3_edits_of_the_same_place_are_both_kept(both: Both, newer: str) -> None:
    when = "2020-01-01T00:00:00Z" if newer == "mine" else "2035-01-01T00:00:00Z"
    await both.change({"data.bin": b"\0mine"}, {"data.bin": b"\0theirs"}, when=when)
    files = await both.meet()
    assert files["data.bin"] == (b"\0mine" if newer == "mine" else b"\0theirs")
    [copy] = files.keys() - BASE.keys()
    assert "conflicted copy" in copy and copy.endswith(".bin")
    assert files[copy] == (b"\0theirs" if newer == "mine" else b"\0mine")


@pytest.mark.parametrize("deletes", ["mine", "theirs"])
async def test_i4_an_edit_beats_a_deletion(both: Both, deletes: str) -> None:
    if deletes == "mine":
        await both.change({"b.txt": None}, {"b.txt": "edited\n"})
    else:
        await both.change({"b.txt": "edited\n"}, {"b.txt": None})
    assert await both.meet() == without("b.txt") | {"b.txt": b"edited\n"}


@pytest.mark.parametrize("same", [True, False])
async def test_i5_files_of_the_same_name_are_both_kept_unless_they_are_equal(both: Both, same: bool) -> None:
    await both.change({"new/x": "mine"}, {"new/x": "mine" if same else "theirs"})
    files = await both.meet()
    new = {name: files[name] for name in files.keys() - BASE.keys()}
    assert sorted(new.values()) == ([b"mine"] if same else [b"mine", b"theirs"])
    assert "new/x" in new


@pytest.mark.parametrize("folder_is", ["mine", "theirs"])
async def test_i6_a_folder_keeps_the_name_and_the_file_goes_beside(both: Both, folder_is: str) -> None:
    if folder_is == "mine":
        await both.change({"thing/x": "in the folder"}, {"thing": "the file"})
    else:
        await both.change({"thing": "the file"}, {"thing/x": "in the folder"})
    files = await both.meet()
    assert files["thing/x"] == b"in the folder"
    [copy] = files.keys() - BASE.keys() - {"thing/x"}
    assert files[copy] == b"the file" and copy.startswith("thing (")


async def test_files_and_folders_swap_on_their_side(both: Both) -> None:
    await both.change({}, {"b.txt": None, "b.txt/inside": "x", "lab/c.txt": None, "lab": "now a file"})
    assert await both.meet() == without("b.txt", "lab/c.txt") | {"b.txt/inside": b"x", "lab": b"now a file"}


async def test_a_file_of_litter_in_the_way_is_put_beside(both: Both) -> None:
    fill(both.folder, {"out/.ipynb_checkpoints/x.ipynb": "my checkpoint"})
    await both.change({}, {"out": "their file"})
    files = await both.meet()
    assert files["out"] == b"their file"
    assert [p.read_text() for p in both.folder.glob("out (my copy*/.ipynb_checkpoints/x.ipynb")] == ["my checkpoint"]


async def test_what_is_not_for_the_folder_is_carried_along(both: Both) -> None:
    """Submodules and tracked litter stay in the course, and never lie in the folder."""
    await both.change({"mine": "1"}, {".ipynb_checkpoints/c.ipynb": "tracked", "theirs": "2"})
    colleague = both.colleague.place
    head = both.course.head()
    assert head is not None
    await asyncio.to_thread(add_submodule, colleague, both.course, head)
    await both.publisher.steer("resume")
    await until(lambda: "mine" in both.course.files())
    await both.publisher.up_to_date()
    assert not (both.folder / ".ipynb_checkpoints").exists() and not (both.folder / "sub").exists()
    assert both.course.files()[".ipynb_checkpoints/c.ipynb"] == b"tracked"
    assert head in tree_of(both.course)
    fill(both.folder, {"mine": "again"})
    await until(lambda: both.course.files()["mine"] == b"again")
    assert head in tree_of(both.course) and ".ipynb_checkpoints/c.ipynb" in both.course.files()


def add_submodule(colleague: Path, course: Course, commit: str) -> None:
    git(colleague, "update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    git(colleague, "commit", "-q", "-m", "A submodule")
    git(colleague, "push", "-q", str(course.path), "HEAD:main")


def tree_of(course: Course) -> str:
    return git(course.path, "ls-tree", "-r", "main").decode()


async def test_i10_somebody_is_faster_again_and_again(both: Both) -> None:
    """Both sides push all the time; every line of both is there in the end, and nobody used force."""

    async def type_away() -> None:
        for n in range(12):
            fill(both.folder, {f"mine{n}.txt": f"m{n}", "b.txt": f"mine {n}\n"})
            await asyncio.sleep(0.15)

    before = both.course.head()
    await asyncio.gather(type_away(), asyncio.to_thread(push_away_surely, both))
    await both.publisher.say("/v1/hint")
    await until(lambda: both.course.files() == everything(both.folder))
    files = everything(both.folder)
    assert {f"mine{n}.txt" for n in range(12)} | {f"theirs{n}.txt" for n in range(12)} <= files.keys()
    assert files["b.txt"] == b"mine 11\n" and files["lab/c.txt"] == b"theirs 11\n"
    assert before is not None and before in history(both.course)


def push_away_surely(both: Both) -> None:
    for n in range(12):
        fill(both.colleague.place, {f"theirs{n}.txt": f"t{n}", "lab/c.txt": f"theirs {n}\n"})
        git(both.colleague.place, "add", "-A")
        git(both.colleague.place, "commit", "-q", "-m", f"Theirs {n}")
        for _ in range(50):
            try:
                git(both.colleague.place, "pull", "-q", "--no-rebase", "origin", "main")
                git(both.colleague.place, "push", "-q", str(both.course.path), "HEAD:main")
                break
            except subprocess.CalledProcessError:
                continue


def history(course: Course) -> str:
    return git(course.path, "rev-list", "main").decode()


def save_in_between(both: Both, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The person saves a.txt when its new content is about to take its place; the list tells that it happened."""
    finish, saved = place.finish, list[bool]()

    def late(*arguments: Any, **more: Any) -> object:
        if not saved and arguments[1].path == "a.txt":
            saved.append(True)
            (both.folder / "a.txt.tmp").write_bytes(b"one\ntwo\nthree\nfour\nsaved in between\n")
            os.replace(both.folder / "a.txt.tmp", both.folder / "a.txt")
        return finish(*arguments, **more)

    monkeypatch.setattr(place, "finish", late)
    return saved


async def test_a_save_in_the_middle_of_a_merge_is_kept(
    both: Both, monkeypatch: pytest.MonkeyPatch, server: GitServer
) -> None:
    """The person saves the very file that is being replaced, after it was looked at."""
    saved = save_in_between(both, monkeypatch)
    await both.change({}, {"a.txt": "theirs\ntwo\nthree\nfour\nfive\n", "b.txt": "B\n"})
    files = await both.meet()
    assert saved
    assert files["a.txt"] == b"theirs\ntwo\nthree\nfour\nsaved in between\n" and files["b.txt"] == b"B\n"


async def test_a_merge_that_is_made_again_puts_nothing_beside_twice(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save comes in between after the copies are made: the merge is planned anew, and finds them."""
    saved = save_in_between(both, monkeypatch)
    await both.change(
        {"data.bin": b"\0mine", "clash": "my file"},
        {"data.bin": b"\0theirs", "clash/x": "their folder", "a.txt": "theirs\ntwo\nthree\nfour\nfive\n"},
        when="2020-01-01T00:00:00Z",
    )
    files = await both.meet()
    assert saved
    copies = {name: content for name, content in files.items() if "conflicted copy" in name}
    assert sorted(copies.values()) == [b"\0theirs", b"my file"], copies


@pytest.mark.parametrize("ours", [True, False])
async def test_i11_a_rename_meets_an_edit(both: Both, ours: bool) -> None:
    """Whoever renames, the other's edit comes along; and both go on under the new name."""
    renamed, edited = {"a.txt": None, "sub/n.txt": BASE["a.txt"]}, {"a.txt": "one\ntwo\nthree\nfour\nEDITED\n"}
    await both.change(*((renamed, edited) if ours else (edited, renamed)))
    if ours:
        await both.committed("sub/n.txt")
    files = await both.meet()
    assert files == without("a.txt") | {"sub/n.txt": b"one\ntwo\nthree\nfour\nEDITED\n"}
    await both.change({"sub/n.txt": "ONE\ntwo\nthree\nfour\nEDITED\n"}, {"b.txt": "go on\n"})
    await both.publisher.steer("resume")
    await until(lambda: both.course.files() == everything(both.folder))
    assert everything(both.folder)["sub/n.txt"] == b"ONE\ntwo\nthree\nfour\nEDITED\n"


@pytest.mark.parametrize("ours", [True, False])
async def test_i13_a_folder_that_one_renames_keeps_what_the_other_does_in_it(both: Both, ours: bool) -> None:
    renamed = {"lab/c.txt": None, "labs/c.txt": BASE["lab/c.txt"]}
    edited: dict[str, str | bytes | None] = {"lab/new/d.txt": "new\n", "b.txt": "B\n"}
    await both.change(*((renamed, edited) if ours else (edited, renamed)))
    await both.committed("labs/c.txt" if ours else "lab/new/d.txt")
    files = await both.meet()
    assert files == without("lab/c.txt", "b.txt") | {"labs/c.txt": b"c\n", "labs/new/d.txt": b"new\n", "b.txt": b"B\n"}
    assert [each for each in (both.folder / "lab").rglob("*")] == []
