"""Folders that nobody touched are told by their fingerprints: whatever is done to one, it counts as touched."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from contents import fill

from syncd.folder import fingerprint, sweep
from syncd.folder.fingerprint import UNKNOWN
from syncd.folder.root import Root
from syncd.folder.scan import scan
from syncd.folder.statcache import Summary

NAMES = ["", "a", "a/b", "a/b/c", "z", os.fsdecode(b"caf\xe9")]


def summaries(root: Root, files: int = 1) -> dict[str, Summary]:
    listings = scan(root, lambda path, folder: False, "", lambda folder: None)
    return {each.folder: Summary(each.fingerprint, each.names, b"", tuple(each.folders), files) for each in listings}


@pytest.fixture
def known(folder: Path, root: Root) -> dict[str, Summary]:
    for name in NAMES:
        fill(folder, {f"{name}/{n}".lstrip("/"): str(n) for n in range(3)})
    (folder / "a/link").symlink_to("0")
    time.sleep(0.05)  # `walk` does not keep fingerprints of what changed just now
    return summaries(root)


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (lambda at: (at / "a/0").write_text("1"), {"a"}),
        (lambda at: (at / "a/b/0").chmod(0o755), {"a/b"}),
        (lambda at: (at / "a/b/c/new").write_text(""), {"a/b/c"}),
        (lambda at: (at / "z/0").unlink(), {"z"}),
        (lambda at: os.replace(at / "z/0", at / "z/1"), {"z"}),
        (lambda at: (at / "z/0").rename(at / "0-moved"), {"z", ""}),
        (lambda at: (at / "a/empty").mkdir(), {"a"}),
        (lambda at: shutil.rmtree(at / "a/b"), {"a", "a/b", "a/b/c"}),
        (lambda at: ((at / "a/link").unlink(), (at / "a/link").symlink_to("1")), {"a"}),
        (
            lambda at: ((at / "a/b").rename(at / "aside"), (at / "a/b").symlink_to("../aside")),
            {"", "a", "a/b", "a/b/c"},
        ),
    ],
)
@pytest.mark.parametrize(("cores", "own_times"), [(1, True), (3, True), (1, False)])
def test_whatever_is_done_to_a_folder_it_counts_as_touched(
    folder: Path,
    root: Root,
    known: dict[str, Summary],
    change: Callable[[Path], object],
    touched: set[str],
    cores: int,
    own_times: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweep, "_WORTH_A_PROCESS", 12)
    if not own_times:  # as on a network's disk
        monkeypatch.setattr(fingerprint, "_own", lambda found: ())
        known = summaries(root)
    assert sweep.untouched(root, known, cores) == known
    change(folder)
    assert sweep.untouched(root, known, cores).keys() == known.keys() - touched


def test_a_folder_whose_names_are_known_is_not_listed_again(
    folder: Path, root: Root, known: dict[str, Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[int] = []
    list_ = fingerprint._listed

    def counted(at: int, told: list[int]) -> bytes:
        listed.append(at)
        return list_(at, told)

    monkeypatch.setattr(fingerprint, "_listed", counted)
    assert sweep.untouched(root, known, 1) == known
    trusted = os.major(folder.stat().st_dev) != 0 and sys.platform == "linux"
    assert len(listed) == (0 if trusted else len(NAMES))


def test_numbers_of_all_sizes_are_told_apart(
    folder: Path, root: Root, known: dict[str, Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    inode = (1 << 64) - 1  # as some network file systems have them
    monkeypatch.setattr(fingerprint, "_told_by", lambda found: (inode,))
    known = summaries(root)
    assert sweep.untouched(root, known, 1) == known
    inode -= 1
    assert not sweep.untouched(root, known, 1)


def test_a_helper_that_fails_leaves_its_folders_to_be_looked_at(
    root: Root, known: dict[str, Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_WORTH_A_PROCESS", 12)
    monkeypatch.setattr(fingerprint, "__file__", "/nowhere.py")
    same = sweep.untouched(root, known, 3)
    assert "" in same and 0 < len(same) < len(known)


def test_a_folder_with_what_a_crash_left_has_no_fingerprint(folder: Path, root: Root) -> None:
    fill(folder, {"a/.~syncd-old-0123456789abcdef-lab.ipynb": "the only copy", "b/c": "1"})
    [top, a, b] = scan(root, lambda path, folder: ".~" in path, "", lambda folder: None)
    assert a.fingerprint == UNKNOWN != b.fingerprint and top.fingerprint != UNKNOWN
