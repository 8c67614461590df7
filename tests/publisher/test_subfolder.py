"""A part of a repository as the folder; several folders, of one repository and of several, at once."""

import asyncio
import random
from pathlib import Path

import pytest
from classroom_side import TOKEN, Colleague, Course, Publisher, add, everything, fill, git, until

from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser
from syncd.demo.gitserver import GitServer
from syncd.git.commits import Author, History
from syncd.git.trees import item_of
from syncd.publisher.add import add_folder

IDA = Author("Ida", "ida@example.org")


def below(files: dict[str, bytes], prefix: str) -> dict[str, bytes]:
    return {name.removeprefix(prefix): content for name, content in files.items() if name.startswith(prefix)}


def test_a_commit_of_a_subfolder_carries_the_rest_along(tmp_path: Path) -> None:
    whole = History(tmp_path / "h.git")

    def tree(files: dict[str, str]) -> bytes | None:
        blobs = {RelPath(name): whole.store_bytes(text.encode()) for name, text in files.items()}
        from syncd.core.entry import Entry, Mode

        return whole.edited(None, {name: item_of(Entry(blob, Mode.FILE)) for name, blob in blobs.items()})

    def files(commit: str | None) -> dict[str, str]:
        found = whole.files(whole.tree_id(commit))  # type: ignore[arg-type]
        return {name: whole.read(entry.blob).decode() for name, entry in found}

    part = History(tmp_path / "h.git", "a/b")
    first = whole.commit([], tree({"a/b/x": "1", "a/y": "2", "z": "3"}), IDA, "First")
    assert [name for name, _ in part.files(part.tree_id(first))] == ["x"]
    second = part.commit([first], tree({"n": "4"}), IDA, "Second")
    assert files(second) == {"a/b/n": "4", "a/y": "2", "z": "3"}
    gone = part.commit([second], None, IDA, "Gone")
    assert files(gone) == {"a/y": "2", "z": "3"} and part.tree_id(gone) is None
    theirs = whole.commit([second], tree({"a/b/n": "4", "z": "theirs"}), IDA, "Theirs")
    assert files(part.commit([gone, theirs], tree({"m": "5"}), IDA, "Both")) == {"a/b/m": "5", "z": "theirs"}
    alone = part.commit([], tree({"m": "5"}), IDA, "Alone")
    assert files(alone) == {"a/b/m": "5"} and files(part.commit([alone], None, IDA, "Nothing")) == {}


@pytest.mark.slow
async def test_a_folder_of_a_subfolder_changes_nothing_beside_it(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(tmp_path / "whole", {"site/index.md": "s", "materials/fa26/lab1": "1", "materials/sp26/old": "o"})
    git(tmp_path / "whole", "init", "-q", "-b", "main")
    git(tmp_path / "whole", "add", "-A")
    git(tmp_path / "whole", "commit", "-qm", "Begin")
    git(tmp_path / "whole", "push", "-q", str(course.path), "main")
    for wrong in ("../x", "a//b", ".git/x", "site/index.md", "site/index.md/below"):
        with pytest.raises(NeedsUser):
            await add(state, folder, course.url, subfolder=wrong)
    await add(state, folder, course.url, subfolder="/materials/fa26/")
    assert everything(folder) == {"lab1": b"1"}
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        fill(folder, {"lab2/a": "mine", "lab1": "2"})
        await until(lambda: below(course.files(), "materials/fa26/") == everything(folder))
        await asyncio.to_thread(colleague.push, {"site/index.md": "S", "materials/fa26/theirs": "t"})
        fill(folder, {"lab3": "mine at the same time"})
        await publisher.say("/v1/hint")
        await until(lambda: (folder / "theirs").exists())
        await until(lambda: below(course.files(), "materials/fa26/") == everything(folder))
        for name in ("lab1", "lab3", "theirs"):
            (folder / name).unlink()
        await until(lambda: below(course.files(), "materials/fa26/") == {"lab2/a": b"mine"})
        await publisher.up_to_date()
    assert {name: content for name, content in course.files().items() if "fa26" not in name} == {
        "site/index.md": b"S",
        "materials/sp26/old": b"o",
    }
    git(course.path, "fsck", "--strict")


@pytest.mark.slow
async def test_several_folders_of_one_repository_and_of_another_publish_at_once(
    state: Path, course: Course, server: GitServer, tmp_path: Path
) -> None:
    server.create("other")
    other = Course(server, "other")
    places = {name: tmp_path / name for name in ("one", "two", "three")}
    for name, place in places.items():
        fill(place, {"start": name})
        target = other.url if name == "three" else course.url
        where = "" if name == "three" else f"parts/{name}"
        await asyncio.to_thread(add_folder, state, place, target, None, TOKEN, subfolder=where, merge=True)
    chance = random.Random(5)
    async with Publisher(state):
        for n in range(12):
            fill(places[chance.choice(list(places))], {f"{n}.txt": str(n)})
            await asyncio.sleep(0.1)
        for name in ("one", "two"):
            await until(
                lambda name=name: below(course.files(), f"parts/{name}/") == everything(places[name]),  # type: ignore[misc]
                within=30,
            )
        await until(lambda: other.files() == everything(places["three"]))
    assert all(name.startswith(("parts/one/", "parts/two/")) for name in course.files())
