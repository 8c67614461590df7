"""The parties of `bench_class`: an instructor, a class of students on one node, and their eyes."""

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from syncd.agent.ask_parent import ask_parent
from syncd.agent.equal_pages import KSM
from syncd.demo.gitserver import GitServer
from tests.agents.class_node import ClassNode
from tests.bench.class_memory import pss_mb

SECRET, WRITE, READ = "class-secret", "class-write", "class-read"
EDITED, FILES, CHANGED = "lab/lab.md", 1_000, 10
_TICK = os.sysconf("SC_CLK_TCK")


class Instructor:
    """Plain git: what the publisher does before a push is not measured here (see bench_publish)."""

    def __init__(self, folder: Path, url: str, course: Path | None) -> None:
        self.folder, self.url, self.turn = folder, url.replace("://", f"://x:{WRITE}@"), 0
        if course is not None:
            self._run("git", "clone", "-q", "--no-hardlinks", str(course), str(folder))
            self._git("checkout", "-q", "-B", "main")
        else:
            folder.mkdir()
            self._git("init", "-q", "--initial-branch=main")
            noise = random.Random(1)
            for number in range(FILES):
                path = folder / f"part{number // 25:02}" / f"file{number:04}.txt"
                path.parent.mkdir(exist_ok=True)
                path.write_text("".join(f"{noise.random()}\n" for _ in range(noise.randrange(200, 3_600))))
        (folder / "lab").mkdir(exist_ok=True)
        (folder / EDITED).write_text("".join(f"Question {n}\n\n" for n in range(40)))
        self.commit()
        self.push()

    def change(self) -> str:
        """Change ten files; a word that the edited one has only now."""
        self.turn += 1
        word = f"update-{self.turn}-{time.time_ns()}"
        names = self._git("ls-files", "-z", "--", ".", f":!{EDITED}").split("\0")[:-1]
        text = [name for name in names if name.endswith((".txt", ".md", ".py", ".csv"))] or names
        for name in text[self.turn * CHANGED % max(1, len(text) - CHANGED) :][: CHANGED - 1]:
            with open(self.folder / name, "a") as out:
                out.write(f"{word}\n")
        lines = (self.folder / EDITED).read_text().splitlines(keepends=True)
        (self.folder / EDITED).write_text("".join([f"{word}\n", *lines[0 if self.turn == 1 else 1 :]]))
        return word

    def commit(self) -> None:
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "A save")

    def push(self) -> None:
        self._git("push", "-q", self.url, "main")

    def _git(self, *argv: str) -> str:
        return self._run("git", "-C", str(self.folder), "-c", "user.name=I", "-c", "user.email=i@example.org", *argv)

    def _run(self, *argv: str) -> str:
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class Eyes:
    """See `class_eyes`."""

    def __init__(self, node: ClassNode) -> None:
        students = [f"{node.uid(name)}:{node.home(name)}" for name in node.names]
        agents = set(node.of_students())
        argv = [sys.executable, "-m", "tests.bench.class_eyes", node.namespace, *students]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()
        self.pids = set(node.of_students()) - agents

    def ask(self, **said: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(said) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Round(NamedTuple):
    """One update, in milliseconds, of the views that were looked at."""

    visible: list[float]
    untouched: list[float]
    merged: list[float]
    untouched_old: list[float]
    merged_old: list[float]


class Bench:
    """One class, from the git server to the students."""

    def __init__(self, root: Path, server: GitServer, node: ClassNode, course: Path | None) -> None:
        self.root, self.server, self.node = root, server, node
        url = server.create("course")
        self.instructor = Instructor(root / "instructor", url, course)
        for name, text in (("token", READ), ("secret", SECRET)):
            (root / name).write_text(text)
            (root / name).chmod(0o600)
        settings = node.settings(
            [
                'webhook = "127.0.0.1:0"\n',
                f'[[course]]\nname = "course"\nremote = "{url}"\nbranch = "main"\ntoken_file = "{root}/token"\n'
                f'webhook_secret_file = "{root}/secret"\nmembers = {json.dumps(node.names)}\n',
            ]
        )
        facts = node.start("node", "syncd", "node", "--config", settings)
        server.hook(f"{facts['webhook']}/webhook/course", SECRET)
        node.start("broker", "fuse_mount.broker", node.broker)
        node.start_parent(600.0, 2.0, *(["--merge-memory"] if KSM.exists() else []))
        self.ready_file = root / "store/courses/course/ready.json"
        while not self.ready_file.exists():
            time.sleep(0.02)

    def ensure(self, name: str) -> float:
        began = time.perf_counter()
        found = ask_parent(self.node.agents, {"do": "ensure", "user": name, "wait_s": 30.0})
        if any(folder["state"] != "ready" for folder in found["folders"]):
            raise SystemExit(f"{name}'s folder did not come: {found}")
        return (time.perf_counter() - began) * 1e3

    def update(self, eyes: Eyes, edited: Sequence[int]) -> "Round":
        """Push one update, and wait until all have seen it; these students have something to merge."""
        if edited:
            turn = self.instructor.turn
            eyes.ask(do="add", path=f"course/{EDITED}", line=f"mine {turn}\n", who=list(edited))
            time.sleep(2.5)  # what was saved within the last two seconds is left alone
        word = self.instructor.change()
        self.instructor.commit()
        began = time.time()
        pushing = threading.Thread(target=self.instructor.push)
        pushing.start()
        seen, last = zip(*eyes.ask(do="look", path=f"course/{EDITED}", want=word), strict=True)
        pushing.join()
        if None in seen:
            raise SystemExit(f"{seen.count(None)} of {len(seen)} students never saw the update")
        ready = json.loads(self.ready_file.read_text())["ready_at"]
        untouched = sorted(set(range(len(seen))) - set(edited))
        return Round(
            [(at - began) * 1e3 for at in seen],
            *([(seen[n] - ready) * 1e3 for n in some] for some in (untouched, edited)),
            *([max(0.0, last[n] - ready) * 1e3 for n in some] for some in (untouched, edited)),
        )

    def cpu_s(self, eyes: Eyes) -> tuple[float, float]:
        """Of all agents, the broker and the parent; of the node's service."""
        ours = set(self.node.of_students()) - eyes.pids
        ours |= {self.node.processes[name].pid for name in ("broker", "parent")}
        return sum(map(_cpu_s, ours)), _cpu_s(self.node.processes["node"].pid)

    def pss_mb(self, eyes: Eyes) -> float:
        return pss_mb(set(self.node.of_students()) - eyes.pids) / len(self.node.names)


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / _TICK
    return 0.0
