"""The mount helper over plain folders, called as mount(8) calls it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuse_mount.kernel.mount import close_mount, is_mounted

pytestmark = pytest.mark.fuse


def call(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuse_mount.helper", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    for name in ("lower/d", "mnt"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lower/d/f").write_bytes(b"lower")
    os.chmod(tmp_path / "lower/d/f", 0o640)
    yield tmp_path / "mnt"
    if is_mounted(tmp_path / "mnt"):
        close_mount(tmp_path / "mnt")


def test_it_mounts_in_the_background_and_keeps_its_records(point: Path, tmp_path: Path) -> None:
    layers = f"lowerdir={tmp_path / 'lower'},upperdir={tmp_path / 'upper'},fsname=mine,noatime"
    said = call("source", point, "-o", layers)
    assert said.returncode == 0, said.stderr
    assert (point / "d/f").read_bytes() == b"lower" and os.stat(point / "d/f").st_mode & 0o777 == 0o640
    assert "mine" in subprocess.check_output(["df", point], text=True)
    (point / "d/f").unlink()
    (point / "new").write_bytes(b"new")
    os.rename(point / "d", point / "e")
    close_mount(point)
    assert call("source", point, "-o", layers).returncode == 0
    assert sorted(os.listdir(point)) == ["e", "new"] and os.listdir(point / "e") == []
    assert (tmp_path / "lower/d/f").read_bytes() == b"lower" and (tmp_path / "upper/new").read_bytes() == b"new"


def test_layers_that_are_mounted_are_not_mounted_twice(point: Path, tmp_path: Path) -> None:
    layers = f"lowerdir={tmp_path / 'lower'},upperdir={tmp_path / 'upper'}"
    assert call("source", point, "-o", layers).returncode == 0
    (tmp_path / "other").mkdir()
    said = call("source", tmp_path / "other", "-o", layers)
    assert said.returncode == 1 and "Another process keeps" in said.stderr
    assert not is_mounted(tmp_path / "other") and (point / "d/f").read_bytes() == b"lower"
    close_mount(point)
    assert call("source", point, "-o", layers).returncode == 0, "the one before is about to end"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a mount namespace")
def test_a_copy_in_another_mount_namespace_does_not_keep_it_from_being_mounted_again(
    point: Path, tmp_path: Path
) -> None:
    layers = f"lowerdir={tmp_path / 'lower'},upperdir={tmp_path / 'upper'}"
    assert call("source", point, "-o", layers).returncode == 0
    inside = ["unshare", "-m", "sh", "-c", "echo in; read end"]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as elsewhere:
        assert elsewhere.stdout is not None and elsewhere.stdout.readline() == b"in\n"
        close_mount(point)
        said = call("source", point, "-o", layers)
        assert said.returncode == 0, said.stderr
        assert (point / "d/f").read_bytes() == b"lower"
        elsewhere.communicate(b"\n")


READ = {
    "relatime": "a read",
    "noatime": "no read",
    "ro": "no read",
    "strictatime": "each read",
    "noatime,rw,atime": "a read",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="without root's rights the disk alone says how access times are kept")
@pytest.mark.parametrize("words", READ)
def test_access_times_are_kept_as_the_options_say(words: str, point: Path, tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "mine").write_bytes(b"mine")
    (upper / "program").write_bytes(bytes(100))
    os.chmod(upper / "program", 0o4755)  # with a set-id bit it is read through the mount's own page cache
    layers = f"lowerdir={tmp_path / 'lower'},upperdir={upper},{words}"
    assert call("source", point, "-o", layers).returncode == 0
    shown = subprocess.check_output(["findmnt", "-no", "OPTIONS", point], text=True).split(",")
    assert ("noatime" in shown, "ro" in shown) == (words == "noatime", words == "ro")
    for name in ("mine", "program"):
        seen = {os.stat(point / name).st_atime_ns}
        for _ in range(3):
            time.sleep(0.05)
            with open(point / name, "rb") as file:
                file.read()
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            seen.add(os.stat(point / name).st_atime_ns)
        assert len(seen) == {"no read": 1, "a read": 2, "each read": 4}[READ[words]], name


def server_of(upper: Path) -> list[int]:
    """The processes whose command line names an upper folder, the oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.fsencode(upper) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return sorted(found)


def is_mounted_elsewhere(point: Path) -> bool:
    """Whether another mount namespace has a copy of it: a test beside this one may have made one."""
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            if os.fsencode(point) + b" " in table.read_bytes():
                return True
    return False


def test_a_killed_server_is_not_noticed(point: Path, tmp_path: Path) -> None:
    layers = f"lowerdir={tmp_path / 'lower'},upperdir={tmp_path / 'upper'}"
    assert call("source", point, "-o", layers).returncode == 0
    with open(point / "open", "w+b", buffering=0) as own:
        own.write(b"before ")
        os.kill(server_of(tmp_path / "upper")[0], signal.SIGKILL)
        own.write(b"after")
        assert (point / "open").read_bytes() == b"before after" and (point / "d/f").read_bytes() == b"lower"
        assert call("source", point, "-o", layers).returncode == 0, "the next one takes the mount over"
        own.write(b" and on")
    assert (point / "open").read_bytes() == b"before after and on"
    close_mount(point)
    deadline = time.monotonic() + 10
    while server_of(tmp_path / "upper") and not is_mounted_elsewhere(point):
        assert time.monotonic() < deadline, "a process stays behind"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "sentence"), [("lowerdir=/", "upperdir= is missing"), ("upperdir=/x,what=1", "what is not known")]
)
def test_wrong_options_are_said_in_a_sentence(point: Path, options: str, sentence: str) -> None:
    said = call("source", point, "-o", options)
    assert said.returncode == 1 and sentence in said.stderr and said.stderr.count("\n") == 1
