"""What programs do to a folder, on real mounts through both engines."""

import errno
import fcntl
import mmap
import os
import select
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from made_commits import TIME_NS, link, program
from mounted import Mounted

from fuse_mount.syscalls import Rename, fallocate, renameat2

pytestmark = pytest.mark.fuse

BIG = bytes(range(256)) * 4096
COURSE = {
    "README.md": b"hello",
    "lab/a.py": b"print(1)\n",
    "lab/b.py": b"print(2)\n",
    "lab/deep/er/c.txt": b"c",
    "run.sh": program(b"#!/bin/sh\necho ran\n"),
    "to-a": link(b"lab/a.py"),
    "big.bin": BIG,
}


@pytest.fixture
def home(student: Mounted) -> Path:
    student.switch(COURSE)
    return student.root


def code_of(error: pytest.ExceptionInfo[OSError]) -> int | None:
    return error.value.errno


def test_the_course_shows_as_committed(home: Path) -> None:
    assert sorted(os.listdir(home)) == ["README.md", "big.bin", "lab", "run.sh", "to-a"]
    assert (home / "README.md").read_bytes() == b"hello"
    assert (home / "lab/deep/er/c.txt").read_bytes() == b"c"
    assert (home / "big.bin").read_bytes() == BIG
    assert os.readlink(home / "to-a") == "lab/a.py" and (home / "to-a").read_bytes() == b"print(1)\n"
    assert subprocess.check_output([home / "run.sh"]) == b"ran\n"
    found = os.stat(home / "README.md")
    assert stat.S_IMODE(found.st_mode) == 0o644 and found.st_uid == os.geteuid() and found.st_nlink == 1
    assert TIME_NS <= found.st_mtime_ns < TIME_NS + 10**8


def test_writing_copies_up_and_leaves_the_blob_alone(home: Path, student: Mounted) -> None:
    with open(home / "README.md", "ab") as out:
        out.write(b" world")
    assert (home / "README.md").read_bytes() == b"hello world"
    with open(home / "big.bin", "r+b") as out:
        out.seek(5)
        out.write(b"XX")
    assert (home / "big.bin").read_bytes() == BIG[:5] + b"XX" + BIG[7:]
    os.truncate(home / "lab/a.py", 5)
    assert (home / "lab/a.py").read_bytes() == b"print"
    assert student.observe() == ["README.md", "big.bin", "lab/a.py"]
    for path in student.store.blobs.root.rglob("*/*"):
        import hashlib

        data = path.read_bytes()
        assert hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == path.parent.name + path.name


def test_opening_for_writing_alone_copies_nothing(home: Path, student: Mounted) -> None:
    for name in ("README.md", "big.bin"):
        os.close(os.open(home / name, os.O_RDWR))
    assert student.observe() == []
    assert not any(path.is_file() for path in (student.state / "upper").rglob("*"))


def test_metadata_changes_are_the_students(home: Path) -> None:
    os.chmod(home / "README.md", 0o600)
    os.utime(home / "README.md", ns=(1_000_000_007, 2_000_000_009))
    found = os.stat(home / "README.md")
    assert stat.S_IMODE(found.st_mode) == 0o600 and found.st_mtime_ns == 2_000_000_009
    assert found.st_atime_ns == 1_000_000_007
    os.chmod(home / "lab", 0o700)
    assert stat.S_IMODE(os.stat(home / "lab").st_mode) == 0o700
    assert (home / "lab/a.py").read_bytes() == b"print(1)\n"


def test_removed_files_stay_removed_over_a_restart(home: Path, student: Mounted) -> None:
    (home / "README.md").unlink()
    shutil.rmtree(home / "lab/deep")
    assert not (home / "README.md").exists() and sorted(os.listdir(home / "lab")) == ["a.py", "b.py"]
    student.restart()
    assert not (home / "README.md").exists() and sorted(os.listdir(home / "lab")) == ["a.py", "b.py"]
    assert student.observe() == ["README.md", "lab/deep/er/c.txt"]


def test_a_new_folder_over_a_removed_one_is_empty(home: Path, student: Mounted) -> None:
    shutil.rmtree(home / "lab")
    (home / "lab").mkdir()
    assert os.listdir(home / "lab") == []
    (home / "lab/a.py").write_bytes(b"mine")
    student.restart()
    assert os.listdir(home / "lab") == ["a.py"] and (home / "lab/a.py").read_bytes() == b"mine"


