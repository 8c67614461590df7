"""A save's objects are written together: git finds them whole, and a failure leaves nothing half."""

import os
import subprocess
from io import BytesIO
from pathlib import Path

import pytest

from syncd.core.entry import Entry, Mode, RelPath
from syncd.core.errors import NeedsUser
from syncd.git import loose
from syncd.git.commits import Author, History
from syncd.git.trees import item_of

IDA = Author("Ida Ödegård", "ida@example.org")


def git(history: History, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(history.path), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def save(history: History, content: bytes) -> None:
    with history.together():
        entry = Entry(history.store_bytes(content), Mode.FILE)
        assert history.read(entry.blob) == content and history.has(entry.blob), "readable before it is on disk"
        with history.bulk():
            tree = history.edited(history.tree_id(history.head("main")), {RelPath("a/b/ü.txt"): item_of(entry)})
        head = history.head("main")
        made = history.commit([head] if head else [], tree, IDA, "Update ü.txt\n\nIn words", 1_700_000_000.5)
        assert not os.path.exists(history.path / "objects" / made[:2] / made[2:])
        history.set_head("main", made)


def test_git_reads_what_was_written_together(tmp_path: Path) -> None:
    history = History(tmp_path / "history.git")
    for content in (b"one\n", b"two\n", b""):
        save(history, content)
    git(history, "fsck", "--strict")
    assert (
        git(history, "log", "--format=%an <%ae> %at %B", "main").count("Ida Ödegård <ida@example.org> 1700000000") == 3
    )
    assert git(history, "show", "main~1:a/b/ü.txt") == "two\n"
    assert not list(history.path.rglob("tmp_object_*"))


def test_the_same_commit_is_made_as_by_libgit2(tmp_path: Path) -> None:
    ids = []
    for way in ("alone", "together"):
        history = History(tmp_path / way)
        tree = history.edited(None, {RelPath("a"): item_of(Entry(history.store_bytes(b"x"), Mode.EXECUTABLE))})
        if way == "together":
            with history.together():
                ids.append(history.commit([], tree, Author("<A>\n", "a@b"), "Wörds\n", 1_600_000_000))
        else:
            ids.append(history.commit([], tree, Author("<A>\n", "a@b"), "Wörds\n", 1_600_000_000))
    assert ids[0] == ids[1]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_no_object_and_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    history = History(tmp_path / "history.git")
    save(history, b"one\n")
    before, objects = history.head("main"), git(history, "count-objects")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(loose.os, call, fails)
        with pytest.raises(Exception, match="disk is full"):
            save(history, b"two\n")
    assert history.head("main") == before and git(history, "count-objects") == objects
    save(history, b"two\n")
    assert git(history, "show", "main:a/b/ü.txt") == "two\n"


def test_nothing_has_its_name_before_what_it_stands_for_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path / "history.git")
    save(history, b"one\n")
    branch = history.path / "refs/heads/main"
    on_disk: set[int] = set()
    waiting: set[int] = set()
    named: list[Path] = []
    fsync, replace = os.fsync, os.replace

    def flushed(fd: int) -> None:
        fsync(fd)
        on_disk.add(os.fstat(fd).st_ino)
        waiting.discard(os.fstat(fd).st_ino)

    def renamed(name: str, place: str) -> None:
        assert os.stat(name).st_ino in on_disk, "a name for what could be lost"
        assert Path(place) != branch or not waiting, "a branch of what could be lost"
        replace(name, place)
        named.append(Path(place))
        waiting.add(named[-1].parent.stat().st_ino)

    monkeypatch.setattr(loose.os, "fsync", flushed)
    monkeypatch.setattr(loose.os, "replace", renamed)
    save(history, b"two\n")
    assert named[-1] == branch and len(named) == len({*named}) == 1 + 3 + 1 + 1  # blob, trees, commit, branch
    assert not waiting
    assert git(history, "show", "main:a/b/ü.txt") == "two\n"


def test_a_save_that_takes_another_back_needs_no_second_copy(tmp_path: Path) -> None:
    history = History(tmp_path / "history.git")
    for content in (b"one\n", b"two\n"):
        save(history, content)
    objects = int(git(history, "count-objects").split()[0])
    save(history, b"one\n")
    assert int(git(history, "count-objects").split()[0]) == objects + 1  # the commit
    assert git(history, "show", "main:a/b/ü.txt") == "one\n"
    git(history, "fsck", "--strict")


def test_a_branch_that_somebody_else_is_moving_stays_where_it_is(tmp_path: Path) -> None:
    history = History(tmp_path / "history.git")
    save(history, b"one\n")
    before, lock = history.head("main"), history.path / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(NeedsUser, match="can't be written"):
        save(history, b"two\n")
    assert history.head("main") == before and lock.exists()
    lock.unlink()
    save(history, b"two\n")
    assert git(history, "show", "main:a/b/ü.txt") == "two\n"


@pytest.mark.parametrize("size", [(4 << 20) + 1, 9 << 20])
def test_a_large_content_is_written_piece_by_piece_and_git_reads_it(tmp_path: Path, size: int) -> None:
    history = History(tmp_path / "history.git")
    content = os.urandom(1000) + bytes(size - 1000)
    for _ in range(2):
        blob = history.store(BytesIO(content))
    assert history.has(blob) and history.size(blob) == size and history.read(blob) == content
    git(history, "fsck", "--strict")
    assert git(history, "cat-file", "-s", blob).strip() == str(size)
    assert not list(history.path.rglob("tmp_object_*"))


class Shrinking(BytesIO):
    """A file that somebody empties after its first megabytes were read."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size) if self.tell() < 5 << 20 else b""


def test_a_large_file_that_becomes_shorter_while_it_is_read_leaves_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "history.git")
    with pytest.raises(ValueError, match="size changed"):
        history.store(Shrinking(bytes(9 << 20)))
    assert not [path for path in (history.path / "objects").rglob("*") if path.is_file()]
