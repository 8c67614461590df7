"""Two instructors, a node and three students on a random schedule, kills at any moment: nothing is lost.

`python tests/story/test_random_stories.py SEED [SEED ...]` plays seeds by hand.  The schedule is the
seed's; how it falls together with the processes is the machine's, so play a failing seed more than once.
"""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hands import Person, follow, plain_name, seed_course, words

from syncd.demo import stage as demo
from syncd.demo.hands import files_of
from syncd.demo.processes import Processes
from syncd.versions import Versions

pytestmark = [pytest.mark.slow, pytest.mark.fuse, pytest.mark.timeout(180)]

STEPS = 20
STUDENTS = ("ada", "ben", "chi")
_PLAIN = "chi"
_GIT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    **{f"GIT_{who}_{what}": "b@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
}


class Mortal(Processes):
    """The demo's processes, which can be started again as they were; one student's folder is plain."""

    def __init__(self, logs: Path) -> None:
        super().__init__(logs)
        self._as: dict[str, tuple[str, tuple[str | Path, ...], Any]] = {}
        self.said: dict[str, Any] = {}
        self.down: dict[str, int] = {}
        self._rising: dict[str, Future[Any]] = {}
        # its threads live on: the kernel ends a child together with the thread that started it
        self._threads = ThreadPoolExecutor(5)

    def start(self, name: str, module: str, *arguments: str | Path, env: Any = None) -> Any:
        if name == "page":
            return {"url": ""}  # nobody looks at it here
        if name == f"agent-{_PLAIN}":
            arguments = (*arguments, "--view", "plain")
        self._as[name] = (module, arguments, env)
        self.said[name] = super().start(name, module, *arguments, env=env)
        return self.said[name]

    def kill(self, name: str) -> None:
        """Also while it is still starting."""
        rising = self._rising.pop(name, None)
        super().kill(name)
        if rising is not None:
            rising.exception()

    def rise(self, name: str) -> None:
        """Start it again, and do not wait: life goes on meanwhile."""
        module, arguments, env = self._as[name]
        self._rising[name] = self._threads.submit(super().start, name, module, *arguments, env=env)
        demo.wait_for(f"{name} starts", lambda: name in self._running)

    def all_risen(self) -> None:
        for rising in self._rising.values():
            rising.result()

    def stop(self) -> None:
        super().stop()
        self._threads.shutdown()


class Colleague(Person):
    """The second instructor: a clone and plain git; what was not pushed does not count."""

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, env=_GIT, check=True, capture_output=True)

    def act(self) -> str:
        how = self.rng.choice(["merge", "rebase", "reset", "reset"])
        self.git("reset", "-q", "--hard", "HEAD")
        self.git("clean", "-fdq")
        if how == "reset":
            self.git("fetch", "-q")
            self.git("reset", "-q", "--hard", "origin/main")
        told = [super(Colleague, self).act() for _ in range(self.rng.randrange(1, 3))]
        pushed = words("".join(told)) & self.owed
        self.owed -= pushed
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"By hand, with git {how}")
        for _ in range(4):
            try:
                self.git("push", "-q", "origin", "HEAD:main")
                self.owed |= pushed
                return f"{how}: {'; '.join(told)}"
            except subprocess.CalledProcessError:
                self.git("fetch", "-q")
            if not self._joined("rebase" if how == "rebase" else "merge"):
                break
        self.git("reset", "-q", "--hard", "origin/main")
        return f"{how}: gave up: {'; '.join(told)}"

    def _joined(self, how: str) -> bool:
        try:
            self.git(how, "-q", "-X", "theirs", "origin/main")
            for path in self.folder.rglob("*.ipynb"):
                nbformat.validate(json.loads(path.read_text()))
        except (subprocess.CalledProcessError, ValueError, nbformat.ValidationError):
            for name in ("rebase", "merge"):
                subprocess.run(["git", name, "--abort"], cwd=self.folder, env=_GIT, check=False, capture_output=True)
            return False
        return True


