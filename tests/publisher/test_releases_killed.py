"""Killed at any step of a publication, and run again: students get it once, whole, and the plan is gone."""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from classroom_side import Course, add, everything, fill, git, until

from syncd.core.entry import CommitId
from syncd.core.settle import Due
from syncd.git.commits import Author, History
from syncd.git.remote import Remote
from syncd.publisher import plans as plans_module
from syncd.publisher.conversation import Paces, Pushes
from syncd.publisher.local import Local
from syncd.publisher.plans import Kind, Plan, Plans
from syncd.publisher.projection import Projection
from syncd.publisher.registry import Folder, Students
from syncd.publisher.status import Situation
from syncd.publisher.students_sync import StudentsSync
from syncd.publisher.timing import Timing
from syncd.publisher.worker import Worker
from syncd.publisher.workspace import Workspace

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """Nothing that comes after this is done, not even clearing up."""


class Instructor:
    """A folder with its history and a students' repository on this disk; `run` is the daemon's students' loop."""

    def __init__(self, place: Path, way: str) -> None:
        self.own, self.bare, self.files = place / "own", place / "students.git", place / "folder"
        self.files.mkdir(parents=True)
        git(place, "init", "-q", "--bare", str(self.bare))
        assert way in ("live", "release")
        students = Students(str(self.bare), "students", "live" if way == "live" else "release")
        self.folder = Folder("f", self.files, "unused", "main", students=students)

    def save(self, files: dict[str, str | bytes]) -> None:
        fill(self.files, files)
        here = Workspace(self.files, self.own, "main", Author("Ida", "ida@example.org"))
        Local(here).take_up(Due(frozenset(), True, frozenset()))
        here.close()

    def plan(self, plan: Plan) -> None:
        Plans(self.own).add(plan)

    async def caught_up(self) -> CommitId | None:
        return self.now.head

    async def run(self) -> None:
        """Until there is nothing left to do, or killed."""
        here = Workspace(self.files, self.own, "main", Author("Ida", "ida@example.org"))
        self.now = Situation(head=here.head, agreed=here.head)
        disk = Worker("disk")
        paces = Paces(Pushes())
        timing = Timing(ask_again_s=0.01)
        sync = StudentsSync(self.folder, self.own, lambda url: Remote(url, lambda: None), paces, self.now, self, timing)
        running = asyncio.create_task(sync.run(here, disk, Projection(here.history, self.own / "projection.json")))
        try:
            while not running.done():
                facts = sync.report()
                if facts and facts["behind"] == 0 and not facts["planned"] and not sync.pending:
                    break
                await asyncio.sleep(0.005)
            if running.done():
                running.result()
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, Killed):
                await running
            await disk.do(here.close)
            disk.close()

    def seen(self) -> tuple[list[str], dict[str, bytes]]:
        """Messages of the students' branch, oldest first, and its files."""
        log = git(self.bare, "log", "--reverse", "--format=%s", "students").decode().splitlines()
        names = git(self.bare, "ls-tree", "-r", "--name-only", "students").decode().splitlines()
        return log, {name: git(self.bare, "show", f"students:{name}") for name in names}


def dying_after(steps: int, patch: pytest.MonkeyPatch) -> Callable[[], int]:
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count > steps:
            raise Killed

    def wrap(owner: object, name: str, *, after: bool = False) -> None:
        original = getattr(owner, name)

        def call(*arguments: object, **more: object) -> object:
            step()
            result = original(*arguments, **more)
            if after:
                step()
            return result

        patch.setattr(owner, name, call)

    for name in ("commit", "set_ref", "drop_ref"):
        wrap(History, name)
    wrap(Remote, "push", after=True)
    wrap(Remote, "fetch", after=True)
    wrap(plans_module, "write_private", after=True)
    return lambda: count


async def test_a_daemon_killed_again_and_again_publishes_each_release_once(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    chance = random.Random(3)
    fill(folder, {"a": "0"})
    await add(state, folder, course.url)
    command = [sys.executable, "-m", "syncd"]
    env = {**os.environ, "SYNCD_STATE": str(state)}

    async def says(*arguments: str) -> int:
        quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
        return await (await asyncio.create_subprocess_exec(*command, *arguments, env=env, cwd=folder, **quiet)).wait()

    assert await says("students", str(folder), "--way", "release") == 0
    with open(tmp_path / "log", "wb") as log:  # noqa: ASYNC230
        for n in range(1, 5):
            daemon = await asyncio.create_subprocess_exec(*command, "run", env=env, stdout=log, stderr=log)
            await until(lambda: (state / "control.json").exists())
            fill(folder, {"a": str(n), f"more/{n}": "x"})
            asked = asyncio.create_task(says("publish", "-m", f"Release {n}"))
            await asyncio.sleep(chance.uniform(0.3, 1.3))
            daemon.kill()
            await asyncio.gather(daemon.wait(), asked)
            (state / "control.json").unlink(missing_ok=True)
        daemon = await asyncio.create_subprocess_exec(*command, "run", env=env, stdout=log, stderr=log)
        await until(lambda: (state / "control.json").exists())
        fill(folder, {"a": "end"})
        assert await says("publish", "-m", "The end") == 0
        try:
            await until(lambda: course.files("students") == everything(folder), why=log.name.__str__)
        finally:
            daemon.kill()
            await daemon.wait()
    messages = git(course.path, "log", "--format=%s", "students").decode().splitlines()
    assert messages[0] == "The end" and len(set(messages)) == len(messages), messages
    (own,) = (state / "folders").iterdir()
    assert Plans(own).all() == ()
    git(course.path, "fsck", "--strict")


def released(place: Path) -> Instructor:
    ida = Instructor(place, "release")
    ida.save({"lab/a": "1", "lab/b": "1", "exam": "secret"})
    for n, paths in enumerate((("lab",), ("lab/a", "exam"))):
        ida.plan(Plan(f"0000000{n}", Kind.PUBLISH, time.time() - 10 + n, paths, f"Release {n}"))  # type: ignore[arg-type]
    return ida


def live(place: Path) -> Instructor:
    ida = Instructor(place, "live")
    ida.save({"lab/a": "0"})
    asyncio.run(ida.run())
    for n in range(1, 4):
        ida.save({"lab/a": f"{n % 2}", f"lab/{n}": "x"})  # back and forth: done twice it would show
    return ida


@pytest.mark.parametrize("story", [released, live])
def test_killed_at_any_step_students_get_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story: Callable[[Path], Instructor]
) -> None:
    ida = story(tmp_path / "plain")
    with monkeypatch.context() as patch:
        count = dying_after(10**9, patch)
        asyncio.run(ida.run())
        steps = count()
    wanted = ida.seen()
    assert steps > 5 and len(wanted[0]) == (2 if story is released else 4), wanted
    for step in range(steps):
        ida = story(tmp_path / f"killed{step}")
        with monkeypatch.context() as patch:
            dying_after(step, patch)
            with pytest.raises(Killed):
                asyncio.run(ida.run())
        asyncio.run(ida.run())
        assert ida.seen() == wanted, step
        assert Plans(ida.own).all() == ()
