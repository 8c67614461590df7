"""Names that the folder's disk takes for one, on a real disk that does so: by case, by Unicode form, by both."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom_side import Colleague, Course, Publisher, add, everything, fill, git, until
from folding_disk import folding_disk

from syncd.core.entry import RelPath
from syncd.core.folding import Folding, fold
from syncd.core.settle import Due
from syncd.git.commits import Author
from syncd.git.trees import Item
from syncd.publisher.local import Local
from syncd.publisher.workspace import Workspace

pytestmark = pytest.mark.fuse

IDA, BEN = Author("Ida", "ida@example.org"), Author("Ben", "ben@example.org")
EVERYTHING = Due(frozenset(), True, frozenset())
NFC, NFD = "caf\u00e9.txt", "cafe\u0301.txt"


@pytest.fixture(params=["case", "form", "both"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def disk(tmp_path: Path, kind: str) -> Iterator[Path]:
    with folding_disk(tmp_path, kind) as disk:
        yield disk


class Two:
    """Ida's folder on such a disk; Ben commits into the same history, as if fetched."""

    def __init__(self, disk: Path, own: Path) -> None:
        self.disk = disk
        self.here = Workspace(disk, own, "main", IDA)
        self.local = Local(self.here)

    def ben(self, files: dict[str, str | None]) -> None:
        """Ben commits onto what is agreed, and it is taken in."""
        history = self.here.history
        edits: dict[RelPath, Item | None] = {}
        for name, content in files.items():
            blob = None if content is None else history.store_bytes(content.encode())
            edits[RelPath(name)] = None if blob is None else Item(0o100644, bytes.fromhex(blob))
        head = self.here.head
        tree = history.edited(history.tree_id(head), edits)
        self.local.take_in(history.commit([head] if head else [], tree, BEN, "by Ben"))

    def ida(self, files: dict[str, str | None], *, look: bool = True) -> None:
        """Ida saves files, or deletes them (None), and they are taken up: all, or those of which events tell."""
        for name, content in files.items():
            if content is None:
                (self.disk / name).unlink()
            else:
                fill(self.disk, {name: content})
        paths = frozenset(map(RelPath, files))
        self.local.take_up(EVERYTHING if look else Due(paths, False, frozenset()), agreed=True)

    def tree(self) -> dict[str, str]:
        history = self.here.history
        files = history.files(history.tree_id(self.here.head))
        return {path: history.read(entry.blob).decode() for path, entry in files}

    def there(self) -> dict[str, str]:
        return {path: content.decode() for path, content in everything(self.disk).items()}


@pytest.fixture
def two(disk: Path, tmp_path: Path) -> Two:
    return Two(disk, tmp_path / "own")


def pair(kind: str) -> tuple[str, str]:
    return (NFC, NFD) if kind == "form" else ("lab.txt", "Lab.txt")


@pytest.mark.parametrize("events", [True, False])
def test_twin_of_theirs_is_carried_and_comes_to_light(two: Two, kind: str, events: bool) -> None:
    mine, theirs = pair(kind)
    two.ida({mine: "mine", "x": "x"})
    two.ben({theirs: "theirs"})
    assert two.there() == {mine: "mine", "x": "x"}
    assert two.tree() == {mine: "mine", theirs: "theirs", "x": "x"}
    looked = two.local.take_up(Due(frozenset({RelPath(theirs)}), not events, frozenset())).looked
    assert f"can't lie beside “{mine}”" in looked.left_out[RelPath(theirs)].sentence
    two.ida({mine: "edited"}, look=not events)
    assert two.tree() == {mine: "edited", theirs: "theirs", "x": "x"}
    two.ben({theirs: "theirs edited"})
    assert two.there() == {mine: "edited", "x": "x"}
    two.ida({mine: None}, look=not events)
    assert two.there() == {theirs: "theirs edited", "x": "x"} == two.tree()
    two.ida({theirs: None}, look=not events)
    assert two.there() == {"x": "x"} == two.tree()


def test_both_twins_of_theirs_one_is_there(two: Two, kind: str) -> None:
    one, other = sorted(pair(kind))
    two.ben({one: "one", other: "other", f"sub/{one}": "1", f"sub/{other}": "2"})
    assert two.there() == {one: "one", f"sub/{one}": "1"}
    two.ida({})
    assert len(two.tree()) == 4
    two.ben({one: None, f"sub/{one}": None, f"sub/{other}": "2, edited"})
    assert two.there() == {other: "other", f"sub/{other}": "2, edited"} == two.tree()
    two.ben({other: None, one: "renamed by Ben"})
    assert two.there() == {one: "renamed by Ben", f"sub/{other}": "2, edited"} == two.tree()