class Story:
    """One seed's schedule, and what must hold at its end."""

    def __init__(self, seed: int, root: Path, processes: Mortal) -> None:
        self.rng, self.root, self.processes = random.Random(seed), root, processes
        self.told: list[str] = []
        start = root / "start"
        seed_course(start)
        for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
            subprocess.run(["git", *arguments], cwd=start, env=_GIT, check=True, capture_output=True)
        self.stage = demo.set_up(processes, root, str(start), students=STUDENTS)
        token = json.loads((root / "git-tokens.json").read_text())["write"][0]
        url = processes.said["git-server"]["url"].replace("//", f"//b:{token}@") + "/course.git"
        clone = ["git", "clone", "-q", url, str(root / "colleague")]
        subprocess.run(clone, env=_GIT, check=True, capture_output=True)
        self.ann = Person("ann", self.stage.folder, random.Random(self.rng.random()))
        self.bob = Colleague("bob", root / "colleague", random.Random(self.rng.random()))
        self.students = {
            name: Person(name, folder, random.Random(self.rng.random())) for name, folder in self.stage.students.items()
        }
        demo.wait_for("all have the course", lambda: all((f / "README.md").exists() for f in self.folders), 60)

    @property
    def folders(self) -> list[Path]:
        return list(self.stage.students.values())

    def play(self, steps: int) -> None:
        people: list[Person] = [*[self.ann] * 3, *[self.bob] * 2, *[*self.students.values()] * 2]
        mortals = ["publisher", "node", *(f"agent-{name}" for name in STUDENTS)]
        for step in range(steps):
            for name in [name for name, until in self.processes.down.items() if until <= step]:
                self._rise(name)
            chance = self.rng.random()
            if chance < 0.3:
                name = self.rng.choice(mortals)
                if name not in self.processes.down:
                    self.told.append(f"kill {name}")
                    self.processes.kill(name)
                    self.processes.down[name] = step + self.rng.randrange(1, 5)
            elif chance < 0.95:
                for _ in range(self.rng.randrange(1, 4)):
                    self.told.append(self.rng.choice(people).act())
            time.sleep(self.rng.choice([0, 0.05, 0.2, 0.5, 0.9]) * self.rng.random())
        for name in list(self.processes.down):
            self._rise(name)
        self.processes.all_risen()

    def _rise(self, name: str) -> None:
        del self.processes.down[name]
        self.told.append(f"start {name}")
        self.processes.rise(name)

    def settle(self) -> None:
        """Until nobody has anything left to do."""
        demo.wait_for("the instructor's folder is the remote's head", self._published, 45)
        demo.wait_for("all students are at the remote's head", self._followed, 30)

    def _published(self) -> bool:
        control = json.loads((self.root / "instructor/state/control.json").read_text())
        self._publisher(control, "/v1/hint", b"{}")
        self.status = json.loads(self._publisher(control, "/v1/status"))["folders"][0]
        if self.status["state"] == "needs_you":  # many files vanished (MERGE_SPEC I7): meant, here
            self.told.append(f"resume: {self.status['sentence']}")
            self.stage.syncd("resume", self.stage.folder)
        return self.status["state"] == "up_to_date" and files_of(self.stage.folder) == self.stage.remote.published()

    def _publisher(self, control: dict[str, str], path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {control['token']}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(control["url"] + path, body, headers), timeout=10) as answer:
            return answer.read()

    def _followed(self) -> bool:
        head = self.stage.remote.git("rev-parse", "HEAD").decode().strip()
        self.views = {name: _views(self.root / name / "state/agent/agent.sock") for name in STUDENTS}
        return all(v and v[0]["commit"] == head and not v[0]["waiting"] for v in self.views.values())

    def check(self) -> None:
        published = self.stage.remote.published()
        assert files_of(self.stage.folder) == published
        objects = self.stage.remote.git("rev-list", "--objects", "--all").split(b"\n")
        ids = b"\n".join(line[:40] for line in objects if line)
        history = self.stage.remote.git("cat-file", "--batch", input=ids + b"\n")
        for instructor in (self.ann, self.bob):
            lost = instructor.owed - words(history)
            assert not lost, f"{instructor.name}'s {sorted(lost)} are not in the history"
        _whole({path: content for path, (_, content) in published.items()})
        renames = [*self.ann.renames, *self.bob.renames]
        for name, student in self.students.items():
            files = files_of(student.folder)
            versions = Versions(self.root / name / "state/agent/courses/course/versions")
            had = b"\0".join([c for _, c in files.values()] + [versions.read(v.id) for v in versions.list()])
            lost = student.owed - words(had)
            assert not lost, f"{name}'s {sorted(lost)} are nowhere"
            _whole({path: content for path, (_, content) in files.items()})
            own = follow(student.touched, [*renames, *student.renames])
            for path, file in published.items():
                if plain_name(path) not in own:
                    assert files.get(path) == file, f"{path}, which {name} did not touch, is not as published"
            for path, (_, content) in files.items():
                if path not in published and plain_name(path) not in own:
                    assert f"w-{name}-".encode() in content, f"{path} of {name} is nobody's"

    def last_steps(self) -> str:
        status = json.dumps([getattr(self, "status", None), getattr(self, "views", None)])
        return "\n".join([*self.told[-60:], status])


def _views(agent: Path) -> Any:
    """What an agent says of its folders, over its socket."""
    with socket.socket(socket.AF_UNIX) as to:
        to.connect(str(agent))
        to.sendall(b"GET /v1/status HTTP/1.0\r\nHost: agent\r\n\r\n")
        with to.makefile("rb") as answer:
            return json.loads(answer.read().partition(b"\r\n\r\n")[2])["views"]


def _whole(files: dict[str, bytes]) -> None:
    for path, content in files.items():
        assert b"<<<<<<<" not in content and b">>>>>>>" not in content, f"a conflict marker in {path}"
        if path.endswith(".ipynb"):
            try:
                document = json.loads(content)
            except ValueError:
                continue
            nbformat.validate(document)


def _unmount_below(root: Path) -> None:
    """What an agent left mounted that was killed, and not started again because the story failed."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    command = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-uz"]
    for mount in mounts:
        if mount.startswith(f"{root}/"):
            subprocess.run([*command, mount], check=False)


@contextmanager
def stage_for(seed: int, keep: bool = False) -> Iterator[Story]:
    root = Path(tempfile.mkdtemp(prefix=f"story-{seed}-"))
    failed = True
    try:
        with Mortal(root / "logs") as processes:
            story = Story(seed, root, processes)
            try:
                yield story
                failed = False
            finally:
                if failed:
                    print(f"seed {seed} in {root}\n{story.last_steps()}")
    finally:
        _unmount_below(root)
        if not (failed and keep):
            shutil.rmtree(root, ignore_errors=True)


def live(seed: int, steps: int = STEPS, keep: bool = False) -> None:
    with stage_for(seed, keep) as story:
        story.play(steps)
        story.settle()
        story.check()


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_on_a_random_schedule_with_kills(seed: int) -> None:
    live(seed)


if __name__ == "__main__":
    for given in map(int, sys.argv[1:]):
        began = time.monotonic()
        live(given, int(os.environ.get("STEPS", STEPS)), keep=True)
        print(f"seed {given} held, {time.monotonic() - began:.1f} s", flush=True)
