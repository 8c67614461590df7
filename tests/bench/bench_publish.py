"""Our publisher beside what gitwatch does (`git add -A && git commit`), in folders of 1,000 to 100,000 files.

    python -m tests.bench.bench_publish [--sizes 1000,10000,100000] [--saves 12] [--idle-s 30] [--burst 20000]

The publisher is a process of its own (`syncd run` with its log switched on) that pushes to a bare
repository on this disk.  In turns, for each size: a file is saved; we wait until the publisher's branch
shows a commit with it; then git adds and commits the same save into a repository of its own.

- save_to_commit: from the end of the save until the branch moved, as a watcher from outside sees it, less
  the quiet time for which the publisher waits on purpose (Timing.quiet_s).  So the system's event, both
  threads, reading, writing and flushing are in it.
- startup: what the publisher's log says of its first looks at everything (crash's leftovers, all files), at
  a start at which nothing changed; in turns with `git status`, whose index is fresh.
- rss: the process when idle, after that start; idle: its processor time over --idle-s.
- burst: from the first of so many new files until the remote shows all of them.

The last line is JSON.  Nothing else should run on the machine.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from syncd.publisher.add import add_folder
from syncd.publisher.folder_sync import Timing
from tests.bench.publish_parties import Git, PublisherProcess, files_of, make_tree, remote_files


def saves(publisher: PublisherProcess, git: Git, folder: Path, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of both, save by save; the first of each warms up and does not count."""
    ours, theirs = [], []
    paths = sorted(files_of(folder))
    for n in range(count + 1):
        path = folder / paths[(n * 7919 + len(paths) // 2) % len(paths)]
        os.sync()  # neither shall wait for what the other, or the making of the tree, left to be written
        before = publisher.head()
        path.write_text(f"saved {n} at {time.time()}\n" * 20)
        saved = time.perf_counter()
        moved = publisher.wait_for_another_head(before)
        publisher.wait_up_to_date()
        ours.append((moved - saved - Timing().quiet_s) * 1e3)
        os.sync()
        theirs.append(git.commit_all() * 1e3)
    return ours[1:], theirs[1:]


def one_size(at: Path, size: int, options: argparse.Namespace) -> dict[str, float]:
    """All that is measured in a folder of so many files."""
    folder = at / f"course-{size}"
    print(f"{size:,} files:", flush=True)
    make_tree(folder, size)
    git = Git(at / f"git-{size}", folder)
    git.commit_all()
    state, remote = at / f"state-{size}", at / f"remote-{size}.git"
    git.bare(remote)
    began = time.perf_counter()
    add_folder(state, folder, str(remote), None, None)
    print(f"  added and published for the first time in {time.perf_counter() - began:.1f} s")
    out: dict[str, float] = {}
    with PublisherProcess(state) as publisher:
        publisher.wait_up_to_date()
        ours, theirs = saves(publisher, git, folder, options.saves)
    out["save_ms"], out["git_ms"] = statistics.median(ours), statistics.median(theirs)
    print(
        f"  save to commit {out['save_ms']:.1f} ms (worst {max(ours):.1f}), "
        f"git {out['git_ms']:.0f} ms: {out['git_ms'] / out['save_ms']:.0f} times"
    )
    if size == max(options.sizes):
        out |= starts(state, git, options)
    return out


def starts(state: Path, git: Git, options: argparse.Namespace) -> dict[str, float]:
    """Start-ups and `git status` in turns; memory and processor time of the last one when idle."""
    ours, theirs, whole = [], [], []
    out: dict[str, float] = {}
    for n in range(options.starts + 1):
        began = time.perf_counter()
        with PublisherProcess(state) as publisher:
            publisher.wait_up_to_date()
            whole.append(time.perf_counter() - began)
            ours.append(publisher.seconds_of_first_looks())
            if n == options.starts:
                time.sleep(3)
                before, began = publisher.cpu_s(), time.perf_counter()
                time.sleep(options.idle_s)
                out["idle_cpu_percent"] = 100 * (publisher.cpu_s() - before) / (time.perf_counter() - began)
                out["rss_mb"] = publisher.rss_mb()
        theirs.append(git.status())
    out["startup_s"], out["git_status_s"] = statistics.median(ours[1:]), statistics.median(theirs[1:])
    out["whole_start_s"] = statistics.median(whole[1:])
    print(
        f"  looks of a start {out['startup_s']:.3f} s, git status {out['git_status_s']:.3f} s: "
        f"{out['startup_s'] / out['git_status_s']:.2f} of it; with Python, imports, watches and one question to "
        f"the remote {out['whole_start_s']:.2f} s"
    )
    print(
        f"  idle: {out['rss_mb']:.1f} MB, {out['idle_cpu_percent']:.2f} % of a core over {options.idle_s:.0f} s",
        flush=True,
    )
    return out


def burst(at: Path, count: int) -> float:
    """Seconds until so many new files are at the remote."""
    folder, state, remote = at / "burst", at / "state-burst", at / "remote-burst.git"
    make_tree(folder, 1000)
    git = Git(at / "git-burst", folder)
    git.bare(remote)
    add_folder(state, folder, str(remote), None, None)
    with PublisherProcess(state) as publisher:
        publisher.wait_up_to_date()
        before = git.commits(remote)
        began = time.perf_counter()
        make_tree(folder / "unzipped", count)
        made = time.perf_counter() - began
        while remote_files(remote) != files_of(folder):
            time.sleep(0.2)
        took = time.perf_counter() - began
        publisher.wait_up_to_date()
        commits = git.commits(remote) - before
    print(
        f"{count:,} files at once: written in {made:.1f} s, at the remote after {took:.1f} s, "
        f"in {commits} commit{'s' * (commits > 1)}",
        flush=True,
    )
    return took


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=[1000, 10_000, 100_000])
    parser.add_argument("--saves", type=int, default=12)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--idle-s", type=float, default=30.0)
    parser.add_argument("--burst", type=int, default=20_000)
    return parser.parse_args()


def main() -> int:
    """Measure, print a table and the line of JSON."""
    options = _options()
    at = Path(tempfile.mkdtemp(prefix="bench-publish-"))
    os.environ["XDG_STATE_HOME"] = str(at / "xdg")
    largest = max(options.sizes)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, at, ignore_errors=True)
        found = {size: one_size(at, size, options) for size in options.sizes}
        seconds = burst(at, options.burst)
    small, large = found[min(options.sizes)]["save_ms"], found[largest]["save_ms"]
    print(f"a save in {largest:,} files takes {large / small:.2f} of one in {min(options.sizes):,}")
    print(
        json.dumps(
            {
                "save_to_commit_ms": {str(size): round(each["save_ms"], 2) for size, each in found.items()},
                "git_ms": {str(size): round(each["git_ms"], 1) for size, each in found.items()},
                f"burst_{options.burst}_s": round(seconds, 2),
                f"startup_{largest}_s": round(found[largest]["startup_s"], 3),
                f"git_status_{largest}_s": round(found[largest]["git_status_s"], 3),
                "rss_mb": round(found[largest]["rss_mb"], 1),
            }
        )
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Ended early; everything is removed.")
