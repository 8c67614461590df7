"""The broker: agents without rights pass opens through to the files behind, and nothing else."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_commits import Store
from mounted import Mounted

from fuse_mount.held import Held
from fuse_mount.kernel.engine import KernelEngine
from fuse_mount.kernel.mount import MountOptions, close_mount, is_mounted, mount_device
from fuse_mount.kernel.registration import BROKER, CLOSE, DEVICE, FILE, MOUNT, UNMOUNT, Registrar
from fuse_mount.lower import EmptyLower
from fuse_mount.overlay import Caller, Overlay
from fuse_mount.record_log import RecordLog
from fuse_mount.successor import Taken
from fuse_mount.upper import Upper

pytestmark = [pytest.mark.fuse, pytest.mark.root]

NOBODY = 65534


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/tmp") and str(folder).startswith("/tmp/"):
            os.chmod(folder, os.stat(folder).st_mode | 0o711)
    path = tmp_path / "broker.sock"
    monkeypatch.setenv(BROKER, str(path))
    process = subprocess.Popen([sys.executable, "-m", "fuse_mount.broker", str(path)])
    deadline = time.monotonic() + 10
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    yield process
    process.terminate()
    assert process.wait(10) == 0
    assert not path.exists()


def cached_kb() -> int:
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Cached:"))


@contextlib.contextmanager
def without_rights(store: Store, where: Path, name: str, files: dict[str, bytes]) -> Iterator[Mounted]:
    mounted = Mounted(store, where, "kernel", name)
    mounted.switch(files)
    mounted.ask("drop", NOBODY)
    try:
        yield mounted
    finally:
        close_mount(mounted.root)
        mounted.kill()
        time.sleep(0.3)
        assert not is_mounted(mounted.root), "somebody has mounted again what was unmounted"


def test_mounts_of_agents_without_rights_share_the_page_cache(
    broker: subprocess.Popen[bytes], store: Store, tmp_path: Path
) -> None:
    big = os.urandom(24 << 20)
    files = {"big": big, "small": b"s"}
    with without_rights(store, tmp_path, "a", files) as one, without_rights(store, tmp_path, "b", files) as two:
        assert one.read("big") == big
        before = cached_kb()
        assert two.read("big") == big
        assert cached_kb() - before < 12 << 10, "a second copy is in the page cache"
        assert two.read("small") == b"s"


def test_without_a_broker_files_are_read_all_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BROKER, str(tmp_path / "nobody.sock"))
    os.chmod(tmp_path, 0o711)
    big = os.urandom(1 << 20)
    with without_rights(store, tmp_path, "a", {"big": big}) as one:
        assert one.read("big") == big


def test_a_broker_that_dies_takes_nothing_with_it(
    broker: subprocess.Popen[bytes], store: Store, tmp_path: Path
) -> None:
    files = {f"big{n}": os.urandom(1 << 20) for n in range(3)}
    with without_rights(store, tmp_path, "a", files) as one:
        with open(one.path("big0"), "rb") as held:
            broker.send_signal(signal.SIGTERM)
            broker.wait(10)
            assert held.read() == files["big0"]
            assert one.read("big0") == files["big0"] and one.read("big1") == files["big1"]
        assert one.read("big0") == files["big0"] and one.read("big2") == files["big2"]


def test_first_look_at_a_mount_is_not_refused_though_an_invalidation_overtakes_its_answer(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        os.chmod(folder, os.stat(folder).st_mode | 0o711)
    point = tmp_path / "point"
    point.mkdir()
    upper = Upper(tmp_path / "upper", tmp_path / "staging")
    (tmp_path / "upper/a").write_text("a")
    for path, mode in (("upper", 0o700), ("upper/a", 0o600)):
        os.chown(tmp_path / path, NOBODY, NOBODY)
        os.chmod(tmp_path / path, mode)
    overlay = Overlay(EmptyLower(), upper, RecordLog(tmp_path / "log", upper.real), Caller(NOBODY, NOBODY))
    device = mount_device(os.fsencode(point), NOBODY, NOBODY, MountOptions())
    engine = KernelEngine(overlay, point, MountOptions(), Taken(device, Held(), []))
    try:
        assert engine.session.ready.wait(10), "the kernel did not begin"
        before = engine.session.requests
        with overlay.lock:  # so that its first question waits
            looking = os.fork()
            if looking == 0:
                status = 1
                with contextlib.suppress(BaseException):
                    os.setresgid(NOBODY, NOBODY, NOBODY)
                    os.setresuid(NOBODY, NOBODY, NOBODY)
                    status = 0 if os.open(point / "a", os.O_RDONLY) >= 0 else 1
                os._exit(status)
            while engine.session.requests == before:
                time.sleep(0.01)
            engine.session.inval_inode(1)
        assert os.waitstatus_to_exitcode(os.waitpid(looking, 0)[1]) == 0
    finally:
        engine.close()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[int]:
    point = tmp_path / "point"
    point.mkdir()
    upper = Upper(tmp_path / "upper", tmp_path / "staging")
    log = RecordLog(tmp_path / "log", upper.real)
    engine = KernelEngine(Overlay(EmptyLower(), upper, log, Caller(0, 0)), point, MountOptions())
    assert engine.session.ready.wait(10), "the kernel did not begin"
    yield engine.session.fd
    engine.close()


def said(words: bytes, *fds: int, first: tuple[bytes, int] | None = None, uid: int = NOBODY) -> int:
    """What the broker answers a process of some user, perhaps after a first word; 1 for being hung up on."""
    hear, say = os.pipe()
    if os.fork() == 0:
        answer = 255
        with contextlib.suppress(BaseException):
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
                asking.connect(os.environ[BROKER])
                for word, sent in ([(first[0], (first[1],))] if first else []) + [(words, fds)]:
                    socket.send_fds(asking, [word], sent)
                    heard = asking.recv(16)
                answer = -int.from_bytes(heard, "little", signed=True) if heard else 1
        os.write(say, bytes([min(max(answer, 0), 255)]))
        os._exit(0)
    os.wait()
    os.close(say)
    with os.fdopen(hear, "rb") as answers:
        return answers.read()[0]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("a folder", errno.EINVAL),
        ("another's file open for writing", errno.EPERM),
        ("a name without the right to read", errno.EINVAL),
        ("a device", errno.EINVAL),
        ("a file", 0),
    ],
)
def test_the_broker_registers_only_what_the_agent_could_reach(
    what: str, expected: int, broker: subprocess.Popen[bytes], device: int, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"root's")
    fd = {
        "a folder": lambda: os.open(tmp_path, os.O_RDONLY),
        "another's file open for writing": lambda: os.open(secret, os.O_RDWR),
        "a name without the right to read": lambda: os.open(secret, os.O_PATH),
        "a device": lambda: os.open("/dev/null", os.O_RDONLY),
        "a file": lambda: os.open(secret, os.O_RDONLY),
    }[what]()
    assert said(FILE, fd, first=(DEVICE, device)) == expected
    os.close(fd)


def test_the_broker_turns_nonsense_away_and_goes_on(
    broker: subprocess.Popen[bytes], device: int, tmp_path: Path
) -> None:
    with open("/dev/null") as null, open(__file__) as file:
        assert said(DEVICE, null.fileno()) == errno.EINVAL
        assert said(FILE, file.fileno()) == errno.EINVAL, "there is no device yet"
        assert said(b"what") == errno.EINVAL
        assert said(CLOSE + bytes(4), first=(DEVICE, device)) == errno.EINVAL, "it registered nothing"
        assert said(DEVICE, device, first=(DEVICE, device)) == errno.EINVAL
        assert said(b"x" * 1000, *([file.fileno()] * 8)) == errno.EINVAL
        for _ in range(200):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
                asking.connect(os.environ[BROKER])
        registrar = Registrar(device)
        number = registrar.register(file.fileno())
        registrar.close(number)
    fds = len(os.listdir(f"/proc/{broker.pid}/fd"))
    assert fds < 16, "descriptors stay behind"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("another's folder", errno.EPERM),
        ("a file of their own", errno.EPERM),
        ("the kernel's word about a process of their own", errno.EPERM),
        ("a folder of their own", 0),
    ],
)
def test_the_broker_mounts_on_a_folder_of_their_own_only(
    what: str, expected: int, broker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    own, file, other = tmp_path / "own", tmp_path / "file", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    file.touch()
    for one in (own, file):
        os.chown(one, NOBODY, NOBODY)
    with subprocess.Popen(["sleep", "60"], user=NOBODY) as process:
        point = {
            "another's folder": other,
            "a file of their own": file,
            "the kernel's word about a process of their own": Path(f"/proc/{process.pid}/task"),
            "a folder of their own": own,
        }[what]
        fd = os.open(point, os.O_PATH)
        assert said(MOUNT, fd) == expected
        os.close(fd)
        process.kill()
    table = Path("/proc/self/mountinfo").read_text()
    lines = [line for line in table.splitlines() if str(tmp_path) in line]
    assert len(lines) == (expected == 0)
    if lines:
        assert {"nosuid", "nodev"} <= set(lines[0].split()[5].split(","))
        assert f"user_id={NOBODY}," in lines[0] and "allow_other" not in lines[0]
        top = os.open(own, os.O_PATH)
        assert said(UNMOUNT, top, uid=NOBODY - 1) == errno.EPERM, "another user's mount"
        assert said(UNMOUNT, top) == 0
        os.close(top)
        assert not is_mounted(own)
    under = os.open(tmp_path, os.O_PATH)
    assert said(UNMOUNT, under, uid=0) == errno.EPERM, "not one of ours at all"
    os.close(under)


def test_the_broker_bounds_the_mounts_of_a_user(broker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    fd = os.open(own, os.O_PATH)
    answers = [said(MOUNT, fd) for _ in range(66)]
    assert answers == [0] * 64 + [errno.EMFILE] * 2
    os.close(fd)
    while is_mounted(own):
        close_mount(own)
