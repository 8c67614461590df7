"""A node with a class of students: node service, broker and parent as real processes, users that exist only for them.

All run in a mount namespace of their own, whose /etc/passwd has the students: nothing is added to the
machine, and every mount ends with it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
_FIRST_UID = 100_000 + os.getpid() % 1_000_000 * 1_000  # classes of several runs at once are not each other's
_AS = """
import ctypes, os, select, socket, sys
uid = int(sys.argv[1])
if uid:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
exec(sys.argv[2])
"""


class ClassNode:
    """The processes of one node; an own context."""

    def __init__(self, root: Path, names: Sequence[str], machine: str = "", homes: Path | None = None) -> None:
        """`machine`: a name of its own, as if it had been booted apart; `homes`: those of another node."""
        self.root, self._machine, self._homes = root, machine, homes or root / "home"
        self.names = list(names)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for folder in (root, *root.parents):
            if folder != Path("/") and os.stat(folder).st_uid == os.geteuid() and folder != Path("/tmp"):
                folder.chmod(folder.stat().st_mode | 0o711)
        lines = Path("/etc/passwd").read_text()
        self._homes.mkdir(mode=0o755, exist_ok=True)
        (root / "logs").mkdir()
        for name in self.names:
            lines += f"{name}:x:{self.uid(name)}:{self.uid(name)}::{self.home(name)}:/bin/sh\n"
            self.home(name).mkdir(mode=0o700, exist_ok=True)
            os.chown(self.home(name), self.uid(name), self.uid(name))
        (root / "passwd").write_text(lines)
        (root / "boot").write_text(f"boot-of-{machine}\n")

    def __enter__(self) -> "ClassNode":
        holder = ["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c"]
        apart = f"mount --bind {self.root}/boot /proc/sys/kernel/random/boot_id && hostname {self._machine} && "
        passwd = f"mount --bind {self.root}/passwd /etc/passwd && "
        holder.append(f"{passwd}{apart if self._machine else ''}echo up && exec sleep infinity")
        self._holder = subprocess.Popen(holder, stdout=subprocess.PIPE, start_new_session=True)
        assert self._holder.stdout is not None and self._holder.stdout.readline() == b"up\n"
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.stop(name)
        for pid in self.of_students():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._holder.kill()
        self._holder.wait()

    def uid(self, name: str) -> int:
        return _FIRST_UID + self.names.index(name)

    def home(self, name: str) -> Path:
        return self._homes / name

    @property
    def namespace(self) -> str:
        """Where the mounts are."""
        return f"/proc/{self._holder.pid}/ns/mnt"

    @property
    def inside(self) -> list[str]:
        """What begins a command that runs where the mounts are."""
        uts = f"--uts=/proc/{self._holder.pid}/ns/uts"
        return ["nsenter", f"--mount={self.namespace}", uts, f"--wd={self.root}"]

    def settings(self, courses: Sequence[str]) -> Path:
        """Write the node's settings: TOML of courses."""
        path = self.root / "node.toml"
        path.write_text(f'store = "{self.root}/store"\npoll_seconds = 60\n' + "".join(courses))
        return path

    def start(self, name: str, *command: str | Path, **environment: str) -> Any:
        """Start a process, and wait for its ready file (or, for the broker, its socket); what the file says."""
        ready = self.root / f"{name}.ready"
        ready.unlink(missing_ok=True)
        more = [] if name == "broker" else ["--ready-file", ready]
        waited_for = self.broker if name == "broker" else ready
        with open(self.root / "logs" / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.inside, sys.executable, "-m", *map(str, (*command, *more))],
                stdout=log,
                stderr=log,
                env={**os.environ, "SYNCD_BROKER": str(self.broker), **environment},
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not waited_for.exists():
            assert self.processes[name].poll() is None and time.monotonic() < deadline, self.log(name)
            time.sleep(0.005)
        return {} if name == "broker" else json.loads(ready.read_text())

    def start_all(self, courses: Sequence[str], idle_s: float = 600.0, quiet_s: float = 0.0) -> None:
        settings = self.settings(courses)
        self.start("node", "syncd", "node", "--config", settings)
        self.start("broker", "fuse_mount.broker", self.broker)
        self.start_parent(idle_s, quiet_s)

    def start_parent(self, idle_s: float = 600.0, quiet_s: float = 0.0, *more: str) -> None:
        places = ["--socket", self.agents, "--records", self.root / "records"]
        numbers = ["--idle", str(idle_s), "--quiet", str(quiet_s), *more]
        self.start("parent", "syncd", "agents", "run", "--config", self.root / "node.toml", *places, *numbers)

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    @property
    def broker(self) -> Path:
        return self.root / "broker.sock"

    @property
    def agents(self) -> Path:
        return self.root / "agents.sock"

    def log(self, name: str) -> str:
        return (self.root / "logs" / f"{name}.log").read_text()

    def run_as(self, name: str | None, code: str) -> str:
        """Run Python as a student (None: root), where the mounts are; its output."""
        argv = [*self.inside, sys.executable, "-c", _AS, str(self.uid(name) if name else 0), code]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
        return done.stdout

    def read(self, name: str, path: str) -> str:
        return self.run_as(name, f"print(open({str(self.home(name) / path)!r}).read(), end='')")

    def mounts(self) -> list[str]:
        """Where folders are mounted."""
        table = Path(f"/proc/{self._holder.pid}/mountinfo").read_text().splitlines()
        points = [line.split()[4] for line in table if " fuse.synced-folders " in line]
        return [point for point in points if point.startswith(str(self._homes))]

    def of_students(self) -> list[int]:
        """All processes of students here, agents included."""
        found = []
        for entry in os.scandir("/proc"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                words = Path(f"/proc/{int(entry.name)}/status").read_text().partition("Uid:")[2].split()
                if _FIRST_UID <= int(words[0]) < _FIRST_UID + len(self.names):
                    found.append(int(entry.name))
        return found


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def class_node(root: Path, names: Sequence[str]) -> Iterator[ClassNode]:
    with ClassNode(root, names) as node:
        yield node
