"""`syncd add`: everything is checked first, one sentence says what is wrong, and nothing is lost."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from classroom_side import READ_TOKEN, TOKEN, Course, Publisher, add, everything, fill, git, until

from syncd.core.errors import NeedsUser, TryAgain
from syncd.demo.gitserver import GitServer
from syncd.publisher.add import add_folder, make_folder
from syncd.publisher.registry import Folder, Registry

pytestmark = pytest.mark.slow


def publish(course: Course, place: Path, files: dict[str, str | bytes], branch: str = "main") -> None:
    place.mkdir()
    git(place, "init", "-q", "-b", branch)
    fill(place, files)
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "Start")
    git(place, "push", "-q", str(course.path), branch)


async def refused(state: Path, folder: Path, url: str, words: str, branch: str | None = None, **more: bool) -> None:
    before = everything(folder) if folder.is_dir() else None
    with pytest.raises(NeedsUser, match=words) as problem:
        await add(state, folder, url, branch, **more)
    assert "\n" not in str(problem.value) and TOKEN not in str(problem.value)
    assert Registry(state).folders() == ()
    assert list((state / "folders").glob("*")) == []
    if before is not None:
        assert everything(folder) == before


async def test_an_empty_folder_gets_the_course(state: Path, tmp_path: Path, course: Course) -> None:
    files: dict[str, str | bytes] = {"lab/a.ipynb": "{}", "big.bin": os.urandom(5 << 20), "run.sh": "#!/bin/sh"}
    await asyncio.to_thread(publish, course, tmp_path / "start", files)
    folder = tmp_path / "not there yet" / "folder"
    sentence = await add(state, folder, course.url)
    assert "3 files." in sentence and str(folder) in sentence
    assert everything(folder) == course.files()
    [listed] = Registry(state).folders()
    assert (listed.path, listed.remote, listed.branch) == (folder, course.url, "main")
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
    assert course.messages() == ["Start"]


async def test_nothing_is_said_to_be_held_back_that_the_remote_has(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    key = "token = 'ghp" + "_0123456789abcdefghijABCDEFGHIJ012345'\n"
    await asyncio.to_thread(publish, course, tmp_path / "start", {"key.py": key, "other.py": "x\n"})
    fill(folder, {"key.py": key, "other.py": key})
    sentence = await add(state, folder, course.url, merge=True)
    assert "“key.py”" not in sentence and "holds a key or token" in sentence
    [copy] = folder.glob("other (my copy *).py")
    assert copy.name in sentence


async def test_an_empty_remote_gets_the_folder(state: Path, folder: Path, course: Course) -> None:
    fill(folder, {"a": "1", ".DS_Store": "litter", "broken.ipynb": "{"})
    sentence = await add(state, folder, course.url)
    assert "2 files published." in sentence
    assert course.files() == {"a": b"1", "broken.ipynb": b"{"}
    assert course.messages() == ["Add a and broken.ipynb"]


async def test_both_empty_wait_for_the_first_file(state: Path, folder: Path, course: Course) -> None:
    assert "what you put there is published" in await add(state, folder, course.url, "lectures")
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"a": "1"})
        await until(lambda: course.files("lectures") == {"a": b"1"})


async def test_the_same_content_on_both_sides_is_adopted(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    await asyncio.to_thread(publish, course, tmp_path / "start", {"a": "1", "b/c": "2"})
    fill(folder, {"a": "1", "b/c": "2"})
    await add(state, folder, course.url)
    assert course.messages() == ["Start"] and everything(folder) == course.files()


async def test_a_first_download_that_was_cut_off_goes_on(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    await asyncio.to_thread(publish, course, tmp_path / "start", {"a": "1", "b/c": "2"})
    fill(folder, {"a": "1", "b/.~syncd-new-0123": "half"})
    await add(state, folder, course.url)
    assert course.messages() == ["Start"] and (folder / "b/c").read_text() == "2"


async def test_other_content_on_both_sides_is_refused_or_united(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    await asyncio.to_thread(publish, course, tmp_path / "start", {"a": "theirs", "same": "s", "only theirs": "t"})
    fill(folder, {"a": "mine", "same": "s", "only mine": "m"})
    await refused(state, folder, course.url, "not empty.*--merge")
    sentence = await add(state, folder, course.url, merge=True)
    assert "both sides" in sentence
    files = everything(folder)
    assert files == course.files() and len(files) == 5
    assert {b"mine", b"theirs", b"s", b"m", b"t"} == set(files.values())
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
    assert len(course.messages()) == 3


async def test_bad_input_gets_one_sentence(
    state: Path, folder: Path, course: Course, tmp_path: Path, server: GitServer
) -> None:
    await asyncio.to_thread(publish, course, tmp_path / "start", {"a": "1"})
    await refused(state, folder, server.url("none"), "no repository")
    await refused(state, folder, course.url, "no branch “lectures”; it has main", "lectures")
    await refused(state, folder, course.url, "no name for a branch", "-x")
    await refused(state, folder, course.url, "no name for a branch", "a..b")
    await refused(state, folder, "ext::sh -c true", "refuse")
    fill(tmp_path, {"file": "x"})
    await refused(state, tmp_path / "file", course.url, "file and not a folder")
    await refused(state, tmp_path / "file/below", course.url, "can't be made")
    await refused(state, state / "inside", course.url, "state of Synced Folders")
    await refused(state, tmp_path, course.url, "state of Synced Folders")


async def test_tokens_are_checked_before_anything_is_done(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    await asyncio.to_thread(publish, course, tmp_path / "start", {"a": "1"})
    for token, words in [
        ("wrong", "does not accept the token"),
        (READ_TOKEN, "may read .* but not write"),
        (None, "asks for a token"),
    ]:
        with pytest.raises(NeedsUser, match=words):
            await asyncio.to_thread(add_folder, state, folder, course.url, None, token)
    assert everything(folder) == {} and not (state / "tokens.json").exists()


async def test_no_network_is_said_and_nothing_is_kept(state: Path, folder: Path) -> None:
    with pytest.raises(TryAgain, match="can't be reached"):
        await add(state, folder, "http://127.0.0.1:9/course.git")
    assert Registry(state).folders() == ()


async def test_folders_in_each_other_are_refused(
    state: Path, folder: Path, course: Course, server: GitServer, tmp_path: Path
) -> None:
    (folder / "inner").mkdir()
    fill(tmp_path, {"outer/own/x": "1"})
    await add(state, folder, course.url)
    second = server.create("second")
    with pytest.raises(NeedsUser, match="synced already, with"):
        await add(state, folder, second)
    with pytest.raises(NeedsUser, match="lies in"):
        await add(state, folder / "inner", second)
    await add(state, tmp_path / "outer/own", second)
    with pytest.raises(NeedsUser, match=r"holds .*/outer/own"):
        await add(state, tmp_path / "outer", server.create("third"))


async def test_a_folder_may_be_added_while_the_publisher_runs(
    state: Path, folder: Path, course: Course, server: GitServer, tmp_path: Path
) -> None:
    async with Publisher(state) as publisher:
        assert await publisher.folders() == []
        await add(state, folder, course.url)
        second = Course(server, "second")
        server.create("second")
        fill(tmp_path / "two", {"x": "1"})
        await add(state, tmp_path / "two", second.url)
        await publisher.until_folders(2)
        fill(folder, {"a": "1"})
        fill(tmp_path / "two", {"y": "2"})
        await until(lambda: course.files() == {"a": b"1"} and second.files() == {"x": b"1", "y": b"2"})
        registry = Registry(state)
        registry.remove(registry.find(str(folder)).id)
        await publisher.until_folders(1)
        assert everything(folder) == {"a": b"1"}


def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root, who runs this, may read everything
    with pytest.raises(NeedsUser, match="may not be read and written"):
        make_folder(tmp_path / "folder")


def test_the_list_of_folders_is_written_whole(state: Path, tmp_path: Path) -> None:
    registry = Registry(state)
    registry.add(Folder("1", tmp_path, "http://x/y", "main"))
    registry.add(Folder("2", tmp_path / "b", "http://x/z", "main"))
    registry.pause("2", True)
    assert [folder.paused for folder in Registry(state).folders()] == [False, True]
    assert Registry(state).find(str(tmp_path)).id == "1"
    with pytest.raises(NeedsUser, match="not a synced folder"):
        registry.find("3")
    assert json.loads((state / "folders.json").read_text())["folders"][0]["branch"] == "main"
