"""What a new commit and many students cost: times of switches, memory of mounts, page cache of the second one."""

import contextlib
import os
import random
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fs_served import Applied, Course, Nursery, Served
from tests.bench.fs_trees import Expected, Lower, Sizes, many_files, switching
from tests.overlay.made_commits import Store

_LOOKED_AT = 10
"""So many of the changed paths are looked at while a switch is under way; each look may cost requests of its own."""


@dataclass(frozen=True)
class SwitchTimes:
    """Milliseconds, medians; and how many paths were wrong after all of the switches."""

    visible: float
    """Until all changed paths were seen to be new, or `apply` had returned: whichever came first."""
    returned: float
    checked: float
    """To stat and read every changed path afterwards, by one process."""
    stale: int


@contextlib.contextmanager
def _closing(views: list[Served]) -> Iterator[list[Served]]:
    try:
        yield views
    finally:
        for view in views:
            view.close()


def switch_times(nursery: Nursery, at: Path, sizes: Sizes, seed: int) -> dict[int, SwitchTimes]:
    """From the call of `apply` until the mount shows the new commit, with everything in the kernel's caches before."""
    store, tree = Store(at / "switching"), many_files(sizes)
    out = {}
    for count in sizes.switches:
        pair = switching(store, tree, count, random.Random(seed))
        with _closing([nursery.start(at / f"switch{count}", Course(str(store.root), pair.one))]) as (view,):
            times = []
            for n in range(sizes.switch_times):
                to, expected = (pair.other, pair.in_other) if n % 2 == 0 else (pair.one, pair.in_one)
                times.append(_switch(view, to, expected))
            visible, returned, checked, stale = zip(*times, strict=True)
            out[count] = SwitchTimes(_median_ms(visible), _median_ms(returned), _median_ms(checked), sum(stale))
    return out


def _median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000


def _switch(view: Served, to: str, expected: Expected) -> tuple[float, float, float, int]:
    view.prepare(to)
    _heat(view.root)
    step = max(1, len(expected) // _LOOKED_AT)
    looked_at = [(f"{view.root}/{path}", _size(content)) for path, content in list(expected.items())[::step]]
    view.begin_apply()
    for path, size in looked_at:
        while _shown(path) != size:
            time.sleep(0.0002)  # the switch needs the processor, too
    seen = time.monotonic()
    applied: Applied = view.applied()
    begun = time.monotonic()
    stale = sum(_read(view.root / path) != content for path, content in expected.items())
    return (
        min(seen, applied.returned) - applied.asked,
        applied.returned - applied.asked,
        time.monotonic() - begun,
        stale,
    )


def _heat(root: Path) -> None:
    """Everything into the kernel's caches, contents too."""
    for folder, _, files in os.walk(root):
        for name in files:
            _read(Path(folder, name))


def _size(content: bytes | None) -> int | None:
    return None if content is None else len(content)


def _shown(path: str) -> int | None:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def memory_of_views(nursery: Nursery, at: Path, sizes: Sizes) -> tuple[float, float]:
    """PSS in MB of so many mounts, idle, and after `find` has gone through each."""
    store = Store(at / "many")
    course = Course(str(store.root), store.commit(many_files(sizes)).commit)
    with contextlib.ExitStack() as stack:
        views: list[Served] = stack.enter_context(_closing([]))
        for n in range(sizes.views):
            views.append(nursery.start(at / f"view{n}", course))
        idle = _pss_mb(nursery, views)
        for view in views:
            subprocess.run(["find", ".", "-ls"], cwd=view.root, stdout=subprocess.DEVNULL, check=True)
        return idle, _pss_mb(nursery, views)


def _pss_mb(nursery: Nursery, views: list[Served]) -> float:
    return sum(_kb(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in nursery.processes(views)) / 1024


def _kb(file: str, name: str) -> int:
    with open(file) as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


def second_mount_cache_mb(nursery: Nursery, at: Path, lower: Lower) -> float:
    """How much page cache the large file takes when it is read in a further mount of ours; median of three mounts.

    The kernel tells of the whole machine only: what others read or write meanwhile is in it.
    """
    course = Course(str(lower.store), lower.commit)
    with _closing([nursery.start(at / f"cache{n}", course) for n in range(4)]) as views:
        took = []
        for view in views:
            before = _kb("/proc/meminfo", "Cached:")
            _read(view.root / "big.bin")
            took.append((_kb("/proc/meminfo", "Cached:") - before) / 1024)
        return statistics.median(took[1:])
