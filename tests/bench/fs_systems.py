"""The systems that are compared: one tree, shown five ways, all at the same time."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from fuse_mount.kernel.mount import is_mounted
from fuse_mount.view import available
from tests.bench.fs_served import Course, Nursery, Served
from tests.bench.fs_trees import Lower


class Absent(Exception):
    """A system can't be had here; the sentence says why."""


@dataclass(frozen=True)
class System:
    """A folder that shows the tree and can be written to."""

    name: str
    root: Path
    served: Served | None = None
    """The process behind it, if it is ours."""


@contextlib.contextmanager
def _native(at: Path, lower: Lower, nursery: Nursery) -> Iterator[System]:
    """A folder of its own on the disk itself."""
    root = at / "native"
    shutil.copytree(lower.folder, root, symlinks=True)
    yield System("native", root)


@contextlib.contextmanager
def _overlayfs(at: Path, lower: Lower, nursery: Nursery) -> Iterator[System]:
    if os.geteuid() != 0:
        raise Absent("The kernel's overlayfs is left out: mounting it needs root.")
    root, layers = _layers(at, "overlayfs", lower)
    done = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", layers, str(root)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Absent(f"The kernel's overlayfs is left out: {done.stderr.strip()}")
    try:
        yield System("overlayfs", root)
    finally:
        _unmount("umount", "-l", root)


@contextlib.contextmanager
def _fuse_overlayfs(at: Path, lower: Lower, nursery: Nursery) -> Iterator[System]:
    if shutil.which("fuse-overlayfs") is None:
        raise Absent("fuse-overlayfs is left out: it is not installed (Debian: apt install fuse-overlayfs).")
    root, layers = _layers(at, "fuse_overlayfs", lower)
    said = root.with_name("said")
    with said.open("w") as words:
        process = subprocess.Popen(
            ["fuse-overlayfs", "-f", "-o", layers, str(root)], stderr=words, start_new_session=True
        )
    try:
        if not _wait_for_mount(root, process):
            raise Absent(f"fuse-overlayfs is left out: {said.read_text().strip()}")
        yield System("fuse_overlayfs", root)
    finally:
        if is_mounted(root):
            _unmount("fusermount3" if os.geteuid() else "umount", "-uz" if os.geteuid() else "-l", root)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


def _layers(at: Path, name: str, lower: Lower) -> tuple[Path, str]:
    """A mountpoint, and the options that name the layers."""
    root, upper, work = (at / name / part for part in ("root", "upper", "work"))
    for folder in (root, upper, work):
        folder.mkdir(parents=True)
    return root, f"lowerdir={lower.folder},upperdir={upper},workdir={work}"


def _wait_for_mount(root: Path, process: "subprocess.Popen[bytes]") -> bool:
    for _ in range(500):
        if is_mounted(root):
            return True
        if process.poll() is not None:
            break
        time.sleep(0.01)
    return False


def _unmount(command: str, flag: str, root: Path) -> None:
    subprocess.run([command, flag, str(root)], capture_output=True, check=False)


def _ours(name: str, engine: str) -> "Opening":
    @contextlib.contextmanager
    def opened(at: Path, lower: Lower, nursery: Nursery) -> Iterator[System]:
        why_not = available()
        if why_not:
            raise Absent(f"{name} is left out: {why_not}")
        served = nursery.start(at / name, Course(str(lower.store), lower.commit), engine)
        try:
            yield System(name, served.root, served)
        finally:
            served.close()

    return opened


Opening = Callable[[Path, Lower, Nursery], AbstractContextManager[System]]

SYSTEMS: dict[str, Opening] = {
    "native": _native,
    "overlayfs": _overlayfs,
    "fuse_overlayfs": _fuse_overlayfs,
    "ours": _ours("ours", "kernel"),
    "ours_mfusepy": _ours("ours_mfusepy", "mfusepy"),
}


def open_all(
    stack: contextlib.ExitStack, wanted: Iterable[str], at: Path, lower: Lower, nursery: Nursery
) -> list[System]:
    """All that can be had, mounted until the stack is closed; says what can't."""
    systems = []
    for name in wanted:
        try:
            systems.append(stack.enter_context(SYSTEMS[name](at, lower, nursery)))
        except Absent as why:
            print(why)
    return systems
