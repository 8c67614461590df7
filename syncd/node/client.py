"""Asking the node: small, over its unix socket, for agents and for commands on the same machine."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from syncd.blobs import BlobFolder, Snapshot
from syncd.core.entry import CommitId
from syncd.core.errors import NeedsUser, TryAgain
from syncd.manifest import Manifest
from syncd.node.asking import Answer, asked

_LONG_S = 3_600.0
_PATIENCE_S = 10.0
HEARTBEAT_S = 15.0
"""How often the node sends an empty line to a follower; silent for three of them, it counts as away."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A commit that is complete and durable in the node's store."""

    commit: CommitId
    manifest: Path
    blobs: Path
    ready_at: float
    """Seconds since the epoch, by the node's clock."""
    door: int | None = None
    """The descriptor by which manifest and blobs are reached, where their paths are closed to us."""

    def snapshot(self) -> Snapshot:
        """Map the manifest.  TryAgain if the store no longer holds it (a newer commit is then on its way)."""
        try:
            if self.door is not None:
                return through(self.door, self.commit)
            return Snapshot(Manifest(self.manifest), BlobFolder(self.blobs))
        except (OSError, ValueError) as error:
            raise TryAgain(
                "This version of the course is no longer in the node's store; the next one follows."
            ) from error


def doors_beside(node: Path) -> Path:
    """Where a node hands out descriptors of what its courses hold."""
    return node.with_name("doors.sock")


def through(door: int, commit: CommitId) -> Snapshot:
    """The snapshot of a commit by the descriptor of its course's content.  OSError, ValueError as for `Manifest`."""
    return Snapshot(Manifest(Path(f"/proc/self/fd/{door}/manifests/{commit}")), blobs_through(door))


def blobs_through(door: int) -> BlobFolder:
    """The blobs of a course by the descriptor of its content."""
    return BlobFolder(Path(f"/proc/self/fd/{door}/blobs"), door)


class NodeClient(AbstractAsyncContextManager["NodeClient"]):
    """A client of one node; use it as an async context, or call `close`.  Reconnecting is the caller's business."""

    def __init__(self, node: Path, doors: Mapping[str, int] | None = None) -> None:
        """`doors`: descriptors of courses' content that we were started with."""
        self.socket = node
        self._doors = dict(doors or {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Nothing is left open: each question has a connection of its own."""

    async def status(self) -> dict[str, Any]:
        """What the node says of its courses and views (`GET /v1/status`)."""
        found: dict[str, Any] = await self._ask("GET", "/v1/status")
        return found

    async def follow(self, course: str) -> AsyncIterator[Ready]:
        """The course's ready commit at once (if there is one), then each new one, until the node goes away."""
        where = f"/v1/courses/{quote(course)}/follow"
        try:
            async with asked(self.socket, "GET", where, silence_s=3 * HEARTBEAT_S) as answer:
                await _check(answer)
                async for line in answer.lines():
                    found = json.loads(line)
                    if found:
                        manifest, blobs = Path(found["manifest"]), Path(found["blobs"])
                        yield await self.ready(course, CommitId(found["commit"]), manifest, blobs, found["ready_at"])
        except (OSError, TimeoutError, ValueError) as error:
            raise self._away() from error
        raise self._away()

    async def ready(self, course: str, commit: CommitId, manifest: Path, blobs: Path, ready_at: float) -> Ready:
        """What somebody who follows the course for us was told.  TryAgain if only the node can open it, and is away."""
        try:
            return Ready(commit, manifest, blobs, ready_at, await self._door(course, manifest))
        except (OSError, TimeoutError) as error:
            raise self._away() from error

    async def _door(self, course: str, manifest: Path) -> int | None:
        """The descriptor of a course's content; None where its path is open to us."""
        known = self._doors.get(course)
        if known is not None and _leads_to(known, manifest.name):
            return known
        try:
            manifest.stat()
            return None
        except PermissionError:
            pass
        except OSError:
            return None  # whoever reads it will say so
        # An older descriptor stays open: files of the commit that it leads to may still be in use.
        self._doors[course] = await _ask_for_door(doors_beside(self.socket), course)
        return self._doors[course]

    async def hint(self, course: str) -> None:
        """Tell the node to look at the remote now; returns at once."""
        await self._post(f"/v1/courses/{quote(course)}/hint", {})

    async def report(self, view: dict[str, Any]) -> None:
        """Tell the node how a view of ours is (see `POST /v1/views`)."""
        await self._post("/v1/views", view)

    async def collect(self) -> dict[str, int]:
        """Have the node remove what nobody needs: {"manifests", "blobs", "bytes"}.  For root and the node's user."""
        found: dict[str, int] = await self._post("/v1/collect", {}, _LONG_S)
        return found

    async def mend(self) -> dict[str, int]:
        """Have every content checked and the wrong ones made again: how many were wrong, by course.  For the same."""
        found: dict[str, int] = (await self._post("/v1/mend", {}, _LONG_S))["wrong"]
        return found

    async def _post(self, path: str, body: dict[str, Any], silence_s: float = _PATIENCE_S) -> Any:
        return await self._ask("POST", path, json.dumps(body).encode(), silence_s)

    async def _ask(self, method: str, path: str, body: bytes | None = None, silence_s: float = _PATIENCE_S) -> Any:
        try:
            async with asked(self.socket, method, path, body, silence_s=silence_s) as answer:
                await _check(answer)
                return json.loads(await answer.body())
        except (OSError, TimeoutError, ValueError) as error:
            raise self._away() from error

    def _away(self) -> TryAgain:
        return TryAgain("The node's service is not running here just now; folders stay as they are until it is back.")


def _leads_to(door: int, commit: str) -> bool:
    try:
        os.stat(f"manifests/{commit}", dir_fd=door)
    except OSError:
        return False
    return True


async def _ask_for_door(where: Path, course: str) -> int:
    loop = asyncio.get_running_loop()
    answered = asyncio.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.setblocking(False)
        async with asyncio.timeout(_PATIENCE_S):
            await loop.sock_connect(asking, str(where))
            asking.send(course.encode())
            loop.add_reader(asking, answered.set)
            try:
                await answered.wait()
            finally:
                loop.remove_reader(asking)
        said, fds, _, _ = socket.recv_fds(asking, 512, 1, socket.MSG_CMSG_CLOEXEC)
    if said[:1] != b"+" or len(fds) != 1:
        for fd in fds:
            os.close(fd)
        raise NeedsUser(said[1:].decode(errors="replace") or "The node does not hand out this course just now.")
    return fds[0]


async def _check(answer: Answer) -> None:
    if answer.status < 400:
        return
    said = (await answer.body()).decode(errors="replace")
    sentence = said[:500].strip() or f"The node answered {answer.status}."
    raise TryAgain(sentence) if answer.status in (429, 503) else NeedsUser(sentence)
