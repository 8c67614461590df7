"""The agent's control socket, `<state>/agent.sock`: HTTP for commands of the same person.

Served by `serve`, asked by `ask_agent`.  The socket lies in a folder of mode 0700, and whoever asks
must be the same user, or root, by the kernel's word.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from syncd.agent.alone import elsewhere_sentence
from syncd.agent.lease import served_on
from syncd.core.errors import NeedsUser

if TYPE_CHECKING:
    from aiohttp.web import AppRunner

_LONGEST_PATH = 107  # bytes of a unix socket's address
_PATIENCE_S = 60.0
_AWAY = "No agent is running for these folders; start it with: syncd agent --course NAME=FOLDER"


class Controlled(Protocol):
    """What the socket hands requests to."""

    def status(self) -> list[dict[str, Any]]:
        """All views, as in the report to the node."""
        ...

    async def restore(self, course: str, path: str) -> str:
        """Give the instructor's version of a file or folder ('' is all) back; a sentence."""
        ...

    async def update(self, course: str | None) -> str:
        """Update now, files that wait included; a sentence."""
        ...

    async def pause(self, course: str, paused: bool) -> str:
        """Bring no updates, or bring them again; a sentence."""
        ...

    async def follow(self, course: str, root: Path) -> str:
        """Keep one more course, from now on until the end; a sentence."""
        ...

    async def changes(self, course: str) -> dict[str, Any]:
        """What differs from the instructor's, and what updates replaced."""
        ...

    async def compare(self, course: str, path: str, version: str) -> dict[str, Any]:
        """A file's texts now and before: a kept version, or the instructor's."""
        ...


@asynccontextmanager
async def serve(state: Path, agent: Controlled) -> AsyncIterator[Path]:
    """Serve the socket while the context is open.

    The server begins with the first question: few students ever ask one, and each agent's would be memory of its own.
    """
    path, loop = state / "agent.sock", asyncio.get_running_loop()
    listener = _listening(path)
    listener.setblocking(False)
    begun: list[asyncio.Task[AppRunner]] = []

    def begin() -> None:
        # With it comes a library that takes longer to load than all else takes that a folder needs.
        from syncd.agent.control_server import served

        loop.remove_reader(listener)
        begun.append(loop.create_task(served(listener, agent)))

    loop.add_reader(listener, begin)
    try:
        yield path
    finally:
        loop.remove_reader(listener)
        for server in begun:
            await (await server).cleanup()
        listener.close()
        path.unlink(missing_ok=True)


def ask_agent(state: Path, question: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask the agent of this state folder: `status`, `restore`, `update`, `pause`, `changes` or `compare`.

    NeedsUser, with its sentence, if it says no or is not running.
    """
    import http.client  # for who asks; an agent needs none of it

    connection = http.client.HTTPConnection("agent", timeout=_PATIENCE_S)
    connection.sock = _connected(state / "agent.sock")
    try:
        if question == "status":
            connection.request("GET", "/v1/status")
        else:
            head = {"Content-Type": "application/json"}
            connection.request("POST", f"/v1/{question}", json.dumps(dict(body or {})), head)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 400:
            raise NeedsUser(said.decode(errors="replace").strip() or f"The agent answered {answer.status}.")
        found: dict[str, Any] = json.loads(said)
        return found
    except (OSError, ValueError, http.client.HTTPException) as problem:
        raise NeedsUser("The agent does not answer; look at its log, or start it again.") from problem
    finally:
        connection.close()


def view_of(state: Path, path: Path) -> tuple[str, str]:
    """The course whose folder holds a path, and the path inside it ('' is the folder itself).

    NeedsUser if it is in no folder of this agent.
    """
    wanted = [Path(os.path.normpath(path.absolute())), path.parent.resolve() / path.name]
    for view in ask_agent(state, "status")["views"]:
        root = Path(view["root"])
        for candidate in wanted:
            for top in (root, root.parent.resolve() / root.name):
                if candidate == top or top in candidate.parents:
                    inside = candidate.relative_to(top).as_posix()
                    return str(view["course"]), "" if inside == "." else inside
    raise NeedsUser(f"{path} is in none of the folders that the agent keeps; give a path inside one of them.")


def _listening(path: Path) -> socket.socket:
    """Listen at a path; what a killed agent left there is replaced (we hold the lock of the state folder)."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _at_short_path(path, listener.bind)
        os.chmod(path, 0o600)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _connected(path: Path) -> socket.socket:
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    asking.settimeout(_PATIENCE_S)
    try:
        _at_short_path(path, asking.connect)
    except OSError as problem:
        asking.close()
        node = served_on(path.parent)
        raise NeedsUser(elsewhere_sentence(node) if node is not None else _AWAY) from problem
    return asking


def _at_short_path(path: Path, call: Callable[[str], None]) -> None:
    """Homes can lie deeper than a socket's address may be long; the way by the folder's descriptor is short."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        call(str(path))
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        call(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
