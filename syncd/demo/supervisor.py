"""Runs the hub's demo in a process below this one, and sees to it that nothing of it is left, however it ends."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from syncd.demo.processes import end_with_parent

HUB_UNAVAILABLE = 3
"""Exit status of a demo whose hub did not come up."""
_ENDS_WITHIN_S = 20.0
_SWEPT_WITHIN_S = 5.0
_PR_SET_CHILD_SUBREAPER = 36


def why_no_hub() -> str | None:
    """Why there can't be a hub here, if so."""
    missing = [name for name in ("jupyterhub", "jupyterlab") if importlib.util.find_spec(name) is None]
    if not (Path(sys.executable).parent / "configurable-http-proxy").exists():
        missing.append("configurable-http-proxy")
    if missing:
        return f"not installed: {', '.join(missing)}; `make demo` in a checkout installs all of it"
    return None


def may_have_accounts() -> bool:
    """Whether we can have accounts that nobody else sees: root, and a mount namespace to be had."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


def supervise(argv: Sequence[str], *, private: bool) -> int:
    """Run `syncd` with these arguments, in a mount namespace of its own if `private`; its exit status.

    KeyboardInterrupt (Ctrl-C) ends it first and is passed on then.  Orphans of it become ours, and end with it.
    """
    _adopt_orphans()
    command = [sys.executable, "-m", "syncd", *argv]
    child = subprocess.Popen(
        ["unshare", "-m", *command] if private else command, start_new_session=True, preexec_fn=end_with_parent
    )
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C ends the waiting
            child.wait(_ENDS_WITHIN_S)
        raise
    finally:
        _sweep(child)


def _adopt_orphans() -> None:
    """Servers and agents may outlive who started them: then they become ours (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _sweep(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.kill()
        child.wait()
    deadline = time.monotonic() + _SWEPT_WITHIN_S
    number = signal.SIGTERM
    while (orphans := _children()) and time.monotonic() < deadline:
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(orphan, number)
        # What ends late is killed; its own orphans come to us in the next round.
        time.sleep(0.2)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > deadline - _SWEPT_WITHIN_S / 2:
            number = signal.SIGKILL


def _children() -> list[int]:
    """The processes whose parent we are."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            _, _, facts = stat.read_text().rpartition(") ")
            if int(facts.split()[1]) == os.getpid() and facts[0] != "Z":
                found.append(int(stat.parent.name))
    return found
