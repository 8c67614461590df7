"""A machine of our own: this machine's files under an overlay, booted by a real systemd in a container.

What happens in it stays in it; `reboot` keeps its disk.  It has no network but its own loopback.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
OPT = Path("/opt/synced-folders")
PYTHON = OPT / "python/bin" / Path(os.path.realpath(sys.executable)).name
PATH = f"{OPT}/source:{OPT}/venv/{Path(sysconfig.get_path('purelib')).relative_to(sys.prefix)}"
"""Where our Python and what it imports are in there."""
_BOOT_S = 60.0


def missing() -> str | None:
    """Why no such machine can be had here; None if it can."""
    if os.geteuid() != 0:
        return "not root"
    return None if shutil.which("systemd-nspawn") else "no systemd-nspawn (Debian's systemd-container)"


class Booted:
    """Enter it to boot; `share` is a folder that both sides see, at the same path."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.share = folder, folder / "share"
        self._root = folder / "root"
        self._container: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> "Booted":
        for name in ("disk", "root", "share"):
            (self.folder / name).mkdir(parents=True)
        self.share.chmod(0o755)
        device = self.folder / "fuse"
        os.mknod(device, 0o20666, os.makedev(10, 229))
        device.chmod(0o666)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.folder / "disk"], check=True)
        upper, work = self.folder / "disk/upper", self.folder / "disk/work"
        upper.mkdir()
        work.mkdir()
        options = f"lowerdir=/,upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self._root], check=True)
        self._furnish()
        self._boot()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        for place in ("root", "disk"):
            subprocess.run(["umount", "-l", self.folder / place], check=False)

    def run(self, *command: str | Path, check: bool = True, user: str | None = None) -> str:
        """Run a command in it; what it wrote.  AssertionError with all it said if it fails."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        inside = ["nsenter", "-t", str(self._leader), "-m", "-p", "-u", "-i", "-n", "-C", "--", *as_user]
        done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False, cwd="/", timeout=60)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self._journal()}"
        return done.stdout

    def until(self, fits: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
        """Wait for something."""
        end = time.monotonic() + within_s
        while not fits():
            assert time.monotonic() < end, f"{what}: not within {within_s} s\n{self._journal()}"
            time.sleep(0.1)

    def is_active(self, unit: str) -> bool:
        """Whether a unit is up (and, for a notifying one, ready)."""
        return self.run("systemctl", "is-active", unit, check=False).strip() == "active"

    def fact(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def reboot(self) -> None:
        """Stop it as a machine is stopped, and start it with the same disk."""
        self.run("systemctl", "poweroff", check=False)
        assert self._container is not None
        self._container.wait(60)
        self._boot()

    def _furnish(self) -> None:
        """Our programs where they would be installed, and nothing of this machine's own services of ours."""
        source = self._root / OPT.relative_to("/")
        for room in ("syncd", "fuse_mount", "hub_plugin", "systemd"):
            shutil.copytree(ROOT / room, source / "source" / room, ignore=shutil.ignore_patterns("__pycache__"))
        (source / "venv").mkdir()
        (source / "python").mkdir()
        (source / "bin").mkdir()
        for name, start in (("syncd", "-m syncd "), ("python", "")):
            script = source / "bin" / name
            lines = [
                "#!/bin/sh",
                f"export PYTHONPATH={PATH} LD_LIBRARY_PATH={OPT}/python/lib PYTHONDONTWRITEBYTECODE=1",
            ]
            script.write_text("\n".join([*lines, f'exec {PYTHON} {start}"$@"', ""]))
            script.chmod(0o755)
        for path in (source, *source.rglob("*")):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))

    def _boot(self) -> None:
        command = ["systemd-nspawn", "-q", "-D", self._root, "--boot", "--private-network", "--register=no"]
        command += ["--keep-unit", f"--machine=syncd-{os.getpid()}", f"--bind={self.folder / 'fuse'}:/dev/fuse"]
        command += [f"--bind={self.share}", f"--bind-ro={sys.prefix}:{OPT}/venv"]
        command += [f"--bind-ro={sys.base_prefix}:{OPT}/python"]  # where hardened units see it, too
        with open(self.folder / "boot.log", "ab") as log:
            self._container = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + _BOOT_S
        while not self._booted():
            if time.monotonic() > end or self._container.poll() is not None:
                log_text = (self.folder / "boot.log").read_text(errors="replace")
                raise AssertionError(f"The container did not boot: {log_text[-2000:]}")
            time.sleep(0.1)

    def _booted(self) -> bool:
        assert self._container is not None
        try:
            children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children").read_text().split()
        except OSError:
            return False
        for child in children:
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{child}/ns/pid") != os.readlink("/proc/self/ns/pid"):
                    self._leader = int(child)
                    state = self.run("systemctl", "is-system-running", check=False).strip()
                    return state in ("running", "degraded")
        return False

    def _end(self) -> None:
        if self._container is None or self._container.poll() is not None:
            return
        self.run("systemctl", "poweroff", "--force", "--force", check=False)
        try:
            self._container.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._container.pid, signal.SIGKILL)
            self._container.wait()

    def _journal(self) -> str:
        inside = ["nsenter", "-t", str(self._leader), "-m", "-p", "-u", "-i", "-n", "-C", "--"]
        command = [
            *inside,
            "journalctl",
            "--no-pager",
            "-n",
            "40",
            "-o",
            "short-monotonic",
            "-u",
            "syncd*",
            "-u",
            "hub",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        return done.stdout + done.stderr
