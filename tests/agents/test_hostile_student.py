"""A student who is not kind, on a node with others: what they try costs themselves at most."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from arrived_class import ADA, BEN, FIRST, Class, push, told
from class_node import until

pytestmark = [pytest.mark.root, pytest.mark.fuse, pytest.mark.slow]
STATE = ".local/state/synced-folders/agent/courses/ds8"

_PRY = """
import errno
libc = ctypes.CDLL(None, use_errno=True)
pid = %d
found = []
pidfd = os.pidfd_open(pid)
class Part(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
mine, theirs = Part(ctypes.addressof(ctypes.create_string_buffer(8)), 8), Part(0x400000, 8)
for name, call in (
    ("attach", lambda: libc.ptrace(16, pid, 0, 0)),
    ("seize", lambda: libc.ptrace(0x4206, pid, 0, 0)),
    ("descriptor", lambda: libc.syscall(438, pidfd, 3, 0)),
    ("memory", lambda: libc.process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)),
):
    ctypes.set_errno(0)
    if call() >= 0 or ctypes.get_errno() != errno.EPERM:
        found.append((name, ctypes.get_errno()))
for what in ("mem", "environ", "maps", "fd", "root", "cwd/x", "task/%%d/mem" %% pid, "map_files", "fdinfo", "auxv"):
    path = "/proc/%%d/%%s" %% (pid, what)
    try:
        os.listdir(path) if os.path.isdir(path) else os.open(path, os.O_RDONLY)
        found.append(what)
    except OSError:
        pass
print(found)
"""


def ready(hub: Class, user: str) -> bool:
    return bool(hub.ask("ensure", user)["folders"][0]["state"] == "ready")


async def test_nobody_looks_into_an_agent_neither_its_student_nor_others(arrived: Class) -> None:
    def story(hub: Class) -> None:
        assert ready(hub, ADA) and ready(hub, BEN)
        for who in (ADA, BEN):
            assert hub.node.run_as(who, _PRY % hub.pid(ADA)) == "[]\n"
        parent = hub.node.processes["parent"].pid
        assert hub.node.run_as(ADA, _PRY % parent) == "[]\n"

    await told(arrived, story)


TRICKS = (
    "os.symlink('/home', place)",
    "os.symlink(os.path.dirname(home) + '/ben', place)",
    "os.mkdir(home + '/own'); os.symlink(home + '/own', place)",
    "os.symlink(place, place)",
    "os.mkfifo(place)",
    "open(place, 'w').write('mine')",
    "os.mkdir(place); open(place + '/mine', 'w').close(); os.chmod(place, 0)",
)


async def test_whatever_is_at_the_mounts_place_nothing_is_mounted_elsewhere(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        place = node.home(ADA) / "ds8"
        names = f"home, place = {str(node.home(ADA))!r}, {str(place)!r}\n"
        places = {str(place), *(str(node.home(BEN) / name) for name in ("ds8", "stat"))}
        before = node.home(BEN).stat()
        assert ready(hub, ADA)
        for number, trick in enumerate(TRICKS):
            hub.ask("end", ADA)
            until(lambda: all(agent["user"] != ADA for agent in hub.ask("list")["agents"]))
            node.run_as(ADA, f"{names}if os.path.isdir(place):\n os.rmdir(place)\n{trick}")
            hub.ask("ensure", ADA, wait_s=0.5)
            assert ready(hub, BEN), "others are served all the same"
            assert set(node.mounts()) <= places, trick
            after = node.home(BEN).stat()
            assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid), trick
            away = f"os.path.islink(place) or os.chmod(place, 0o700)\nos.rename(place, place + '.{number}')"
            node.run_as(ADA, f"{names}if not os.path.ismount(place):\n {away.replace(chr(10), chr(10) + ' ')}")
            until(lambda: ready(hub, ADA))
            assert node.read(ADA, "ds8/lab/a.txt") == "one\n", trick

    await told(arrived, story)


async def test_agent_that_its_student_has_stopped_holds_nobody_up_and_ends_all_the_same(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        assert ready(hub, ADA) and ready(hub, BEN)
        pid = hub.pid(ADA)
        node.run_as(ADA, f"os.kill({pid}, {int(signal.SIGSTOP)})\n{_LOOK % str(node.home(ADA) / 'ds8')}")
        for turn in range(3):
            push(hub, {**FIRST, "lab/a.txt": f"{turn}\n", f"new{turn}/b.txt": "b\n"})
            until(lambda turn=turn: node.read(BEN, "ds8/lab/a.txt") == f"{turn}\n")  # type: ignore[misc]
        assert ready(hub, BEN)
        hub.ask("end", ADA)
        until(lambda: not Path(f"/proc/{pid}").exists())
        until(lambda: ready(hub, ADA))
        assert node.read(ADA, "ds8/lab/a.txt") == "2\n"

    await told(arrived, story)


_LOOK = """
os.chdir("/")
for what in (lambda: os.listdir(%r), lambda: open("ds8/big.bin").read()):
    if os.fork() == 0:
        os.setsid()
        for fd in (0, 1, 2):
            os.close(fd)
        what()
        os._exit(0)