def test_twin_folders_are_not_mixed(two: Two, kind: str) -> None:
    mine, theirs = pair(kind)
    two.ida({f"{mine}/a": "a", "x": "x"})
    two.ben({f"{theirs}/a": "A", f"{theirs}/b/c": "C"})
    assert two.there() == {f"{mine}/a": "a", "x": "x"}
    two.ida({f"{mine}/d": "d"}, look=False)
    two.ida({})
    assert two.tree() == {f"{mine}/a": "a", f"{mine}/d": "d", f"{theirs}/a": "A", f"{theirs}/b/c": "C", "x": "x"}
    two.ben({f"{mine}/a": None, f"{mine}/d": None})
    assert two.there() == {f"{theirs}/a": "A", f"{theirs}/b/c": "C", "x": "x"} == two.tree()


@pytest.mark.parametrize("events", [True, False])
def test_file_renamed_by_case_alone_is_renamed(two: Two, kind: str, events: bool) -> None:
    mine, renamed = pair(kind)
    two.ida({mine: "mine", "x": "x"})
    (two.disk / mine).rename(two.disk / "between")
    (two.disk / "between").rename(two.disk / renamed)
    paths = frozenset(map(RelPath, (mine, "between", renamed)))
    two.local.take_up(Due(paths, not events, frozenset()))
    assert two.there() == {renamed: "mine", "x": "x"} == two.tree()


def ends(path: str) -> list[int]:
    return [at for at, letter in enumerate(path) if letter == "/"] + [len(path)]


def test_random_work_of_both_loses_nothing_hidden(two: Two, kind: str) -> None:
    chance = random.Random(11)
    folding = {"case": Folding.CASE, "form": Folding.FORM, "both": Folding.CASE | Folding.FORM}[kind]
    names = [f"{folder}{name}" for folder in ("", "a/", "A/") for name in (NFC, NFD, NFC.upper(), "n", "N", "m")]
    two.ida({"stays": "stays"})
    for round_ in range(50):
        there, before = two.there(), two.tree()
        assert there.items() <= before.items()
        hidden = before.keys() - there.keys()
        for path in hidden:
            parts = {fold(path[:end], folding) for end in ends(path)}
            assert any(fold(other[:end], folding) in parts for other in there for end in ends(other)), (path, there)
        name = chance.choice(names)
        text = f"{round_}"
        if chance.random() < 0.5:
            mine = [path for path in there if path != "stays"]
            gone = chance.choice(mine) if mine and chance.random() < 0.5 else None
            changes: dict[str, str | None] = {gone: None} if gone else {name: text}
            two.ida(changes, look=chance.random() < 0.5)
            two.ida({})
            after = two.tree()
            for path in hidden:
                assert after.get(path) == before[path] or gone, (round_, changes, path, before, after)
        else:
            theirs = {name: None if name in before and chance.random() < 0.5 else text}
            if any(path.startswith(name + "/") or name.startswith(path + "/") for path in before):
                continue
            two.ben(theirs)
            two.ida({})
            after = two.tree()
            assert after == {path: content for path, content in (before | theirs).items() if content is not None}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["both"])
async def test_colleague_and_publisher_with_twins(
    disk: Path, state: Path, course: Course, tmp_path: Path, kind: str
) -> None:
    fill(disk, {"lab.txt": "mine", NFC: "coffee", "x": "x"})
    await add(state, disk, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    async with Publisher(state) as publisher:
        await publisher.up_to_date()
        await asyncio.to_thread(colleague.push, {"Lab.txt": "theirs", NFD: "tea", "y": "y"})
        await publisher.steer("resume")
        await until(lambda: (disk / "y").exists())
        status = await publisher.up_to_date()
        fill(disk, {"lab.txt": "mine, edited"})
        await until(lambda: course.files()["lab.txt"] == b"mine, edited")
    whole = {"lab.txt": b"mine, edited", "Lab.txt": b"theirs", NFC: b"coffee", NFD: b"tea", "x": b"x", "y": b"y"}
    assert course.files() == whole
    async with Publisher(state) as publisher:
        status = await publisher.up_to_date()
        assert {each["path"] for each in status["left_out"]} == {"Lab.txt", NFD}
        assert course.files() == whole
        (disk / "lab.txt").unlink()
        await until(lambda: "lab.txt" not in course.files())
        assert course.files() == {name: content for name, content in whole.items() if name != "lab.txt"}
        assert (disk / "Lab.txt").read_bytes() == b"theirs"
        await publisher.until(lambda now: [each["path"] for each in now["left_out"]] == [NFD])
        await publisher.up_to_date()
    git(colleague.place, "pull", "-q", "--rebase", "origin", "main")
    assert everything(colleague.place) == course.files()
