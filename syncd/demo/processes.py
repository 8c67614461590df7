"""The demo's processes: started one after another, each until it says it is ready, and all ended together."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from syncd.core.errors import Stop

_PATIENCE_S = 60.0
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel end this child if the demo itself is killed (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def as_account(number: int | None) -> dict[str, Any]:
    """What subprocess wants to be told to run something as this account; None: as we are."""
    return {} if number is None else {"user": number, "group": number, "extra_groups": []}


class Processes:
    """Child processes in sessions of their own, so that Ctrl-C reaches the demo alone."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        module: str,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        account: int | None = None,
    ) -> Any:
        """Run `python -m module`, wait for its ready file and return what that says; root may run it as another.

        Stop, with the end of its log, if it ends or stays silent for a minute.
        """
        ready = self._logs / f"{name}.ready"
        if account is not None:
            ready = self._logs / f"of-{account}" / ready.name
            ready.parent.mkdir(exist_ok=True)
            os.chown(ready.parent, account, account)
        ready.unlink(missing_ok=True)
        log = self._logs / f"{name}.log"
        argv = [sys.executable, "-m", module, *map(str, arguments), "--ready-file", str(ready)]
        with open(log, "ab") as out:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                preexec_fn=end_with_parent,
                **as_account(account),
            )
        self._running[name] = child
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if ready.exists():
                return json.loads(ready.read_text() or "{}")
            if child.poll() is not None:
                break
            time.sleep(0.01)
        words = log.read_text(errors="replace").strip().splitlines()
        raise Stop(f"{name} did not start: {words[-1] if words else 'it said nothing'} (see {log})")

    def run(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, account: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one `syncd` command to its end."""
        argv = [sys.executable, "-m", "syncd", *map(str, arguments)]
        environment = {**os.environ, **(env or {})}
        return subprocess.run(
            argv,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            **as_account(account),
        )

    def kill(self, name: str) -> None:
        """Kill one process as a crash would."""
        child = self._running.pop(name)
        child.kill()
        child.wait()

    def ended(self) -> str | None:
        """The name of a process that ended by itself, if any did."""
        return next((name for name, child in self._running.items() if child.poll() is not None), None)

    def stop(self) -> None:
        """End all, the last started first; kill what does not end within ten seconds."""
        for child in reversed(self._running.values()):
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def unmount_below(root: Path) -> None:
    """Take away what an agent that was killed left mounted: whoever stands in for it ends with the mount."""
    table = Path("/proc/self/mountinfo")
    if not table.exists():
        return
    points = [line.split(" ")[4].replace("\\040", " ") for line in table.read_text().splitlines()]
    for point in points:
        if point.startswith(f"{root}/"):
            command = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
            subprocess.run([*command, point], capture_output=True, check=False)
            with contextlib.suppress(OSError):
                os.rmdir(point)  # an empty mountpoint looks like a folder that lost everything
