"""Runs real publishers that are killed by SIGKILL before or after their n-th step.  Reads JSON lines, answers one each.

    {"state": path, "step": n}  ->  {"killed": bool, "steps": [names, as far as it came]}

Without `step` one runs until all is published.  Forked from here, so that many cost no more than one start.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from syncd.folder import rename
from syncd.folder.root import Dir
from syncd.git.commits import History
from syncd.git.remote import Remote
from syncd.publisher.folder_sync import Timing
from syncd.publisher.service import run_publisher

_STEPS: list[tuple[Any, tuple[str, ...]]] = [
    (os, ("fsync", "replace", "rename", "link")),
    (rename, ("exchange", "no_replace")),
    (Dir, ("create", "unlink", "rmdir", "mkdir", "symlink", "sync")),
    (History, ("commit", "set_head", "set_agreed")),
    (Remote, ("head", "fetch", "push")),
]


def _arm(die_at: int | None, told: int) -> None:
    lock, done = threading.Lock(), [0]

    def step(name: str) -> None:
        with lock:
            done[0] += 1
            os.write(told, name.encode() + b"\n")
            if done[0] == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def stepped(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)
        words = f"{getattr(owner, '__name__', owner)}.{name}"

        def call(*arguments: Any, **named: Any) -> Any:
            step("before " + words)
            out = real(*arguments, **named)
            step("after " + words)
            return out

        setattr(owner, name, call)

    for owner, names in _STEPS:
        for name in names:
            stepped(owner, name)


async def _publish(state: Path) -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    timing = Timing(quiet_s=0.05, poll_s=0.3, presence_s=0.2, ask_again_s=0.2)
    task = asyncio.create_task(run_publisher(state, ready=ready.set_result, timing=timing))
    await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    found = json.loads((state / "control.json").read_text())
    headers = {"Authorization": f"Bearer {found['token']}"}
    async with aiohttp.ClientSession(found["url"], headers=headers) as session:
        while True:
            async with session.get("/v1/status") as answer:
                [folder] = (await answer.json())["folders"]
            if folder["state"] == "up_to_date":
                os._exit(0)
            await asyncio.sleep(0.02)


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(heard)
                signal.alarm(30)
                _arm(asked.get("step"), told)
                asyncio.run(_publish(Path(asked["state"])))
            finally:
                os._exit(3)
        os.close(told)
        with os.fdopen(heard) as steps:
            names = steps.read().splitlines()
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(json.dumps({"killed": killed, "status": status, "steps": names}), flush=True)


if __name__ == "__main__":
    main()
