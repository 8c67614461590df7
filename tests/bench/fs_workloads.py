"""What is done on each system.  A workload is prepared, timed and wiped; its names are the same on all systems.

Those named `..._warm` run untimed before; those named `..._cold` run after all caches of the kernel were dropped.
"""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fs_trees import Lower, Sizes

_DROP = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True)
class Scene:
    """One workload on one system in one round."""

    root: Path
    fresh: Path
    """A folder for what is written; it is there, and empty."""
    round: int
    lower: Lower
    sizes: Sizes
    names: bytes
    """The course's files, each ended by a zero byte."""


Act = Callable[[Scene], None]


@dataclass(frozen=True)
class Workload:
    """What is timed, and what must be there before."""

    run: Act
    before: Act = lambda scene: None
    writes: bool = False
    """Whether it writes: into a fresh folder, or into files of its own."""
    warm_ups: int = 1


def can_be_cold() -> bool:
    """Whether we may drop the kernel's caches."""
    return os.geteuid() == 0 and os.access(_DROP, os.W_OK)


def drop_caches() -> None:
    """Make everything cold: pages, names and inodes, of all systems."""
    os.sync()
    _DROP.write_text("3\n")


def _command(scene: Scene, *words: str, said: bytes = b"") -> None:
    subprocess.run(words, cwd=scene.root, input=said, stdout=subprocess.DEVNULL, check=True)


def _find(scene: Scene) -> None:
    _command(scene, "find", "course", "-ls")


def _stat(scene: Scene) -> None:
    start = f"{scene.root}/"
    for _ in range(2):
        for path in scene.lower.files:
            os.lstat(start + path)


def _cat(scene: Scene) -> None:
    _command(scene, "xargs", "-0", "cat", said=scene.names)


def _tar(scene: Scene) -> None:
    _command(scene, "sh", "-c", "tar -cf - course | cat")  # written to /dev/null itself, tar would read nothing


def _sequential(scene: Scene) -> None:
    _command(scene, "dd", "if=big.bin", "of=/dev/null", "bs=1M", "status=none")


def _random(scene: Scene) -> None:
    rng = random.Random(scene.round)
    offsets = [rng.randrange(scene.sizes.big_mb << 8) << 12 for _ in range(scene.sizes.preads)]
    fd = os.open(scene.root / "big.bin", os.O_RDONLY)
    try:
        for offset in offsets:
            os.pread(fd, 4096, offset)
    finally:
        os.close(fd)


def _create(scene: Scene) -> None:
    content = b"x" * 300
    for n in range(scene.sizes.creates):
        if n % 100 == 0:
            folder = f"{scene.fresh}/folder{n // 100:02}"
            os.mkdir(folder)
        fd = os.open(f"{folder}/file{n:04}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(fd, content)
        os.close(fd)


def _rm(scene: Scene) -> None:
    _command(scene, "rm", "-rf", str(scene.fresh))


def _write(scene: Scene) -> None:
    _command(
        scene, "dd", "if=/dev/zero", f"of={scene.fresh}/big", "bs=1M", f"count={scene.sizes.big_mb}", "status=none"
    )


def _touch(scene: Scene) -> None:
    (scene.fresh / "log").touch()


def _append(scene: Scene) -> None:
    block = b"y" * 4096
    fd = os.open(scene.fresh / "log", os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(scene.sizes.appends):
            os.write(fd, block)
    finally:
        os.close(fd)


def _import(scene: Scene) -> None:
    _command(scene, sys.executable, "-Bc", f"import sys; sys.path.insert(0, 'package'); import {scene.lower.package}")


def _copy_up(scene: Scene) -> None:
    for n in range(scene.sizes.edits):
        with open(f"{scene.root}/edits/round{scene.round}/{n:03}.txt", "ab", buffering=0) as file:
            file.write(b"mine\n")


WORKLOADS: dict[str, Workload] = {
    # The first pass makes the folders' access times unknown to the kernel of a FUSE mount, the second asks for them.
    "find_warm": Workload(_find, warm_ups=2),
    "stat_warm": Workload(_stat),
    "cat_warm": Workload(_cat),
    "tar_warm": Workload(_tar),
    "seq_warm": Workload(_sequential),
    "rand_warm": Workload(_random),
    "import_warm": Workload(_import),
    "create": Workload(_create, writes=True),
    "rm": Workload(_rm, before=_create, writes=True),
    "write": Workload(_write, writes=True),
    "append": Workload(_append, before=_touch, writes=True),
    "copy_up": Workload(_copy_up, writes=True),
    "find_cold": Workload(_find),
    "cat_cold": Workload(_cat),
    "tar_cold": Workload(_tar),
    "seq_cold": Workload(_sequential),
}


def wipe(scene: Scene) -> None:
    """Remove what was written, and let the disk come to rest."""
    shutil.rmtree(scene.fresh, ignore_errors=True)
    os.sync()
