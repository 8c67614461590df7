"""A class on one node: how soon an update is seen, and what a student costs; beside nbgitpuller.

    python -m tests.bench.bench_class class   [--views 500] [--course GIT_FOLDER] [--updates 5] [--peers 5] [--nodes 36]
    python -m tests.bench.bench_class arrival [--views 200] [--within-s 60] [--course GIT_FOLDER]

As root.  Real processes and real mounts, a real git server (git http-backend) over HTTP with webhooks, and
students who exist in a mount namespace only.  Nothing else should run on the machine.

- class: each update changes ten files; before it, so many of the students have added lines of their own to one
  of them, so that theirs is a merge.  `visible` runs from the start of `git push` to the moment at which a
  process of the student's reads the new content in the folder; `ready_to_visible` from the moment at which the
  node has it ready.  The readers are asked one after another on the same processors, so with many views much of
  it is waiting for a turn: it is an upper bound.  `old_after_ready` is the lower one, and has no waiting in it: how
  long after the node was ready the last look began that was still shown the old content (0: none was).
- CPU: user and system time of all agents, the broker and the parent over the updates at 0 %, divided by
  students and updates; the node's own beside it.  Peer: nbgitpuller's, of a few students, on the same pushes.
- PSS: of all agents and those that hold their mounts; the folders were all read from and updated.  Beside it what is
  left with `--merge-memory` once KSM (which we let run meanwhile, faster than it would) went through everything, and
  what an update costs then.
- disk: what lies in the home of a student who edited nothing, less the home as it was made.
- nodes: after that several nodes are played on this machine (see `nodes_36`); 0 leaves them out.
- arrival: from the question (`syncd agents ensure`) to its answer that the folder is there, in fresh homes.

The last line is JSON.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from syncd.demo.gitserver import GitServer
from tests.agents.class_node import ClassNode
from tests.bench.class_figures import figures
from tests.bench.class_memory import let_merge, merging
from tests.bench.class_parties import EDITED, READ, SECRET, WRITE, Bench, Eyes, Round

SHARES = (0, 10, 50)


def run_class(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    node = bench.node
    starts = [bench.ensure(name) for name in node.names]
    print(f"{len(starts)} agents started one after another: {_said(starts)} ms", flush=True)
    eyes = Eyes(node)
    out: dict[str, Any] = {"views": len(node.names)}
    try:
        eyes.ask(do="look", path=f"course/{EDITED}", want="Question")
        disk = _disk_kb(node.home(node.names[-1]))
        bench.update(eyes, [])  # warms up
        for share in SHARES:
            edited = list(range(len(node.names) * share // 100))
            before, fetches = bench.cpu_s(eyes), bench.server.counts["fetch"]
            rounds = [bench.update(eyes, edited) for _ in range(options.updates)]
            after = bench.cpu_s(eyes)
            everything = Round(*([ms for one in part for ms in one] for part in zip(*rounds, strict=True)))
            per_push = (bench.server.counts["fetch"] - fetches) / options.updates
            agents_s, node_s = ((b - a) / options.updates for a, b in zip(before, after, strict=True))
            print(
                f"{share} % edited: push to visible {_said(everything.visible)} ms; ready to visible "
                f"{_said(everything.untouched)} ms without and {_said(everything.merged)} ms with a merge; old after "
                f"ready {_said(everything.untouched_old)} and {_said(everything.merged_old)} ms; "
                f"CPU per update {agents_s:.3f} s agents, {node_s:.3f} s node; {per_push:.1f} fetches per push",
                flush=True,
            )
            if share == SHARES[0]:
                out |= {"fetches_per_push": per_push, "cpu_s_per_student": agents_s / len(node.names)}
            if share == 10:
                out["visible_ms"] = figures(everything.visible)
                out["ready_to_visible_ms"] = {
                    "untouched": figures(everything.untouched),
                    "merged": figures(everything.merged),
                }
                out["old_after_ready_ms"] = {
                    "untouched": figures(everything.untouched_old),
                    "merged": figures(everything.merged_old),
                }
        out |= {"disk_kb_per_student": disk, **memory(bench, eyes, options.updates)}
    finally:
        eyes.close()
    out["nbgitpuller_cpu_s_per_student"] = peer_cpu_s(bench, options)
    return out


def memory(bench: Bench, eyes: Eyes, updates: int) -> dict[str, float]:
    """What an agent holds, alone and where the kernel merges it; prints what the merging costs an update."""
    alone = bench.pss_mb(eyes)
    with merging() as is_there:
        if not is_there:
            print("this kernel has no KSM", flush=True)
            return {"pss_mb_per_agent": alone}
        took_s, merged = let_merge(), bench.pss_mb(eyes)
        before = bench.cpu_s(eyes)
        rounds = [bench.update(eyes, []) for _ in range(updates)]
        agents_s = (bench.cpu_s(eyes)[0] - before[0]) / updates
        print(
            f"an agent holds {alone:.1f} MB, and {merged:.1f} MB once KSM went through everything ({took_s:.0f} s); an "
            f"update at 0 % then: old after ready {_said([ms for one in rounds for ms in one.untouched_old])} ms, CPU "
            f"{agents_s:.3f} s agents; {bench.pss_mb(eyes):.1f} MB after {updates} updates",
            flush=True,
        )
    return {"pss_mb_per_agent": alone, "pss_mb_with_ksm": merged}


def peer_cpu_s(bench: Bench, options: argparse.Namespace) -> float | None:
    """CPU seconds of one update by nbgitpuller, the mean of a few students (their number does not change it)."""
    program = Path(sys.executable).with_name("gitpuller")
    if not program.exists():
        print("nbgitpuller is not installed: no peer", flush=True)
        return None
    url = bench.server.url("course").replace("://", f"://x:{READ}@")
    folders = [bench.root / f"peer{n}" for n in range(options.peers)]
    environment = {**os.environ, "GIT_AUTHOR_NAME": "p", "GIT_COMMITTER_NAME": "p", "EMAIL": "p@example.org"}

    def pull_all() -> float:
        before = _children_s()
        for folder in folders:
            subprocess.run([program, url, "main", folder], check=True, capture_output=True, env=environment)
        return (_children_s() - before) / len(folders)

    first = pull_all()
    costs = []
    for _ in range(2):
        bench.instructor.change()
        bench.instructor.commit()
        bench.instructor.push()
        costs.append(pull_all())
    size = _disk_kb(folders[0])
    print(f"nbgitpuller, {len(folders)} students: first {first:.2f} s CPU and {size / 1024:.0f} MB each", flush=True)
    return statistics.mean(costs)


def run_arrival(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    spread = random.Random(2)
    due = sorted((spread.uniform(0, options.within_s), name) for name in bench.node.names)
    took: list[float] = []
    threads = []
    began = time.monotonic()
    for at, name in due:
        time.sleep(max(0.0, began + at - time.monotonic()))
        threads.append(threading.Thread(target=lambda name=name: took.append(bench.ensure(name))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    print(f"{len(took)} students within {options.within_s:.0f} s: {_said(took)} ms", flush=True)
    return {"ready_ms": figures(took)}


def _said(values: Sequence[float]) -> str:
    found = figures(values)
    return "-" if found is None else f"{found['p50']:.0f} (99 %: {found['p99']:.0f}, worst {found['worst']:.0f})"


def _children_s() -> float:
    found = os.times()
    return found.children_user + found.children_system


def _disk_kb(folder: Path) -> float:
    """Blocks of what lies in a folder, the folder itself not counted; mounts below it are not entered."""
    total = 0
    for path, names, files in os.walk(folder):
        kept = [name for name in names if not os.path.ismount(os.path.join(path, name))]
        names[:] = kept
        total += sum(os.lstat(os.path.join(path, name)).st_blocks for name in (*kept, *files))
    return total / 2


@contextlib.contextmanager
def _served(root: Path) -> Iterator[GitServer]:
    """A git server on a loop of its own: measuring blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = GitServer(root / "srv", write_tokens=[WRITE], read_tokens=[READ], webhook_secret=SECRET)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("class", "arrival"))
    parser.add_argument("--views", type=int)
    parser.add_argument("--course", type=Path)
    parser.add_argument("--updates", type=int, default=5)
    parser.add_argument("--peers", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=36)
    parser.add_argument("--within-s", type=float, default=60.0)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("Only root can be a class of students: run it as root.")
    views = options.views or (500 if options.what == "class" else 200)
    root = Path(tempfile.mkdtemp(prefix="class"))
    try:
        with _served(root) as server, ClassNode(root, [f"st{n:04}" for n in range(views)]) as node:
            bench = Bench(root, server, node, options.course)
            found = (run_class if options.what == "class" else run_arrival)(bench, options)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if options.what == "class" and options.nodes:
        subprocess.run([sys.executable, "-m", "tests.bench.nodes_36", "--nodes", str(options.nodes)], check=False)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
