"""The serving process is killed; whoever opens the view again finds everything."""

import errno
import os
from pathlib import Path

import pytest
from made_commits import Store
from mounted import Mounted

from fuse_mount.view import open_view
from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser, Stop
from syncd.view import Update

pytestmark = pytest.mark.fuse


def test_nothing_is_mounted_before_the_first_commit(student: Mounted) -> None:
    assert not student.root.exists()
    student.switch({"a": b"1"})
    assert os.path.ismount(student.root)
    student.close()
    assert not student.root.exists()
    student.start()
    assert student.read("a") == b"1"


def test_acknowledged_work_survives_a_kill(student: Mounted) -> None:
    student.switch({"a": b"1", "b": b"1", "lab/x": b"x", "lab/y": b"y"})
    student.write("a", b"mine")
    student.write("new", b"new")
    student.path("b").unlink()
    os.rename(student.path("lab"), student.path("mine"))
    student.path("mine/x").unlink()
    student.path("folder").mkdir()
    os.rename(student.path("new"), student.path("folder/new"))
    writing = os.open(student.path("folder/open"), os.O_WRONLY | os.O_CREAT)
    os.write(writing, b"written")
    student.kill()
    if student.engine == "kernel":
        assert student.names() == ["a", "folder", "mine"], "nobody stands in for a killed process"
    else:
        with pytest.raises(OSError) as caught:
            os.listdir(student.root)
        assert caught.value.errno == errno.ENOTCONN, "a killed view must not look like an empty folder"
    student.start()
    os.close(writing)
    assert student.names() == ["a", "folder", "mine"] and student.names("mine") == ["y"]
    assert student.read("a") == b"mine" and student.read("folder/new") == b"new"
    assert student.read("folder/open") == b"written" and student.read("mine/y") == b"y"
    assert student.observe() == ["a", "b", "folder/new", "folder/open", "lab/x", "lab/y", "mine/y"]


def test_a_torn_record_is_cut_off(student: Mounted) -> None:
    student.switch({"a": b"1", "b": b"1"})
    student.path("a").unlink()
    student.kill()
    with open(student.state / "layer.log", "ab") as log:
        log.write(b'0badc0de ["do",[["hide","b"')
    student.start()
    assert student.names() == ["b"]


def test_a_second_process_is_turned_away(student: Mounted, store: Store) -> None:
    student.switch({"a": b"1"})
    with pytest.raises(Stop, match="Another process"):
        open_view(student.root, student.state, store.snapshot)
    assert student.read("a") == b"1"


def test_a_folder_with_files_is_not_mounted_over(store: Store, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/mine").write_bytes(b"mine")
    view = open_view(tmp_path / "home", tmp_path / "state", store.snapshot)
    with pytest.raises(NeedsUser, match="not empty"):
        view.apply(Update(store.commit({"a": b"1"}), []))
    assert view.base is None
    view.close()
    assert (tmp_path / "home/mine").read_bytes() == b"mine"


def test_a_folder_that_is_a_mount_already_is_left_alone(student: Mounted, store: Store, tmp_path: Path) -> None:
    student.switch({"a": b"1"})
    view = open_view(student.root, tmp_path / "other", store.snapshot)
    with pytest.raises(NeedsUser, match="mounted at"):
        view.apply(Update(store.commit({"b": b"1"}), []))
    view.close()
    assert student.names() == ["a"]


def test_observing_reads_no_lower_file(student: Mounted, store: Store) -> None:
    student.switch({f"d/{number}": b"%d" % number for number in range(50)})
    student.write("d/7", b"mine")
    student.write("d/8", b"8")
    for blob in store.blobs.root.rglob("*/*"):
        blob.unlink()
    assert student.observe() == ["d/7"], "a file saved with the content of its base is no change"
    assert RelPath("d/7") in student.observe()