def test_a_course_folder_is_renamed_without_being_copied(home: Path, student: Mounted) -> None:
    os.rename(home / "lab", home / "mine")
    assert sorted(os.listdir(home)) == ["README.md", "big.bin", "mine", "run.sh", "to-a"]
    assert (home / "mine/deep/er/c.txt").read_bytes() == b"c"
    assert not any(path.is_file() for path in (student.state / "upper").rglob("*"))
    (home / "mine/deep/er/c.txt").write_bytes(b"changed")
    os.rename(home / "mine/deep", home / "deep")
    student.restart()
    assert (home / "deep/er/c.txt").read_bytes() == b"changed"
    assert sorted(os.listdir(home / "mine")) == ["a.py", "b.py"] and not (home / "lab").exists()
    os.rename(home / "mine", home / "lab")
    assert sorted(os.listdir(home / "lab")) == ["a.py", "b.py"]


def test_renames_replace_and_refuse_as_on_a_disk(home: Path) -> None:
    (home / "new").write_bytes(b"new")
    os.rename(home / "new", home / "README.md")
    assert (home / "README.md").read_bytes() == b"new" and not (home / "new").exists()
    with pytest.raises(OSError) as caught:
        os.rename(home / "README.md", home / "lab")
    assert code_of(caught) == errno.EISDIR
    with pytest.raises(OSError) as caught:
        os.rename(home / "lab", home / "README.md")
    assert code_of(caught) == errno.ENOTDIR
    (home / "empty").mkdir()
    with pytest.raises(OSError) as caught:
        os.rename(home / "empty", home / "lab")
    assert code_of(caught) == errno.ENOTEMPTY
    os.rename(home / "lab", home / "empty")
    assert (home / "empty/a.py").exists()


@pytest.mark.parametrize("engine", ["kernel"], indirect=True)
def test_renames_with_flags(home: Path) -> None:
    def rename(old: str, new: str, flags: Rename) -> None:
        renameat2(-100, os.fsencode(home / old), -100, os.fsencode(home / new), flags)

    with pytest.raises(OSError) as caught:
        rename("README.md", "run.sh", Rename.NOREPLACE)
    assert code_of(caught) == errno.EEXIST
    rename("README.md", "lab", Rename.EXCHANGE)
    assert (home / "lab").read_bytes() == b"hello" and (home / "README.md/a.py").exists()
    rename("README.md/a.py", "big.bin", Rename.EXCHANGE)
    assert (home / "big.bin").read_bytes() == b"print(1)\n" and (home / "README.md/a.py").read_bytes() == BIG


def test_the_path_engine_refuses_to_exchange_and_loses_nothing(home: Path, engine: str) -> None:
    if engine == "kernel":
        return  # it exchanges
    before = (home / "run.sh").read_bytes()
    with pytest.raises(OSError) as caught:
        renameat2(-100, os.fsencode(home / "README.md"), -100, os.fsencode(home / "run.sh"), Rename.EXCHANGE)
    assert code_of(caught) == errno.EINVAL
    assert (home / "README.md").read_bytes() == b"hello" and (home / "run.sh").read_bytes() == before


def test_hard_links_share_their_content(home: Path, student: Mounted) -> None:
    os.link(home / "README.md", home / "lab/again")
    assert os.stat(home / "README.md").st_ino == os.stat(home / "lab/again").st_ino
    assert os.stat(home / "lab/again").st_nlink == 2
    with open(home / "lab/again", "ab") as out:
        out.write(b"!")
    assert (home / "README.md").read_bytes() == b"hello!"
    (home / "README.md").unlink()
    assert (home / "lab/again").read_bytes() == b"hello!" and os.stat(home / "lab/again").st_nlink == 1


def test_removed_open_files_live_on(home: Path, engine: str) -> None:
    with open(home / "README.md", "r+b") as held, open(home / "big.bin", "rb") as big:
        (home / "README.md").unlink()
        (home / "big.bin").unlink()
        assert held.read() == b"hello" and big.read() == BIG
        held.write(b" and more")
        held.seek(0)
        assert held.read() == b"hello and more"
        if engine == "kernel":
            assert os.fstat(held.fileno()).st_nlink == 0 and os.fstat(held.fileno()).st_size == 14
    assert not (home / "README.md").exists()


def test_appends_of_two_handles_do_not_overwrite(home: Path) -> None:
    first = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    second = os.open(home / "log", os.O_WRONLY | os.O_APPEND)
    for number in range(50):
        os.write(first if number % 2 else second, b"%02d\n" % number)
    os.close(first)
    os.close(second)
    assert (home / "log").read_bytes() == b"".join(b"%02d\n" % number for number in range(50))


def test_shared_mappings_reach_the_file(home: Path, engine: str) -> None:
    for name in ("README.md", "big.bin"):
        with open(home / name, "r+b") as held, mmap.mmap(held.fileno(), 5) as shared:
            shared[0:2] = b"JJ"
            shared.flush()
        assert (home / name).read_bytes()[:5][0:2] == b"JJ"


