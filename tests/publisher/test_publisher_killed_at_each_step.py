"""A real publisher is killed at its n-th step of commit, ref, fetch, merge, place and push, and started again."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from classroom_side import Colleague, Course, add, everything, fill, git
from test_publisher_kills import BASE, MINE, THEIRS, without_times

pytestmark = pytest.mark.slow

EACH = ("commit", "set_head", "set_agreed", "fetch", "push")
"""Of these all are tried, before and after; of the steps on disk, which `test_publisher_kills` tries all, a few."""
FEW = 4


class Crasher:
    def __init__(self) -> None:
        program = Path(__file__).with_name("publisher_crasher.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    async def run(self, state: Path, step: int | None = None) -> dict[str, Any]:
        return await asyncio.to_thread(self._run, {"state": str(state), **({"step": step} if step else {})})

    def _run(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def end(self) -> None:
        self._process.communicate(timeout=40)


async def test_killed_at_any_step_folder_history_and_remote_agree_after_a_restart(
    state: Path, folder: Path, course: Course, tmp_path: Path
) -> None:
    fill(folder, BASE)
    await add(state, folder, course.url)
    colleague = await asyncio.to_thread(Colleague, tmp_path / "colleague", course)
    folders = [name for name in THEIRS if any(other.startswith(name + "/") for other in BASE)]
    removed = {name for name in BASE if any(name.startswith(other + "/") for other in folders)}
    removed |= {name for name in BASE if any(other.startswith(name + "/") for other in THEIRS)}
    await asyncio.to_thread(colleague.push, dict.fromkeys(removed), "Make room")
    await asyncio.to_thread(colleague.push, {name: it for name, it in THEIRS.items() if name not in removed}, "Theirs")
    for name, content in MINE.items():
        if content is None:
            (folder / name).unlink()
        else:
            fill(folder, {name: content})
    before = [state, folder, course.path]
    for n, place in enumerate(before):
        shutil.copytree(place, tmp_path / f"template{n}", symlinks=True)

    def reset() -> None:
        for n, place in enumerate(before):
            if place == folder:  # the same folder as before, with other files in it
                for each in place.iterdir():
                    shutil.rmtree(each) if each.is_dir() else each.unlink()
            else:
                shutil.rmtree(place)
            shutil.copytree(tmp_path / f"template{n}", place, symlinks=True, dirs_exist_ok=True)

    def check() -> dict[str, bytes]:
        found = everything(folder)
        assert found == course.files()
        assert not list(folder.rglob(".~syncd-*"))
        [own] = (state / "folders").iterdir()
        assert git(own / "history.git", "rev-parse", "main").decode().strip() == course.head()
        git(course.path, "fsck", "--strict")
        written = {
            each.encode() if isinstance(each, str) else each for each in [*MINE.values(), *THEIRS.values()] if each
        }
        merged = {content for content in written if content.startswith((b"ONE", b"one"))}
        assert written - merged <= course.all_contents()
        return without_times(found)

    crasher = Crasher()
    try:
        done = await crasher.run(state)
        assert done["status"] == 0, done
        wanted, steps = check(), done["steps"]
        assert {step.partition(" ")[2].partition(".")[2] for step in steps} >= set(EACH)
        first = {step: n for n, step in reversed(list(enumerate(steps, 1))) if step.endswith(EACH)}
        chosen = {*first.values(), *range(len(steps) // FEW // 2, len(steps), len(steps) // FEW)}
        for step in sorted(chosen):
            reset()
            died = await crasher.run(state, step)
            assert died["killed"] or died["status"] == 0, died
            again = await crasher.run(state)
            assert again["status"] == 0, (step, died["steps"][-1], again)
            assert check() == wanted, (step, died["steps"][-3:])
    finally:
        crasher.end()
