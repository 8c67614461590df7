"""Our overlay beside the disk itself, the kernel's overlayfs and fuse-overlayfs.

    python -m tests.bench.bench_fs [--rounds 5] [--only NAME,...] [--systems NAME,...] [--seed 1] [--quick]

All systems are mounted at once.  In each round each workload goes through them in random order; a
ratio is the median of the rounds' ratios to native (in brackets: their middle half).  ours_mfusepy,
which asks for everything every time, takes part in the first two rounds only.  Then: how long a switch
to another commit takes, what 50 mounts cost, what a second reader of a large file costs.  The last line
is JSON.
"""

import argparse
import contextlib
import gc
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fuse_mount.view import available
from tests.bench.fs_results import Results, report
from tests.bench.fs_scale import SwitchTimes, memory_of_views, second_mount_cache_mb, switch_times
from tests.bench.fs_served import Nursery
from tests.bench.fs_systems import SYSTEMS, System, open_all
from tests.bench.fs_trees import QUICK, Lower, Sizes, make_lower
from tests.bench.fs_workloads import WORKLOADS, Scene, can_be_cold, drop_caches, wipe

SCALE = ("switch", "pss", "cache")
"""What `--only` may name beside the workloads."""
_COUNTED = ("find_warm", "stat_warm")
_REST_S = 0.2
_SLOW, _SLOW_ROUNDS = "ours_mfusepy", 2


def run_rounds(
    systems: list[System], names: list[str], lower: Lower, sizes: Sizes, rounds: int, rng: random.Random
) -> Results:
    """Each workload on each system, again and again."""
    results = Results({name: {system.name: [] for system in systems} for name in names})
    listed = b"".join(os.fsencode(path) + b"\0" for path in lower.files)
    for n in range(rounds):
        for name in names:
            now = [system for system in systems if n < _SLOW_ROUNDS or system.name != _SLOW]
            for system in rng.sample(now, len(now)):
                fresh = system.root / f"{name}-{n}"
                scene = Scene(system.root, fresh, n, lower, sizes, listed)
                results.seconds[name][system.name].append(_timed(name, system, scene, results))
        print(f"round {n + 1} of {rounds} done", flush=True)
    return results


def _timed(name: str, system: System, scene: Scene, results: Results) -> float:
    workload = WORKLOADS[name]
    if workload.writes:
        scene.fresh.mkdir()
        workload.before(scene)
        os.sync()
    elif name.endswith("_cold"):
        drop_caches()
        _rest(system)
    else:
        for _ in range(workload.warm_ups):
            workload.run(scene)
    counts = system.served is not None and system.name == "ours" and name in _COUNTED
    before = system.served.requests() if counts and system.served else 0
    gc.collect()
    start = time.perf_counter()
    workload.run(scene)
    took = time.perf_counter() - start
    if counts and system.served:
        results.requests.setdefault(name, []).append(system.served.requests() - before)
    if workload.writes:
        wipe(scene)
    return took


def _rest(system: System) -> None:
    """Until a server has heard of all that the kernel has forgotten."""
    heard = -1
    while True:
        time.sleep(_REST_S)
        now = system.served.requests() if system.served else -1
        if now == heard:
            return
        heard = now


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder that is gone afterwards, whatever happens."""
    at = Path(tempfile.mkdtemp(prefix="bench-fs-"))
    try:
        yield at
    finally:
        shutil.rmtree(at, ignore_errors=True)


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end(number: int, frame: object) -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)  # mounts are being taken away: whoever asks twice must not stop that
    raise KeyboardInterrupt


def _named(known: list[str]) -> "type[list[str]]":
    class Names(list[str]):
        def __init__(self, words: str) -> None:
            super().__init__(words.split(","))
            wrong = [word for word in self if word not in known]
            if wrong:
                raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: not one of {', '.join(known)}")

    return Names


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=None, help="default 5; with --quick 1")
    parser.add_argument("--only", type=_named([*WORKLOADS, *SCALE]), default=[*WORKLOADS, *SCALE], metavar="NAME,...")
    parser.add_argument("--systems", type=_named(list(SYSTEMS)), default=list(SYSTEMS), metavar="NAME,...")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it runs, not how fast")
    return parser.parse_args()


def main() -> int:
    """Measure, print a table and the line of JSON; ends with 1 if a switch left a path stale."""
    options = _options()
    sizes = QUICK if options.quick else Sizes()
    rounds = options.rounds or (1 if options.quick else 5)
    names = [name for name in WORKLOADS if name in options.only]
    if not can_be_cold() and any(name.endswith("_cold") for name in names):
        print("Cold workloads are left out: dropping the kernel's caches needs root.")
        names = [name for name in names if not name.endswith("_cold")]
    scale = [name for name in SCALE if name in options.only]
    if scale and (why_not := available()):
        print(f"Switches, memory and page cache are left out: {why_not}")
        scale = []
    for number in _ENDING:
        signal.signal(number, _end)
    results, switches = Results(), dict[int, SwitchTimes]()
    pss: tuple[float, float] | None = None
    cache: float | None = None
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(workspace())
        nursery = stack.enter_context(Nursery())
        if names or "cache" in scale:
            lower = make_lower(at, sizes, rounds, options.seed)
        if names:
            with contextlib.ExitStack() as mounts:
                wanted = [name for name in SYSTEMS if name in {"native", *options.systems}]
                systems = open_all(mounts, wanted, at, lower, nursery)
                gc.freeze()
                results = run_rounds(systems, names, lower, sizes, rounds, random.Random(options.seed))
        if "switch" in scale:
            switches = switch_times(nursery, at, sizes, options.seed)
        if "pss" in scale:
            pss = memory_of_views(nursery, at, sizes)
        if "cache" in scale:
            cache = second_mount_cache_mb(nursery, at, lower)
    report(results, switches, pss, cache, sizes)
    return 1 if any(times.stale for times in switches.values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Ended early; everything is unmounted and removed.")
