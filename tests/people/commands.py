"""A person with a home of their own, who types commands; each is a real process."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOKEN, READ_TOKEN = "write-token-0815", "read-token-0815"


class Person:
    """Their home, state folder and environment; what they started ends with them."""

    def __init__(self, place: Path) -> None:
        self.home, self.state = place / "home", place / "state"
        self.folder = self.home / "course"
        self.folder.mkdir(parents=True)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "SYNCD_", "XDG_"))}
        self.env = kept | {
            "HOME": str(self.home),
            "SYNCD_STATE": str(self.state),
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "PYTHONPATH": f"{ROOT}:{HERE}",
            "NO_COLOR": "1",
        }
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            process.terminate()
            process.communicate(timeout=20)

    def say(self, *arguments: object, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "syncd", *map(str, arguments)]
        return subprocess.run(
            argv,
            input=given,
            env=self.env | env,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    async def does(self, *arguments: object, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Like `say`, while this loop's own servers answer."""
        return await asyncio.to_thread(lambda: self.say(*arguments, given=given, **env))

    async def asks(self, *arguments: object, **env: str) -> Any:
        """What a command says with --json."""
        done = await self.does(*arguments, "--json", **env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def publish(self) -> subprocess.Popen[str]:
        """`syncd run`, once it serves."""
        ready = self.state / "ready"
        ready.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "syncd", "run", "--ready-file", str(ready)]
        process = subprocess.Popen(argv, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._running.append(process)
        wait_until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        return process

    def end(self, process: subprocess.Popen[str]) -> str:
        """End a process of this person; what it said."""
        self._running.remove(process)
        process.terminate()
        return process.communicate(timeout=20)[0]

    async def until_published(self, *states: str) -> dict[str, Any]:
        """Wait for the one folder to be up to date (or in one of these states)."""
        for _ in range(200):
            [folder] = json.loads((await self.does("status", "--json")).stdout)["folders"]
            if folder["state"] in (states or ("up_to_date",)):
                return dict(folder)
            await asyncio.sleep(0.05)
        raise AssertionError(folder)


def wait_until(holds: Callable[[], bool], within: float = 60.0) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said: one line, no traceback."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("syncd: ")
    return line