def test_a_reader_sees_what_another_writes(home: Path) -> None:
    with open(home / "README.md", "rb") as reader:
        assert reader.read() == b"hello"
        with open(home / "README.md", "ab") as writer:
            writer.write(b"!")
        assert reader.read() == b"!"


def test_a_large_file_is_written_while_another_reads_it(home: Path) -> None:
    with open(home / "big.bin", "rb") as reader:
        assert reader.read(4) == BIG[:4]
        with open(home / "big.bin", "r+b") as writer:
            writer.write(b"new!")
        os.truncate(home / "big.bin", 1000)
        assert (home / "big.bin").read_bytes() == b"new!" + BIG[4:1000]
        os.chmod(home / "big.bin", 0o600)
        assert reader.read(4) == BIG[4:8]
    assert (home / "big.bin").read_bytes() == b"new!" + BIG[4:1000]


def test_extended_attributes(home: Path) -> None:
    assert os.listxattr(home / "README.md") == []
    os.setxattr(home / "README.md", "user.mine", b"value")
    os.setxattr(home / "lab", "user.folder", b"f")
    assert os.getxattr(home / "README.md", "user.mine") == b"value"
    assert os.listxattr(home / "lab") == ["user.folder"]
    os.removexattr(home / "README.md", "user.mine")
    with pytest.raises(OSError) as caught:
        os.getxattr(home / "README.md", "user.mine")
    assert code_of(caught) == errno.ENODATA


