"""Placing content: atomic, never over a save that nobody knew of, never outside the folder."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest
from contents import everything, fill

from syncd.core.entry import Mode, RelPath
from syncd.core.ignore import ignored
from syncd.folder import place, rename
from syncd.folder.place import Meanwhile, discard, leftovers, move, remove, write
from syncd.folder.root import Dir, InTheWay, Root
from syncd.folder.scan import StatId, look

A = RelPath("lab/a.txt")


def stat_of(root: Root, path: str) -> StatId:
    seen = look(root, RelPath(path))
    assert seen is not None
    return seen.stat


def test_a_new_file_is_placed_with_its_folders(folder: Path, root: Root) -> None:
    seen = write(root, A, b"one", Mode.FILE, None)
    assert everything(folder) == {"lab/a.txt": b"one"}
    assert seen == look(root, A)


def test_a_file_is_replaced_whole_and_keeps_its_rights(folder: Path, root: Root) -> None:
    fill(folder, {A: "one"})
    (folder / A).chmod(0o640)
    with open(folder / A, "rb") as reader:
        seen = write(root, A, b"two", Mode.FILE, stat_of(root, A))
        assert reader.read() == b"one"
    assert everything(folder) == {"lab/a.txt": b"two"}
    assert (folder / A).stat().st_mode & 0o777 == 0o640
    assert seen == look(root, A)
    write(root, A, b"two", Mode.EXECUTABLE, seen.stat)
    assert (folder / A).stat().st_mode & 0o777 == 0o750


def test_links_are_placed_and_replaced(folder: Path, root: Root) -> None:
    write(root, A, b"../target", Mode.SYMLINK, None)
    assert os.readlink(folder / A) == "../target"
    write(root, A, b"text", Mode.FILE, stat_of(root, A))
    assert not (folder / A).is_symlink() and (folder / A).read_bytes() == b"text"
    write(root, A, b"away", Mode.SYMLINK, stat_of(root, A))
    remove(root, A, stat_of(root, A))
    assert list(folder.iterdir()) == []


def test_a_large_content_is_streamed(folder: Path, root: Root) -> None:
    write(root, A, lambda out: [out.write(b"x" * 1000) for _ in range(10)] and None, Mode.FILE, None)
    assert (folder / A).stat().st_size == 10_000


@pytest.mark.parametrize("expected", ["nothing", "an older one"])
def test_a_file_that_is_not_as_expected_stays(folder: Path, root: Root, expected: str) -> None:
    fill(folder, {A: "old"})
    expect = None if expected == "nothing" else stat_of(root, A)
    fill(folder, {A: "saved meanwhile"})
    with pytest.raises(Meanwhile):
        write(root, A, b"theirs", Mode.FILE, expect)
    assert everything(folder) == {"lab/a.txt": b"saved meanwhile"}


def test_a_file_that_is_gone_is_not_brought_back(folder: Path, root: Root) -> None:
    fill(folder, {A: "old"})
    expect = stat_of(root, A)
    (folder / A).unlink()
    with pytest.raises(Meanwhile):
        write(root, A, b"theirs", Mode.FILE, expect)
    with pytest.raises(Meanwhile):
        remove(root, A, expect)
    assert everything(folder) == {}


class Interloper:
    """Saves into the folder at the worst moment: after the check, before the rename."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, save: list[object]) -> None:
        self.left = list(save)
        check = place.check

        def late(folder: Dir, name: str, path: RelPath, expect: StatId | None) -> int | None:
            out: int | None = check(folder, name, path, expect)
            if self.left:
                step = self.left.pop(0)
                assert callable(step)
                step()
            return out

        monkeypatch.setattr(place, "check", late)


@pytest.mark.parametrize("how", ["in place", "by rename", "deleted"])
@pytest.mark.parametrize("step", ["write", "remove"])
def test_a_save_between_check_and_rename_survives(
    folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch, how: str, step: str
) -> None:
    fill(folder, {A: "old"})
    expect = stat_of(root, A)

    def save() -> None:
        if how == "in place":
            fill(folder, {A: "the save"})
        elif how == "by rename":
            fill(folder, {"lab/tmp": "the save"})
            os.replace(folder / "lab/tmp", folder / A)
        else:
            (folder / A).unlink()

    Interloper(monkeypatch, [save])
    with pytest.raises(Meanwhile):
        if step == "write":
            write(root, A, b"theirs", Mode.FILE, expect)
        else:
            remove(root, A, expect)
    assert everything(folder) == ({} if how == "deleted" else {"lab/a.txt": b"the save"})


