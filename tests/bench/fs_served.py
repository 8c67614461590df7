"""Views in processes of their own, all forked from one that has imported everything; and what a bench asks of them.

    python -m tests.bench.fs_served DESCRIPTOR      the parent of all views; ends when its socket is closed

A view ends, and takes its mount away, when its socket is closed: also when the bench was killed.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from fuse_mount.kernel.mount import close_mount, is_mounted
from fuse_mount.view import OverlayView, open_view
from syncd.blobs import BlobFolder, Snapshot
from syncd.core.entry import CommitId
from syncd.manifest import Manifest, difference, since_agreed
from syncd.view import Update

_PATIENCE_S = 300.0
_END_S = 30.0


@dataclass(frozen=True)
class Course:
    """A commit in a node's store."""

    store: str
    commit: str


@dataclass(frozen=True)
class Applied:
    """One switch: when it was asked for and when it returned, on the clock that all processes share."""

    asked: float
    returned: float


class Served:
    """One view, served by a process of its own."""

    def __init__(self, root: Path, talk: socket.socket) -> None:
        """Returns once it is mounted."""
        self.root = root
        self._socket = talk
        self._socket.settimeout(_PATIENCE_S)
        self._lines = talk.makefile("r")
        self.pid = int(self._hear())

    def requests(self) -> int:
        """How many requests of the kernel have reached it; -1 if its engine doesn't count."""
        return int(self.ask("requests"))

    def prepare(self, commit: str) -> None:
        """Do what an agent does before a switch: look at what the student changed and what the commit changes."""
        self.ask("prepare", commit)

    def begin_apply(self) -> None:
        """Switch to what was prepared; `applied` waits for it."""
        self._say("apply")

    def applied(self) -> Applied:
        """Wait for the switch."""
        return Applied(*self._hear())

    def close(self) -> None:
        """Take the mount away, whatever has become of the process."""
        with contextlib.suppress(OSError, RuntimeError):
            self.ask("close")
        self._lines.close()
        self._socket.close()
        if is_mounted(self.root):
            close_mount(self.root)

    def ask(self, *order: str) -> Any:
        """One order, and its answer."""
        self._say(*order)
        return self._hear()

    def _say(self, *order: str) -> None:
        self._socket.sendall(json.dumps(order).encode() + b"\n")

    def _hear(self) -> Any:
        line = self._lines.readline()
        if not line:
            raise RuntimeError(f"the process that serves {self.root} has died")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"serving {self.root}: {answer['error']}")
        return answer["ok"]


class Nursery:
    """How views are started, in one place: today each is forked from one process that has imported everything."""

    def __enter__(self) -> "Nursery":
        """Start the parent: out of reach of the terminal's Ctrl-C, which is for us."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.bench.fs_served", str(theirs.fileno())]
            self._parent = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True)
        self._started: list[tuple[Path, socket.socket]] = []
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        for _, talk in self._started:
            with contextlib.suppress(OSError):
                talk.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        try:
            self._parent.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._parent.pid, signal.SIGKILL)
            self._parent.wait()
        for root, _ in self._started:
            if is_mounted(root):
                close_mount(root)

    def start(self, where: Path, course: Course, engine: str = "kernel") -> Served:
        """Mount a course at `where`; its state lies beside it."""
        ours, theirs = socket.socketpair()
        with theirs:
            order = {"root": str(where), "state": f"{where}.state", "engine": engine, **asdict(course)}
            self._started.append((where, ours))
            socket.send_fds(self._socket, [json.dumps(order).encode()], [theirs.fileno()])
        return Served(where, ours)

    def processes(self, views: list[Served]) -> set[int]:
        """All processes without which these views would not be served."""
        return {self._parent.pid, *(view.pid for view in views)}


class _Serving:
    """The other side: in the forked process."""

    def __init__(self, order: dict[str, str]) -> None:
        self._store = Path(order["store"])
        self._next: Update | None = None
        view = open_view(Path(order["root"]), Path(order["state"]), self._snapshot, 0.0, order["engine"])
        assert isinstance(view, OverlayView)
        self._view = view
        if view.base is None:
            view.observe()
            view.apply(Update(self._snapshot(CommitId(order["commit"])), ()))

    def serve(self, talk: socket.socket) -> None:
        orders: dict[str, Callable[..., object]] = {
            "requests": lambda: getattr(getattr(self._view.engine, "session", None), "requests", -1),
            "prepare": self._prepare,
            "apply": self._apply,
            "close": self._view.close,
        }
        try:
            _answer(talk, os.getpid())
            for line in talk.makefile("r"):
                name, *words = json.loads(line)
                _answer(talk, orders[name](*words))
        finally:
            self._view.close()

    def _snapshot(self, commit: CommitId) -> Snapshot:
        return Snapshot(Manifest(self._store / "manifests" / commit), BlobFolder(self._store / "blobs"))

    def _prepare(self, commit: str) -> None:
        view, to = self._view, self._snapshot(CommitId(commit))
        old = self._snapshot(view.base).manifest if view.base is not None else None
        view.observe()
        between = difference(old, to.manifest)
        since_agreed(between, to.manifest, view.waiting)
        self._next = Update(to, (), between)

    def _apply(self) -> tuple[float, float]:
        assert self._next is not None
        asked = time.monotonic()
        refused = self._view.apply(self._next)
        returned = time.monotonic()
        assert not refused, refused
        return asked, returned


def _answer(talk: socket.socket, what: object) -> None:
    talk.sendall(json.dumps({"ok": what}).encode() + b"\n")


def _child(order: dict[str, str], talk: socket.socket) -> None:
    try:
        _Serving(order).serve(talk)
    except Exception:  # noqa: BLE001  (said to whoever asked; then this process ends)
        with contextlib.suppress(OSError):
            talk.sendall(json.dumps({"error": traceback.format_exc()}).encode() + b"\n")


def main() -> None:
    """Fork a view for each order that comes."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    orders.set_inheritable(False)
    gc.collect()
    gc.freeze()
    while True:
        said, fds, _, _ = socket.recv_fds(orders, 1 << 16, 1)
        if not said:
            break
        talk = socket.socket(fileno=fds[0])
        if os.fork() == 0:
            try:
                orders.close()
                _child(json.loads(said), talk)
            finally:
                os._exit(0)
        talk.close()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    main()
