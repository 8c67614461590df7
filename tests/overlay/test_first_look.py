"""A folder that is new: it shows before anything of it is on the disk, and is on the disk soon after."""

import subprocess
import threading
from pathlib import Path

import pytest
from made_commits import Store

from fuse_mount.record_log import RecordLog
from fuse_mount.view import open_view
from syncd.view import Update

pytestmark = pytest.mark.fuse


def test_first_look_waits_for_no_disk_and_the_end_does(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, flushed = threading.Event(), threading.Event()
    sync = RecordLog.sync

    def slow(log: RecordLog) -> None:
        assert disk.wait(30)
        sync(log)
        flushed.set()

    monkeypatch.setattr(RecordLog, "sync", slow)
    view = open_view(tmp_path / "ds8", tmp_path / "state", store.snapshot, 0.0, "kernel")
    try:
        view.apply(Update(store.commit({"lab.txt": b"one\n"}), ()))
        assert subprocess.check_output(["cat", tmp_path / "ds8/lab.txt"], timeout=30) == b"one\n"
        assert not flushed.is_set()
        disk.set()
        assert flushed.wait(30)
    finally:
        disk.set()
        view.close()