def test_a_file_created_between_check_and_rename_survives(
    folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    Interloper(monkeypatch, [lambda: fill(folder, {A: "mine"})])
    with pytest.raises(Meanwhile):
        write(root, A, b"theirs", Mode.FILE, None)
    assert everything(folder) == {"lab/a.txt": b"mine"}


def test_two_saves_in_the_gap_are_both_kept(folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, {A: "old"})
    expect = stat_of(root, A)
    Interloper(monkeypatch, [lambda: fill(folder, {A: "first save"})])
    is_same = place._is_same

    def slow(at: Dir, name: str, wanted: StatId) -> bool:
        out = is_same(at, name, wanted)
        fill(folder, {"lab/tmp": "second save"})
        os.replace(folder / "lab/tmp", folder / A)
        return out

    monkeypatch.setattr(place, "_is_same", slow)
    with pytest.raises(Meanwhile):
        write(root, A, b"theirs", Mode.FILE, expect)
    assert (folder / A).read_bytes() in (b"first save", b"second save")
    assert {b"first save", b"second save"} <= set(everything(folder).values())


@pytest.mark.parametrize("step", range(12))
def test_a_crash_at_any_step_leaves_old_or_new_and_no_litter_that_counts(
    folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    fill(folder, {A: "old"})
    expect = stat_of(root, A)
    count = 0

    def dying(name: str) -> None:
        original = getattr(Dir, name)

        def call(self: Dir, *args: object) -> object:
            nonlocal count
            count += 1
            if count > step:
                raise KeyboardInterrupt  # from here on nothing is done, as after a kill
            return original(self, *args)

        monkeypatch.setattr(Dir, name, call)

    for name in ("create", "move", "exchange", "unlink", "sync", "lstat", "replace"):
        dying(name)
    with suppress(KeyboardInterrupt):
        write(root, A, b"new", Mode.FILE, expect)
    monkeypatch.undo()
    assert (folder / A).read_bytes() in (b"old", b"new")
    for leftover, name, stat in leftovers(root, ignored):
        assert name == "a.txt" and (folder / leftover).read_bytes() in (b"old", b"new")
        discard(root, leftover, stat)
    assert set(everything(folder)) == {"lab/a.txt"}


def test_what_was_displaced_when_we_died_is_handed_out_under_its_name(folder: Path, root: Root) -> None:
    fill(folder, {"lab/.~syncd-old-0123456789abcdef-notes.md": "a save", "lab/.~syncd-new-1": "half"})
    [(leftover, name, stat)] = leftovers(root, ignored)
    move(root, leftover, RelPath("lab/" + name), stat)
    assert everything(folder) == {"lab/notes.md": b"a save"}


def test_a_name_of_255_bytes_can_be_replaced_and_removed(folder: Path, root: Root) -> None:
    path = RelPath("é" * 127 + "x")
    write(root, path, b"1", Mode.FILE, None)
    write(root, path, b"2", Mode.FILE, stat_of(root, path))
    assert (folder / path).read_bytes() == b"2"
    remove(root, path, stat_of(root, path))
    assert everything(folder) == {}


def test_removing_takes_the_empty_folders_along_but_no_other(folder: Path, root: Root) -> None:
    fill(folder, {"a/b/c/d": "1", "a/x": "2"})
    remove(root, RelPath("a/b/c/d"), stat_of(root, "a/b/c/d"))
    assert everything(folder) == {"a/x": b"2"} and not (folder / "a/b").exists()


def test_a_move_never_replaces(folder: Path, root: Root) -> None:
    fill(folder, {"a": "1", "b/c": "2", "d/e": "3"})
    with pytest.raises(Meanwhile):
        move(root, RelPath("a"), RelPath("b/c"), stat_of(root, "a"))
    with pytest.raises(Meanwhile):
        move(root, RelPath("d"), RelPath("b"))
    move(root, RelPath("d"), RelPath("f/g"))
    assert everything(folder) == {"a": b"1", "b/c": b"2", "f/g/e": b"3"}


def test_nothing_is_written_through_a_link(folder: Path, root: Root, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    fill(outside, {"a.txt": "theirs to keep"})
    (folder / "lab").symlink_to(outside)
    expect = StatId(0, 0, 0, 0)
    for attempt in (
        lambda: write(root, A, b"x", Mode.FILE, None),
        lambda: write(root, RelPath("lab/new"), b"x", Mode.FILE, None),
        lambda: remove(root, A, expect),
        lambda: move(root, A, RelPath("b")),
    ):
        with pytest.raises(InTheWay):
            attempt()
    assert look(root, A) is None
    assert everything(outside) == {"a.txt": b"theirs to keep"}


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/etc/x", "", "a//b", "./a", "a\0b"])
def test_paths_that_lead_elsewhere_are_no_paths(root: Root, path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        write(root, RelPath(path), b"x", Mode.FILE, None)


def test_files_and_folders_in_each_others_way_are_said_so(folder: Path, root: Root) -> None:
    fill(folder, {"file": "1", "dir/x": "2"})
    with pytest.raises(InTheWay) as one:
        write(root, RelPath("file/below"), b"x", Mode.FILE, None)
    with pytest.raises(InTheWay) as two:
        write(root, RelPath("dir"), b"x", Mode.FILE, None)
    assert (one.value.path, two.value.path) == ("file", "dir")
    assert everything(folder) == {"file": b"1", "dir/x": b"2"}


def test_a_full_disk_leaves_the_old_file(folder: Path, root: Root) -> None:
    fill(folder, {A: "old"})

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(root, A, full, Mode.FILE, stat_of(root, A))
    assert everything(folder) == {"lab/a.txt": b"old"}


def test_where_the_system_can_neither_swap_nor_refuse_it_still_works(
    folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rename, "_system", lambda: None)
    write(root, A, b"one", Mode.FILE, None)
    write(root, A, b"two", Mode.FILE, stat_of(root, A))
    with pytest.raises(Meanwhile):
        write(root, A, b"three", Mode.FILE, None)
    move(root, RelPath("lab"), RelPath("labs"))
    move(root, RelPath("labs/a.txt"), RelPath("b"))
    assert everything(folder) == {"b": b"two"}
    remove(root, RelPath("b"), stat_of(root, "b"))
    assert everything(folder) == {}
