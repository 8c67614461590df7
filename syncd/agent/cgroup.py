"""A control group of its own for each agent, where we were given a part of the tree (systemd: Delegate=yes)."""

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)
_WANTED = ("memory", "pids")
_OURS = "parent"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one agent may use: bytes of memory and processes (with threads)."""

    memory: int = 256 << 20
    """Of memory, and of swap as much again."""
    pids: int = 128


class Groups:
    """Makes a group for each agent.  Without a part of the tree of our own (or with cgroup v1) nothing is limited."""

    def __init__(self, top: Path | None, limits: Limits) -> None:
        """`top` is the group that is ours; see `delegated`."""
        self._top, self._limits = top, limits
        self._given: frozenset[str] = frozenset()
        if top is None:
            _log.info("no part of the cgroup tree is ours (systemd: Delegate=yes), so agents have no limits of memory")
            return
        try:
            # A group with limits for its children holds no process itself, so we move aside.
            (top / _OURS).mkdir(exist_ok=True)
            (top / _OURS / "cgroup.procs").write_text(str(os.getpid()))
            offered = (top / "cgroup.controllers").read_text().split()
            self._given = frozenset(_WANTED) & frozenset(offered)
            if missing := [one for one in _WANTED if one not in self._given]:
                _log.warning("agents have no limits of %s: our part of the cgroup tree lacks them", ", ".join(missing))
            if self._given:
                (top / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in sorted(self._given)))
        except OSError as error:
            _log.warning("agents have no limits of memory: %s", error)
            self._top = None

    def add(self, uid: int, pid: int) -> None:
        """Put an agent into a group of its own."""
        if self._top is None:
            return
        group = self._top / f"agent-{uid}"
        try:
            group.mkdir(exist_ok=True)
            if "memory" in self._given:
                (group / "memory.max").write_text(str(self._limits.memory))
                with contextlib.suppress(FileNotFoundError):  # a kernel without swap
                    (group / "memory.swap.max").write_text(str(self._limits.memory))
            if "pids" in self._given:
                (group / "pids.max").write_text(str(self._limits.pids))
            (group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            _log.warning("the agent of user %s has no limits: %s", uid, error)

    def remove(self, uid: int) -> None:
        """An agent ended; a group in which something is left stays."""
        if self._top is not None:
            with contextlib.suppress(OSError):
                (self._top / f"agent-{uid}").rmdir()


def delegated() -> Path | None:
    """The group of ours whose tree we may divide; None if we share it with others."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            number, _, path = line.split(":", 2)
            if number == "0" and path != "/":
                top = Path("/sys/fs/cgroup") / path.lstrip("/")
                top = top.parent if top.name == _OURS else top
                if (top / "cgroup.controllers").exists() and _is_given(top):
                    return top
    return None


def _is_given(top: Path) -> bool:
    # systemd marks what it gives away by an extended attribute (systemd.resource-control, Delegate=).
    try:
        return bool({"trusted.delegate", "user.delegate"} & set(os.listxattr(top)))
    except OSError:
        return False
