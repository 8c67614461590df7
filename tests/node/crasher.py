"""Runs nodes that are killed by SIGKILL at their n-th step on disk.  Reads JSON lines, answers one line each.

    {"config": path, "commit": wanted, "step": n}  ->  {"killed": bool}

Forked from here, so that a hundred of them cost no more than one start.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from syncd.node.client import NodeClient
from syncd.node.config import load_config
from syncd.node.service import run_node

_STEPS = ("open", "fsync", "replace", "unlink", "mkdir", "pwrite")


def _arm(step: int) -> None:
    """Kill this process before its step-th call of a function that changes the disk."""
    lock, done = threading.Lock(), [0]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            with lock:
                done[0] += 1
                if done[0] == step:
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return call

    for name in _STEPS:
        setattr(os, name, counted(getattr(os, name)))


def _serve(config: Path, commit: str, step: int) -> None:
    _arm(step)

    async def run() -> None:
        serving: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run_node(load_config(config), ready=serving.set_result))
        async for ready in NodeClient(Path((await serving)["socket"])).follow("c"):
            if ready.commit == commit:
                os._exit(0)
        task.cancel()

    asyncio.run(run())


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(20)
                _serve(Path(asked["config"]), asked["commit"], asked["step"])
            finally:
                os._exit(3)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(json.dumps({"killed": killed, "status": status}), flush=True)


if __name__ == "__main__":
    main()