def test_fifos_and_sockets(home: Path) -> None:
    os.mkfifo(home / "fifo", 0o600)
    assert stat.S_ISFIFO(os.stat(home / "fifo").st_mode)
    reader = os.open(home / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(home / "fifo", os.O_WRONLY)
    os.write(writer, b"through")
    assert select.select([reader], [], [], 5)[0] and os.read(reader, 10) == b"through"
    os.close(reader)
    os.close(writer)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(str(home / "s"))
        listener.listen()
        caller.connect(str(home / "s"))
        assert stat.S_ISSOCK(os.stat(home / "s").st_mode)


@pytest.mark.root
def test_the_whiteouts_of_other_overlays_cannot_be_made(home: Path) -> None:
    with pytest.raises(OSError) as caught:
        os.mknod(home / "whiteout", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    assert code_of(caught) == errno.EPERM


def test_allocation_and_holes(home: Path, engine: str) -> None:
    with open(home / "README.md", "r+b") as held:
        fallocate(held.fileno(), 0, 0, 100_000)
        assert os.fstat(held.fileno()).st_size == 100_000
    if engine == "kernel":
        with open(home / "sparse", "w+b") as held:
            os.ftruncate(held.fileno(), 1 << 20)
            os.pwrite(held.fileno(), b"x", 512 << 10)
            assert os.lseek(held.fileno(), 0, os.SEEK_DATA) == 512 << 10
            assert os.lseek(held.fileno(), 0, os.SEEK_HOLE) == 0


@pytest.mark.parametrize("mode", [0o644, 0o4755], ids=["plain", "never handed to the disk's file"])
def test_what_was_written_through_a_map_is_no_hole(home: Path, mode: int) -> None:
    (home / "sparse").touch()
    os.chmod(home / "sparse", mode)
    with open(home / "sparse", "r+b", buffering=0) as held:
        os.ftruncate(held.fileno(), 1 << 20)
        with mmap.mmap(held.fileno(), 1 << 20) as pages:
            pages[512 << 10] = 1
            assert os.lseek(held.fileno(), 0, os.SEEK_DATA) <= 512 << 10
            assert os.lseek(held.fileno(), 512 << 10, os.SEEK_HOLE) > 512 << 10
            assert os.lseek(held.fileno(), 0, os.SEEK_HOLE) <= 1 << 20
        with pytest.raises(OSError) as caught:
            os.lseek(held.fileno(), 1 << 20, os.SEEK_DATA)
    assert code_of(caught) == errno.ENXIO


def test_attributes_can_be_changed_through_whatever_reads_a_file(home: Path, student: Mounted) -> None:
    before = os.stat(home / "big.bin").st_ino
    with open(home / "big.bin", "rb") as held, open(home / "big.bin", "rb") as other:
        os.fchmod(held.fileno(), 0o600)
        os.utime(held.fileno(), ns=(1, 2_000_000_000))
        os.setxattr(held.fileno(), "user.note", b"mine")
        os.fchmod(other.fileno(), 0o640)
        for found in (os.fstat(held.fileno()), os.stat(home / "big.bin")):
            assert (found.st_mode & 0o777, found.st_mtime_ns, found.st_size) == (0o640, 2_000_000_000, len(BIG))
        assert os.fstat(held.fileno()).st_ino == before
        assert os.getxattr(held.fileno(), "user.note") == os.getxattr(home / "big.bin", "user.note") == b"mine"
        with open(home / "big.bin", "ab") as more:
            more.write(b"more")
        assert held.read(len(BIG)) == BIG
        os.removexattr(held.fileno(), "user.note")
        assert os.listxattr(home / "big.bin") == []
        os.rename(home / "big.bin", home / "large.bin")
        os.fchmod(held.fileno(), 0o644)
        assert os.stat(home / "large.bin").st_mode & 0o777 == 0o644
    assert (home / "large.bin").read_bytes() == BIG + b"more"


def test_copy_file_range(home: Path) -> None:
    with open(home / "big.bin", "rb") as source, open(home / "README.md", "r+b") as target:
        done = 0
        while done < len(BIG):
            done += os.copy_file_range(source.fileno(), target.fileno(), len(BIG) - done, done, done)
    assert (home / "README.md").read_bytes() == BIG and (home / "big.bin").read_bytes() == BIG


def test_locks_hold_between_processes(home: Path) -> None:
    program = "import fcntl, sys; fcntl.%s(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    for call in ("flock", "lockf"):
        with open(home / "README.md", "r+b") as held:
            getattr(fcntl, call)(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tried = subprocess.run([sys.executable, "-c", program % call, home / "README.md"], capture_output=True)
            assert tried.returncode != 0 and b"BlockingIOError" in tried.stderr
        assert subprocess.run([sys.executable, "-c", program % call, home / "README.md"]).returncode == 0


def test_long_names_and_deep_paths(home: Path) -> None:
    (home / ("n" * 255)).write_bytes(b"long")
    assert (home / ("n" * 255)).read_bytes() == b"long"
    with pytest.raises(OSError) as caught:
        (home / ("n" * 256)).write_bytes(b"too long")
    assert code_of(caught) == errno.ENAMETOOLONG
    at = os.open(home, os.O_RDONLY)
    for number in range(20):
        name = f"{number:02d}" + "d" * 240
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    fd = os.open("deep", os.O_WRONLY | os.O_CREAT, dir_fd=at)
    os.write(fd, b"down here")
    os.close(fd)
    os.rename("deep", "deeper", src_dir_fd=at, dst_dir_fd=at)
    fd = os.open("deeper", os.O_RDONLY, dir_fd=at)
    assert os.read(fd, 20) == b"down here"
    os.close(fd)
    os.close(at)


def test_names_that_are_not_utf8(home: Path) -> None:
    name = os.fsencode(home) + b"/caf\xe9"
    with open(name, "wb") as out:
        out.write(b"x")
    assert b"caf\xe9" in os.listdir(os.fsencode(home))


def test_umask_and_modes(home: Path) -> None:
    before = os.umask(0o007)
    try:
        os.close(os.open(home / "shared", os.O_WRONLY | os.O_CREAT, 0o666))
        os.mkdir(home / "folder", 0o777)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(home / "shared").st_mode) == 0o660
    assert stat.S_IMODE(os.stat(home / "folder").st_mode) == 0o770


def test_many_files_are_listed_once_while_some_are_removed(home: Path) -> None:
    (home / "many").mkdir()
    for number in range(600):
        (home / f"many/{number}").touch()
    seen = []
    with os.scandir(home / "many") as entries:
        for count, entry in enumerate(entries):
            seen.append(entry.name)
            if count % 3 == 0:
                os.unlink(entry.path)
    assert sorted(seen) == sorted(map(str, range(600)))
    assert len(os.listdir(home / "many")) == 400
    shutil.rmtree(home / "many")
    assert not (home / "many").exists()


def test_free_space_is_that_of_the_disk(home: Path, student: Mounted) -> None:
    ours, disk = os.statvfs(home), os.statvfs(student.state)
    assert ours.f_blocks == disk.f_blocks and ours.f_namemax == 255


@pytest.mark.parametrize("engine", ["kernel"], indirect=True)
def test_files_without_a_name_get_one(home: Path) -> None:
    fd = os.open(home, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b"nameless")
    at = os.open(home, os.O_RDONLY)
    os.link(f"/proc/self/fd/{fd}", "named", dst_dir_fd=at, follow_symlinks=True)
    os.close(at)
    os.close(fd)
    assert (home / "named").read_bytes() == b"nameless"


def test_direct_io(home: Path) -> None:
    room = mmap.mmap(-1, 4096)
    room[:] = b"d" * 4096
    fd = os.open(home / "direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    assert os.write(fd, room) == 4096
    os.lseek(fd, 0, os.SEEK_SET)
    assert os.readv(fd, [room]) == 4096 and room[:] == b"d" * 4096
    os.close(fd)
