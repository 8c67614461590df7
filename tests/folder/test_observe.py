"""Looking at a folder: what is seen, what is read, what can't be told."""

import os
import sqlite3
import subprocess
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from contents import fill, make_deep

from syncd.core.entry import BlobId, Mode, RelPath
from syncd.core.ignore import ignored
from syncd.folder import hash as hashing
from syncd.folder.hash import Unsettled, blob_id, hash_file, stream_id
from syncd.folder.observe import observe, observe_file
from syncd.folder.root import Gone, Root
from syncd.folder.scan import StatId, scan
from syncd.folder.statcache import StatCache, racy


class Reader:
    """Counts what is read."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, source: BinaryIO) -> BlobId:
        self.read += 1
        content = source.read()
        return blob_id(content)


def test_files_links_and_modes_are_seen_and_nothing_else(folder: Path, root: Root, cache: StatCache) -> None:
    fill(folder, {"a.txt": "a", "lab/b.ipynb": "{}", "lab/.ipynb_checkpoints/b.ipynb": "{}", ".git/config": "x"})
    fill(folder, {"lab/.~syncd-new-1": "half", "~$plan.docx": "lock"})
    (folder / "empty").mkdir()
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("lab")
    (folder / "out").symlink_to("/etc")
    os.mkfifo(folder / "fifo")
    seen = observe(root, cache, ignored).tree()
    assert {path: entry.mode for path, entry in seen.items()} == {
        "a.txt": Mode.FILE,
        "lab/b.ipynb": Mode.FILE,
        "run": Mode.EXECUTABLE,
        "link": Mode.SYMLINK,
        "out": Mode.SYMLINK,
    }


def test_ids_are_those_of_git(folder: Path, root: Root, cache: StatCache) -> None:
    fill(folder, {"empty": "", "text": "één\n", "big": os.urandom(3 << 20)})
    (folder / "link").symlink_to("text")
    for path, entry in observe(root, cache, ignored).tree().items():
        command = ["git", "hash-object", "--stdin"]
        content = os.fsencode(os.readlink(folder / path)) if entry.is_link else (folder / path).read_bytes()
        assert subprocess.check_output(command, input=content).decode().strip() == entry.blob


def test_unchanged_files_are_not_read_again(folder: Path, root: Root, cache: StatCache) -> None:
    fill(folder, {f"{n % 7}/{n}": str(n) for n in range(100)})
    reader = Reader()
    first = observe(root, cache, ignored, keep=reader)
    assert reader.read == 100
    (folder / "3/3").write_text("new")
    second = observe(root, cache, ignored, keep=reader)
    assert reader.read == 101
    assert second.files.keys() == first.files.keys()
    assert second.files[RelPath("3/3")].entry.blob == blob_id(b"new")


def test_a_file_hashed_within_the_clocks_grain_is_read_again(folder: Path, root: Root, tmp_path: Path) -> None:
    cache = StatCache(tmp_path / "own.sqlite")  # the real clock: the file is brand-new when it is hashed
    fill(folder, {"a": "1"})
    reader = Reader()
    observe(root, cache, ignored, keep=reader)
    observe(root, cache, ignored, keep=reader)
    assert reader.read == 2
    cache.close()


@pytest.mark.parametrize(
    ("mtime", "ctime", "hashed", "expected"),
    [
        (1_000_000_001, 1_000_000_001, 1_000_000_001, True),
        (1_000_000_001, 1_000_000_001, 1_200_000_000, False),
        (1_000_000_000, 1_000_000_000, 1_200_000_000, True),  # whole seconds: a coarse clock
        (1_000_000_000, 1_000_000_000, 3_000_000_000, False),
        (1, 1_000_000_001, 1_010_000_000, True),  # an old time put on a fresh file
        (9_000_000_001, 1_000_000_001, 1_500_000_000, True),  # a time in the future
    ],
)
def test_fresh_files_are_racy(mtime: int, ctime: int, hashed: int, expected: bool) -> None:
    assert racy(StatId(1, mtime, ctime, 1), hashed) is expected


def test_same_size_and_time_but_another_file_is_noticed(folder: Path, root: Root, cache: StatCache) -> None:
    fill(folder, {"a": "one"})
    observe(root, cache, ignored)
    before = (folder / "a").stat()
    fill(folder, {"b": "two"})
    os.utime(folder / "b", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(folder / "b", folder / "a")
    assert observe_file(root, cache, RelPath("a")).files[RelPath("a")].entry.blob == blob_id(b"two")


def test_a_file_that_changes_while_it_is_read_is_unsettled(folder: Path, root: Root, cache: StatCache) -> None:
    fill(folder, {"a": "one"})

    def keep(source: BinaryIO) -> BlobId:
        content = source.read()
        with open(folder / "a", "ab") as more:
            more.write(b" and more")
        return blob_id(content)

    with pytest.raises(Unsettled):
        hash_file(root, RelPath("a"), keep)
    out = observe_file(root, cache, RelPath("a"), keep)
    assert out.unsettled == {"a"} and not out.knows(RelPath("a"))


def test_a_file_replaced_while_it_is_read_is_unsettled(folder: Path, root: Root) -> None:
    fill(folder, {"a": "one"})

    def keep(source: BinaryIO) -> BlobId:
        (folder / "new").write_text("two")
        os.replace(folder / "new", folder / "a")
        return blob_id(source.read())

    with pytest.raises(Unsettled):
        hash_file(root, RelPath("a"), keep)


@pytest.mark.parametrize("content", [b"12", b"1234"])
def test_a_stream_of_another_size_has_no_id(content: bytes) -> None:
    with pytest.raises(ValueError, match="size"):
        stream_id(BytesIO(content), 3)


def test_large_files_are_read_in_pieces(folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_PIECE", 1000)
    content = os.urandom(12_345)
    fill(folder, {"a": content})
    assert hash_file(root, RelPath("a")).entry.blob == blob_id(content)


def test_deleted_files_are_gone_from_the_cache_too(folder: Path, root: Root, cache: StatCache) -> None:
    fill(folder, {"a": "1", "b": "2", "lab/c": "3"})
    observe(root, cache, ignored)
    (folder / "a").unlink()
    (folder / "lab/c").unlink()
    assert set(observe(root, cache, ignored).files) == {"b"}
    assert cache.get(RelPath("a")) is None and cache.get(RelPath("lab/c")) is None
    assert cache.get(RelPath("b")) is not None


def test_names_that_are_not_text_survive_the_cache(folder: Path, root: Root, cache: StatCache) -> None:
    name = os.fsdecode(b"caf\xe9\n.txt")
    fill(folder, {name: "x", "lab \U0001f600/é": "y"})
    reader = Reader()
    for _ in range(2):
        assert set(observe(root, cache, ignored, keep=reader).files) == {name, "lab \U0001f600/é"}
    assert reader.read == 2


def test_a_damaged_cache_is_replaced(tmp_path: Path, folder: Path, root: Root) -> None:
    path = tmp_path / "bad.sqlite"
    path.write_bytes(b"not a database at all" * 400)
    fill(folder, {"a": "1"})
    cache = StatCache(path)
    assert set(observe(root, cache, ignored).files) == {"a"}
    cache.close()
    assert sqlite3.connect(path).execute("SELECT count(*) FROM file").fetchone() == (1,)


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Gone, match="not there"):
        Root(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(Gone, match="choose a folder"):
        Root(tmp_path / "file")


def test_a_folder_put_in_place_of_ours_is_noticed(tmp_path: Path, folder: Path, root: Root) -> None:
    fill(folder, {"a": "1"})
    assert root.still_there()
    folder.rename(tmp_path / "elsewhere")
    assert not root.still_there()
    folder.mkdir()
    assert not root.still_there()


@pytest.mark.root
def test_another_disk_below_is_reported_and_not_taken_for_deleted(folder: Path, root: Root, cache: StatCache) -> None:
    fill(folder, {"a": "1", "data/b": "2"})
    observe(root, cache, ignored)
    subprocess.check_call(["mount", "-t", "tmpfs", "none", folder / "data"])
    try:
        out = observe(root, cache, ignored)
    finally:
        subprocess.check_call(["umount", folder / "data"])
    assert set(out.files) == {"a"}
    assert "Another disk" in out.unread[RelPath("data")].sentence
    assert not out.knows(RelPath("data/b")) and out.knows(RelPath("c"))


@pytest.mark.parametrize(("name", "levels"), [("x" * 200, 40), ("x", 140)])
def test_a_very_deep_tree_is_reported_and_the_rest_is_seen(folder: Path, root: Root, name: str, levels: int) -> None:
    make_deep(folder, name, levels)
    fill(folder, {"a": "1"})
    listings = list(scan(root, ignored))
    assert [seen.path for listing in listings for seen in listing.files] == ["a"]
    assert sum(len(listing.unread) for listing in listings) == 1


def test_litter_is_ignored_wherever_it_lies() -> None:
    litter = [".git", ".GIT/config", "a/.ipynb_checkpoints/b", "__pycache__/x.pyc", ".DS_Store", "Thumbs.db"]
    litter += ["~$a.docx", ".~lock.a#", "a/.x.swp", ".nfs0001", "desktop.ini", ".~syncd-old-1-a", "._a"]
    work = ["a.ipynb", ".gitignore", "git", "a/.github/b", "checkpoints", "thumbs", "~a", ".env.example", "swp"]
    assert [path for path in litter if not ignored(RelPath(path))] == []
    assert [path for path in work if ignored(RelPath(path))] == []