"""


async def test_what_a_student_does_to_the_layer_itself_hurts_that_folder_at_most(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        assert ready(hub, ADA) and ready(hub, BEN)
        node.run_as(ADA, _MESS.replace("STATE", str(node.home(ADA) / STATE)))
        push(hub, {**FIRST, "lab/a.txt": "two\n", "deep/b.txt": "b\n"})
        until(lambda: node.read(BEN, "ds8/lab/a.txt") == "two\n")
        hub.ask("end", ADA)
        until(lambda: all(agent["user"] != ADA for agent in hub.ask("list")["agents"]))
        assert ready(hub, ADA), "the folder comes back"
        assert ready(hub, BEN)
        subprocess.run(["rm", "-r", node.home(ADA) / STATE / "view/upper/deep"], check=True)  # deeper than Python can

    await told(arrived, story)


_MESS = """
upper = "STATE/view/upper"
os.makedirs(upper + "/lab", exist_ok=True)
os.mkfifo(upper + "/lab/a.txt")
os.symlink("/etc", upper + "/etc")
os.symlink("/etc/shadow", upper + "/shadow")
os.mkdir(upper + "/closed", 0)
os.mkfifo(upper + "/../staging/left")
at = os.open(upper, os.O_RDONLY)
for _ in range(3000):
    os.mkdir("deep", dir_fd=at)
    below = os.open("deep", os.O_RDONLY, dir_fd=at)
    os.close(at)
    at = below
"""


async def test_floods_on_the_sockets_of_the_root_parts_stall_nobody(arrived: Class) -> None:
    def story(hub: Class) -> None:
        node = hub.node
        script = _FLOOD.replace("BROKER", str(node.broker)).replace("PARENT", str(node.agents))
        assert node.run_as(ADA, script.replace("HOME", str(node.home(ADA)))) == "", "the parent is not for students"
        until(lambda: (node.home(ADA) / "flooding").exists())
        began = time.monotonic()
        for _ in range(3):
            assert ready(hub, BEN)
            assert node.read(BEN, "ds8/lab/a.txt") == "one\n"
            hub.ask("end", BEN)
            until(lambda: not hub.ask("list")["agents"])
        assert time.monotonic() - began < 60
        for name in ("broker", "parent"):
            assert node.processes[name].poll() is None
            assert len(os.listdir(f"/proc/{node.processes[name].pid}/fd")) < 200

    await told(arrived, story)


_FLOOD = """
import time
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect("PARENT")
    print("open")
except PermissionError:
    pass

for number in range(3):
    if os.fork() == 0:
        os.setsid()
        for fd in (0, 1, 2):
            os.close(fd)
        kept, end = [], time.monotonic() + 30
        null = os.open("/dev/null", os.O_RDONLY)
        while time.monotonic() < end:
            asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            asking.setblocking(False)
            try:
                asking.connect("BROKER")
                for _ in range(50):
                    socket.send_fds(asking, [os.urandom(5)], [null] * 8)
            except OSError:
                pass
            kept = [*kept[-200:], asking]
            if number == 0 and len(kept) == 100:
                open("HOME/flooding", "w").close()
        os._exit(0)
"""
