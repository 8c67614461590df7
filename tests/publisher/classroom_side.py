"""The parties of a publisher's story: the folder, its publisher, the remote, a colleague with plain git."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from syncd.demo.gitserver import GitServer
from syncd.publisher.add import add_folder
from syncd.publisher.folder_sync import Timing
from syncd.publisher.service import run_publisher

TOKEN = "write-token-0815"
READ_TOKEN = "read-token-0815"
QUICK = Timing(quiet_s=0.1, ask_again_s=0.3, presence_s=0.3)

GIT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Colleague",
    "GIT_AUTHOR_EMAIL": "c@example.org",
    "GIT_COMMITTER_NAME": "Colleague",
    "GIT_COMMITTER_EMAIL": "c@example.org",
    "GIT_TERMINAL_PROMPT": "0",
}


def git(at: Path, *arguments: str, env: dict[str, str] | None = None) -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=at, env={**GIT, **(env or {})}, check=True, capture_output=True
    ).stdout


def fill(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def everything(folder: Path) -> dict[str, bytes]:
    """All files of a folder but litter's; may be called while the folder changes."""
    out = {}
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".git", ".ipynb_checkpoints")]
        for name in names:
            path = Path(at, name)
            with suppress(FileNotFoundError):
                content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
                out[path.relative_to(folder).as_posix()] = content
    return out


class Course:
    """The bare repository on the server, looked at from behind."""

    def __init__(self, server: GitServer, name: str = "course") -> None:
        self.url, self.path = server.url(name), server.path(name)

    def head(self, branch: str = "main") -> str | None:
        done = subprocess.run(
            ["git", "rev-parse", "-q", "--verify", f"refs/heads/{branch}"], cwd=self.path, env=GIT, capture_output=True
        )
        return done.stdout.decode().strip() or None

    def files(self, branch: str = "main") -> dict[str, bytes]:
        if self.head(branch) is None:
            return {}
        listing = git(self.path, "ls-tree", "-r", "-z", branch).split(b"\0")[:-1]
        found = [(line.split(b"\t", 1)[1], line.split()[2]) for line in listing if line.split()[1] == b"blob"]
        asked = b"\n".join(oid for _, oid in found)
        batch = subprocess.run(
            ["git", "cat-file", "--batch"], cwd=self.path, input=asked, capture_output=True, check=True
        )
        out, at = {}, 0
        for name, _ in found:
            end = batch.stdout.index(b"\n", at)
            size = int(batch.stdout[at:end].split()[2])
            out[os.fsdecode(name)] = batch.stdout[end + 1 : end + 1 + size]
            at = end + size + 2
        return out

    def messages(self, branch: str = "main") -> list[str]:
        return git(self.path, "log", "--format=%s", branch).decode().splitlines()

    def all_contents(self) -> set[bytes]:
        """Every blob that any branch's history holds."""
        lines = git(self.path, "rev-list", "--objects", "--all").decode().split()
        oids = [word for word in lines if len(word) == 40]
        out = set()
        batch = subprocess.run(
            ["git", "cat-file", "--batch"],
            cwd=self.path,
            input="\n".join(oids).encode(),
            capture_output=True,
            check=True,
        ).stdout
        at = 0
        while at < len(batch):
            end = batch.index(b"\n", at)
            _, kind, size = batch[at:end].split()
            if kind == b"blob":
                out.add(batch[end + 1 : end + 1 + int(size)])
            at = end + int(size) + 2
        return out


class Colleague:
    """Somebody with a clone and plain git."""

    def __init__(self, place: Path, course: Course) -> None:
        self.place, self._course = place, course
        git(place.parent, "clone", "-q", str(course.path), place.name)
        with suppress(subprocess.CalledProcessError):
            git(place, "checkout", "-q", "-B", "main", "origin/main")

    def push(self, files: dict[str, str | bytes | None], message: str = "By hand", *, when: str | None = None) -> str:
        git(self.place, "pull", "-q", "--rebase", "origin", "main")
        for name, content in files.items():
            if content is None:
                git(self.place, "rm", "-q", name)
            else:
                fill(self.place, {name: content})
        env = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when} if when else {}
        git(self.place, "add", "-A")
        git(self.place, "commit", "-q", "-m", message, env=env)
        git(self.place, "push", "-q", str(self._course.path), "HEAD:main")
        return git(self.place, "rev-parse", "HEAD").decode().strip()


class Publisher:
    """`run_publisher` on this loop, and its control as another process would use it."""

    def __init__(self, state: Path, timing: Timing = QUICK) -> None:
        self.state, self._timing = state, timing

    async def __aenter__(self) -> Self:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(run_publisher(self.state, ready=ready.set_result, timing=self._timing))
        await asyncio.wait([ready, self.task], return_when=asyncio.FIRST_COMPLETED)
        if self.task.done():
            self.task.result()
        found = json.loads((self.state / "control.json").read_text())
        self.url, self.headers = found["url"], {"Authorization": f"Bearer {found['token']}"}
        self._session = aiohttp.ClientSession(self.url, headers=self.headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def folders(self) -> list[dict[str, Any]]:
        async with self._session.get("/v1/status") as answer:
            found: list[dict[str, Any]] = (await answer.json())["folders"]
            return found

    async def until_folders(self, count: int) -> None:
        """Wait until so many folders are in the publisher's care."""
        for _ in range(200):
            if len(await self.folders()) == count:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(await self.folders())

    async def status(self) -> dict[str, Any]:
        return (await self.folders())[0]

    async def say(self, what: str, body: dict[str, Any] | None = None) -> None:
        async with self._session.post(what, json=body or {}) as answer:
            assert answer.status < 300, await answer.text()

    async def steer(self, what: str, body: dict[str, Any] | None = None) -> None:
        await self.say(f"/v1/folders/{(await self.status())['id']}/{what}", body)

    async def until(self, holds: Callable[[dict[str, Any]], bool], within: float = 15.0) -> dict[str, Any]:
        """Wait for the status to be so."""
        end = time.monotonic() + within
        while True:
            status = await self.status()
            if holds(status):
                return status
            assert time.monotonic() < end, f"still {status}"
            await asyncio.sleep(0.02)

    async def up_to_date(self, within: float = 15.0) -> dict[str, Any]:
        return await self.until(lambda now: now["state"] == "up_to_date", within)


async def until(holds: Callable[[], bool], within: float = 15.0, why: Callable[[], object] = lambda: "") -> None:
    end = time.monotonic() + within
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < end, why()
        await asyncio.sleep(0.06)


async def add(state: Path, folder: Path, url: str, branch: str | None = None, **more: Any) -> str:
    return await asyncio.to_thread(lambda: add_folder(state, folder, url, branch, TOKEN, **more))
