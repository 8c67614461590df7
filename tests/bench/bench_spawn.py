"""What the hook adds to a server's start: `make bench-spawn [ARGS="--starts 8 --view overlay"]`.

A real node that has the course ready; then the hub's own code (`pre_spawn_hook`, LocalAgents) for one person after
another: their first start, and one more after their server stopped.  Told are medians and the slowest, in
milliseconds; the last line is JSON.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hub_plugin.agents import LocalAgents
from hub_plugin.courses import Course
from hub_plugin.hooks import after_stop, before_start
from hub_plugin.settings import AgentSettings
from syncd.demo.processes import Processes
from tests.bench.class_figures import figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=8)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--view", choices=("", "overlay", "plain"), default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Processes(Path(name) / "logs") as processes:
        folder = Path(name)
        remote = repository(folder, given.files)
        processes.start("node", "syncd", "node", "--store", folder / "node", "--course", f"ds8={remote}")
        asyncio.run(measured(folder, given.starts, given.view))


def repository(folder: Path, files: int) -> Path:
    work = folder / "work"
    for number in range(files):
        path = work / f"lab{number % 20:02}/file{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# File {number}\n" + "words " * 200)
    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*me, "commit", "-qm", "All")):
        subprocess.run(["git", *command], cwd=work, check=True)
    return work


async def measured(folder: Path, starts: int, view: str) -> None:
    course = Course("ds8", "https://x/y", folder="ds8", open_to_all=True)
    agents = LocalAgents(
        AgentSettings((course,), folder / "node/node.sock", home=str(folder / "home/{username}"), view=view)
    )
    started, stopped = before_start(agents, (course,), None, 20), after_stop(agents, None, 20)
    first, again = [], []
    for number in range(starts):
        home = folder / f"home/student{number}"
        home.mkdir(parents=True)
        spawner: Any = SimpleNamespace(user=SimpleNamespace(name=home.name, groups=[]), name="")
        for took in (first, again):
            began = time.perf_counter()
            await started(spawner)
            took.append(1_000 * (time.perf_counter() - began))
            assert any((home / "ds8").iterdir()), "the folder is empty"
            await stopped(spawner)
    for what, found in (("first start", first), ("again", again)):
        print(f"{what}: {statistics.median(found):.0f} ms (slowest {max(found):.0f} ms)")
    print(json.dumps({"first_ms": figures(first), "again_ms": figures(again)}))


if __name__ == "__main__":
    main()
