"""Courses for the node's tests: commits of any shape, a node in this process or in one that can be killed."""

import asyncio
import contextlib
import functools
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pygit2

from syncd.core.entry import CommitId
from syncd.demo.gitserver import GitServer
from syncd.git.remote import Remote
from syncd.manifest import Manifest
from syncd.node.client import NodeClient, Ready
from syncd.node.config import Course, NodeConfig
from syncd.node.service import run_node

WRITE, READ, SECRET = "write-token-4711", "read-token-4712", "webhook-secret"
Files = Mapping[str, bytes]
_AUTHOR = "Ida <ida@example.org>"


async def off_loop(work: Callable[..., Any], *arguments: object, **named: object) -> Any:
    """Run blocking work while servers go on on this loop."""
    return await asyncio.to_thread(functools.partial(work, *arguments, **named))


class Instructor:
    """Somebody with a repository of their own who commits and pushes."""

    def __init__(self, folder: Path, url: str) -> None:
        pygit2.init_repository(str(folder), bare=True)
        self.path = folder
        self.repository = pygit2.Repository(str(folder))
        self.remote = Remote(url, lambda: WRITE, timeout_s=10)
        self.head: CommitId | None = None

    def blob(self, content: bytes) -> bytes:
        return bytes(self.repository.create_blob(content).raw)

    def raw_tree(self, *entries: tuple[int, bytes, bytes]) -> bytes:
        """A tree object with exactly these (mode, name, id), as no git would write it."""
        data = b"".join(b"%o %s\0" % (mode, name) + oid for mode, name, oid in entries)
        return self._written(pygit2.enums.ObjectType.TREE, data)

    def tree(self, files: Files) -> bytes:
        """A proper tree; names that end in '*' are executable, in '@' links."""
        here: list[tuple[int, bytes, bytes]] = []
        below: dict[str, dict[str, bytes]] = {}
        for path, content in files.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = content
                continue
            mode = {"*": 0o100755, "@": 0o120000}.get(name[-1], 0o100644)
            here.append((mode, os.fsencode(name.rstrip("*@")), self.blob(content)))
        here += [(0o40000, os.fsencode(name), self.tree(inside)) for name, inside in below.items()]
        return self.raw_tree(*sorted(here, key=lambda e: e[1] + (b"/" if e[0] == 0o40000 else b"")))

    def commit(self, tree: bytes, *parents: CommitId, time: int = 1_700_000_000) -> CommitId:
        lines = [f"tree {tree.hex()}", *(f"parent {one}" for one in parents)]
        lines += [f"author {_AUTHOR} {time} +0000", f"committer {_AUTHOR} {time} +0000", "", "A save", ""]
        return CommitId(self._written(pygit2.enums.ObjectType.COMMIT, "\n".join(lines).encode()).hex())

    async def push(self, files: Files | bytes, *, time: int = 1_700_000_000, branch: str = "main") -> CommitId:
        """Commit on top of what was pushed last, and push."""
        tree = files if isinstance(files, bytes) else await off_loop(self.tree, files)
        made = self.commit(tree, *([self.head] if self.head else []), time=time)
        await off_loop(self.remote.push, self.path, made, branch)
        self.head = made
        return made

    async def rewrite(self, server: GitServer, name: str, files: Files, *, time: int = 1_700_000_000) -> CommitId:
        """Replace the branch by a history that has nothing to do with it, as a force-push does."""
        made = self.commit(self.tree(files), time=time)
        await off_loop(self.remote.push, self.path, made, "aside")
        repository = pygit2.Repository(str(server.path(name)))
        repository.references.create("refs/heads/main", made, force=True)
        repository.references.delete("refs/heads/aside")
        self.head = made
        return made

    def _written(self, kind: pygit2.enums.ObjectType, data: bytes) -> bytes:
        return bytes(self.repository.odb.write(kind, data).raw)


def secret_file(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def settings(tmp_path: Path, url: str, **other: Any) -> NodeConfig:
    """A node with one course named `c`; polls rarely unless told otherwise."""
    course = Course(
        "c",
        url,
        other.pop("branch", "main"),
        secret_file(tmp_path / "token", other.pop("token", READ)),
        secret_file(tmp_path / "secret", SECRET),
    )
    return NodeConfig(tmp_path / "store", (course,), **{"poll_seconds": 60, "webhook": "127.0.0.1:0", **other})


class Running:
    """A node in this process."""

    def __init__(self, task: "asyncio.Task[None]", facts: Mapping[str, Any]) -> None:
        self.task, self.facts = task, facts
        self.client = NodeClient(Path(facts["socket"]))
        self.webhook = f"{facts['webhook']}/webhook/c"
        self._following = self.client.follow("c")

    async def next(self) -> Ready:
        """The next ready commit."""
        return await asyncio.wait_for(anext(self._following), 20)

    async def until(self, commit: CommitId) -> Ready:
        while (found := await self.next()).commit != commit:
            pass
        return found

    async def course(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.status())["courses"][0]
        return found

    async def until_state(self, *states: str) -> dict[str, Any]:
        """The course's status once it is in one of these states."""
        async with asyncio.timeout(20):
            while (found := await self.course())["state"] not in states:  # noqa: ASYNC110  (nothing to wait on outside)
                await asyncio.sleep(0.01)
        return found


@contextlib.asynccontextmanager
async def node(config: NodeConfig) -> AsyncIterator[Running]:
    """A node that serves while entered."""
    facts: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_node(config, ready=facts.set_result))
    await asyncio.wait({task, facts}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    running = Running(task, facts.result())
    try:
        yield running
    finally:
        await running._following.aclose()  # type: ignore[attr-defined]
        await running.client.close()
        task.cancel()
        await asyncio.wait({task})


def shown(ready: Ready) -> dict[str, tuple[int, bytes]]:
    """What a node shows: mode and content by path, empty folders with a slash; sizes and contents are checked."""
    out: dict[str, tuple[int, bytes]] = {}
    snapshot = ready.snapshot()
    manifest = snapshot.manifest
    for path, record in manifest.files():
        place = snapshot.blobs.path(record.blob)
        content = place.read_bytes()
        assert hashlib.sha1(b"blob %d\0" % len(content) + content).digest() == record.id
        assert len(content) == record.size
        assert place.stat().st_mode & 0o777 == 0o444
        out[path] = (record.mode, content)
    for index in range(1, len(manifest)):
        record = manifest.record(index)
        if record.is_folder and not record.count:
            out[os.fsdecode(record.name) + "/"] = (record.mode, b"")
    return out


def as_git_shows(repository: Path, commit: CommitId) -> dict[str, tuple[int, bytes]]:
    """The same by git itself."""
    listing = _git(repository, "ls-tree", "-r", "-z", commit).split(b"\0")[:-1]
    out = {}
    for line in listing:
        facts, _, path = line.partition(b"\t")
        mode, _, blob = facts.split()
        out[os.fsdecode(path)] = (int(mode, 8), _git(repository, "cat-file", "blob", blob.decode()))
    return out


def times(manifest: Manifest) -> dict[str, int]:
    return {path: record.mtime_ns for path, record in manifest.files()}


def _git(repository: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", repository, *arguments], check=True, capture_output=True).stdout
