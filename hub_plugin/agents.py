"""Starting and ending a student's agent on this machine, and asking it: what the spawner's hooks and the pages need.

All of it is done as a process that may be root, so nothing under a student's home is opened by name except the agent's
own socket, and what answers there is asked nothing before the kernel has said that it is the student's (SO_PEERCRED).
A mounted folder is never touched.  `Agents` is the seam: what starts agents in another way serves the same three calls.
"""

import asyncio
import json
import logging
import os
import pwd
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from hub_plugin import words
from hub_plugin.courses import Course
from hub_plugin.members import let_in
from hub_plugin.settings import AgentSettings
from syncd.core.errors import NeedsUser, SyncError, TryAgain

_log = logging.getLogger("hub_plugin")
_LONGEST_SOCKET = 107
_ASK_AFTER_S = 0.5
_LARGEST_ANSWER = 4 << 20
_END_S = 3.0
_ANSWER_S = 60.0
"""A merge of many notebooks takes its time; an agent that takes more than this is stopped, or wants to keep us."""
_ADDED_S = 0.5


class Agents(Protocol):
    """Whatever keeps the agents of this machine's students."""

    async def ensure(self, user: str, courses: Sequence[Course]) -> None:
        """Have the student's folders there.  SyncError, with its sentence, if they are not after a few seconds."""
        ...

    async def follow(self, user: str, course: Course) -> bool:
        """Have an agent that runs keep one more course; whether the folder is there.  TryAgain if none runs."""
        ...

    async def end(self, user: str) -> None:
        """Apply what waits, and end the student's agent; nothing if there is none."""
        ...

    async def ask(self, user: str, question: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the student's agent: `status`, `update` or `restore`.  SyncError with its sentence if it says no."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """A student's account on this machine."""

    name: str
    uid: int
    gid: int
    home: Path


def account_of(name: str) -> Account:
    """The account of this name.  NeedsUser if there is none, or if it is root's."""
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise NeedsUser(words.no_account(name)) from error
    if found.pw_uid == 0 and os.getuid() == 0 and name != "root":
        raise NeedsUser(words.no_account(name))
    return Account(name, found.pw_uid, found.pw_gid, Path(found.pw_dir))


def account_without(name: str, home: str) -> Account:
    """Somebody without an account of their own, whose home is as `home` says; NeedsUser if the name is no folder's."""
    if not name or "/" in name or name.startswith("."):
        raise NeedsUser(words.no_account(name))
    return Account(name, os.getuid(), os.getgid(), Path(home.replace("{username}", name)))


class LocalAgents:
    """One `syncd agent` per student, as the student, started when it is wanted and found again by its socket."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._started: dict[str, asyncio.subprocess.Process] = {}

    async def ensure(self, user: str, courses: Sequence[Course]) -> None:
        """See `Agents`."""
        account = await asyncio.to_thread(self._member, user, courses)
        courses = [*courses, *await self._added(account, {course.name for course in courses})]
        wanted = {course.name for course in courses}
        if wanted and not await self._keeps(account, wanted):
            await self._start(account, courses)

    async def follow(self, user: str, course: Course) -> bool:
        """See `Agents`."""
        account = await asyncio.to_thread(self._account, user)
        root = account.home / course.folder
        await _ask(account, self._socket(account), "follow", {"course": course.name, "root": str(root)})
        status = await _ask(account, self._socket(account), "status", None)
        return any(view.get("course") == course.name and view.get("commit") for view in status.get("views", ()))

    async def end(self, user: str) -> None:
        """See `Agents`."""
        account = await asyncio.to_thread(self._account, user)
        await self._apply_what_waits(account)
        await asyncio.to_thread(_end, account, self._socket(account))
        if started := self._started.pop(account.name, None):
            with suppress(TimeoutError):
                await asyncio.wait_for(started.wait(), _END_S)

    async def ask(self, user: str, question: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """See `Agents`."""
        account = await asyncio.to_thread(self._account, user)
        return await _ask(account, self._socket(account), question, body)

    async def _added(self, account: Account, known: set[str]) -> list[Course]:
        """What links added for the student; nothing while the node is away, which alone knows."""
        if not self._settings.links_add:
            return []
        try:
            async with asyncio.timeout(_ADDED_S):
                path = f"added?member={quote(account.name)}"
                said = await _ask_at(await asyncio.to_thread(_connected_to_node, self._settings.node), path, None)
        except (SyncError, TimeoutError):
            return []
        return [
            Course(str(one["name"]), str(one["remote"]), folder=str(one["name"]))
            for one in said.get("courses", ())
            if isinstance(one, dict) and one.get("name") not in known
        ]

    async def _apply_what_waits(self, account: Account) -> None:
        with suppress(SyncError, TimeoutError):
            async with asyncio.timeout(self._settings.patience_s):
                await _ask(account, self._socket(account), "update", {})

    def _account(self, user: str) -> Account:
        name = self._settings.system_user.replace("{username}", user)
        return account_without(name, self._settings.home) if self._settings.home else account_of(name)

    def _member(self, user: str, courses: Sequence[Course]) -> Account:
        """The account, which the node knows as a member of these courses."""
        account = self._account(user)
        if self._settings.members_folder:
            try:
                let_in(Path(self._settings.members_folder), account.name, courses)
            except NeedsUser as problem:  # the node may have the list of before
                _log.warning("%s", problem)
        return account

    def _socket(self, account: Account) -> Path:
        return account.home / self._settings.agent_state / "agent.sock"

    async def _keeps(self, account: Account, wanted: set[str]) -> bool:
        """Whether an agent runs that keeps all these courses; one that keeps others is ended."""
        try:
            status = await _ask(account, self._socket(account), "status", None)
        except SyncError:
            return False
        kept = {view.get("course") for view in status.get("views", ()) if isinstance(view, dict)}
        if wanted <= kept:
            return True
        await asyncio.to_thread(_end, account, self._socket(account))
        return False

    async def _start(self, account: Account, courses: Sequence[Course]) -> None:
        """Start it, and wait until it says that the folders show, or says when asked why they don't."""
        said, told = os.pipe()
        try:
            try:
                process = self._started[account.name] = await self._run(account, courses, told)
            finally:
                os.close(told)
            async with asyncio.timeout(self._settings.patience_s):
                while not await _is_told(said):
                    if process.returncode is not None:
                        raise NeedsUser(words.agent_ended(process.returncode))
                    with suppress(SyncError):
                        status = await _ask(account, self._socket(account), "status", None)
                        if status.get("views") and all(_has_come(view) for view in status["views"]):
                            return
        except TimeoutError as error:
            raise TryAgain(words.AGENT_SLOW) from error
        finally:
            os.close(said)

    async def _run(self, account: Account, courses: Sequence[Course], told: int) -> asyncio.subprocess.Process:
        settings = self._settings
        command = list(settings.command or (sys.executable, "-m", "syncd"))
        command += ["agent", "--node", str(settings.node), "--quiet", str(settings.quiet_s)]
        command += ["--as", account.name, "--shown-fd", str(told)]
        if settings.view:
            command += ["--view", settings.view]
        for course in courses:
            command += ["--course", f"{course.name}={account.home / course.folder}"]
        # What the hub's own environment holds (tokens, keys) is none of the student's processes' business.
        doors = await asyncio.to_thread(_doors, settings.node, courses)
        command += [part for name, door in doors.items() for part in ("--door", f"{name}={door}")]
        environment = {
            "HOME": str(account.home),
            "USER": account.name,
            "LOGNAME": account.name,
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "SYNCD_STATE": str((account.home / settings.agent_state).parent),
        }
        if path := os.environ.get("PYTHONPATH"):
            environment["PYTHONPATH"] = path
        identity: dict[str, Any] = {}
        if os.getuid() == 0 and account.uid != 0:
            groups = await asyncio.to_thread(os.getgrouplist, account.name, account.gid)
            identity = {"user": account.uid, "group": account.gid, "extra_groups": groups}
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                cwd="/",
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                umask=0o077,
                # It outlives a restart of the hub, as the student's server does.
                start_new_session=True,
                pass_fds=(told, *doors.values()),
                **identity,
            )
        except OSError as error:
            raise NeedsUser(words.agent_cannot_start(error.strerror or str(error))) from error
        finally:
            for door in doors.values():
                os.close(door)


class ParentAgents(LocalAgents):
    """Agents forked by their parent on this node (`syncd agents run`), in some milliseconds; they outlive the hub."""

    async def ensure(self, user: str, courses: Sequence[Course]) -> None:
        """See `Agents`."""
        account = await asyncio.to_thread(self._member, user, courses)
        wait_s = max(0.0, self._settings.patience_s - 0.5)
        found = await self._ask_parent({"do": "ensure", "user": account.name, "wait_s": wait_s})
        folders = [folder for folder in found.get("folders", ()) if isinstance(folder, dict)]
        ready = {folder.get("course") for folder in folders if folder.get("state") == "ready"}
        if missing := [course.name for course in courses if course.name not in {f.get("course") for f in folders}]:
            raise NeedsUser(words.node_has_no(missing[0], account.name))
        if not ready.issuperset(course.name for course in courses):
            raise TryAgain(words.AGENT_SLOW)

    async def end(self, user: str) -> None:
        """See `Agents`."""
        account = await asyncio.to_thread(self._account, user)
        await self._apply_what_waits(account)
        await self._ask_parent({"do": "end", "user": account.name})

    async def _ask_parent(self, question: Mapping[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(_ask_parent, self._settings.parent, question, self._settings.patience_s)


def _ask_parent(path: str, question: Mapping[str, Any], patience_s: float) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(patience_s)
        try:
            asking.connect(path)
            asking.send(json.dumps(dict(question)).encode())
            found = json.loads(asking.recv(1 << 20) or b"{}")
        except PermissionError as error:
            raise NeedsUser(words.PARENT_REFUSES) from error
        except (OSError, ValueError) as error:
            raise TryAgain(words.PARENT_AWAY) from error
    if not isinstance(found, dict) or "error" in found:
        raise NeedsUser(str(found.get("error"))[:500] if isinstance(found, dict) else words.PARENT_AWAY)
    return found


async def _is_told(said: int) -> bool:
    """Whether an agent has told by a pipe that its folders show; after a moment without a word: not yet."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(said, heard.set)
    try:
        async with asyncio.timeout(_ASK_AFTER_S):
            await heard.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(said)
    return bool(os.read(said, 1))


def _has_come(view: object) -> bool:
    """A version is there, or a sentence says why none is."""
    return isinstance(view, dict) and bool(view.get("commit") or view.get("state") in ("needs_you", "offline"))


async def _ask(account: Account, path: Path, question: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await _ask_at(await asyncio.to_thread(_connected, account, path), question, body)
    except TimeoutError as error:
        raise TryAgain(words.AGENT_SILENT) from error


async def _ask_at(connection: socket.socket, question: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    try:
        sent = json.dumps(dict(body)).encode() if body is not None else b""
        head = f"{'GET' if body is None else 'POST'} /v1/{question} HTTP/1.0\r\nHost: agent\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        writer.write(head.encode() + sent)
        await writer.drain()
        answer = await reader.read(_LARGEST_ANSWER)
        while not reader.at_eof() and len(answer) < _LARGEST_ANSWER:
            answer += await reader.read(_LARGEST_ANSWER)
    except OSError as error:
        raise TryAgain(words.AGENT_SILENT) from error
    finally:
        writer.close()
    head_bytes, _, said = answer.partition(b"\r\n\r\n")
    status = head_bytes.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise NeedsUser(said.decode(errors="replace").strip()[:500] or words.AGENT_SILENT)
    try:
        found = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise TryAgain(words.AGENT_SILENT) from error
    if not isinstance(found, dict):
        raise TryAgain(words.AGENT_SILENT)
    return found


def _doors(node: Path, courses: Sequence[Course]) -> dict[str, int]:
    """While the node's service is away: descriptors of what it keeps for students, which lies behind closed folders.

    With them a folder opens as it was last.  The node itself hands them out as long as it is there, to its members.
    """
    try:
        _connected_to_node(node).close()
        return {}
    except TryAgain:
        pass
    found: dict[str, int] = {}
    for course in courses:
        with suppress(OSError):
            content = node.parent / "courses" / course.name / "content"
            found[course.name] = os.open(content, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    return found


def _connected_to_node(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(1)
        connection.connect(str(path))
        connection.setblocking(False)
    except OSError as error:
        connection.close()
        raise TryAgain(words.NODE_MISSING) from error
    return connection


def _connected(account: Account, path: Path) -> socket.socket:
    """A connection to the account's own agent.  TryAgain if there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(2)
    folder = -1
    try:
        if len(os.fsencode(path)) > _LONGEST_SOCKET:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        else:
            connection.connect(str(path))
        _, uid, _ = _peer(connection)
        if uid != account.uid:
            raise TryAgain(words.AGENT_AWAY)
        connection.setblocking(False)
        return connection
    except OSError as error:
        connection.close()
        raise TryAgain(words.AGENT_AWAY) from error
    except TryAgain:
        connection.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)


def _end(account: Account, path: Path) -> None:
    """Ask the process behind the socket to end, and wait a little for it.  Its number comes from the kernel."""
    try:
        connection = _connected(account, path)
    except SyncError:
        return
    with connection:
        process, _, _ = _peer(connection)
        try:
            handle = os.pidfd_open(process)
        except OSError:
            return
    try:
        # The number can't have passed to another process unless the agent ended just now; then its owner tells.
        if os.stat(f"/proc/{process}").st_uid == account.uid:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            select.select([handle], [], [], _END_S)
    except OSError:
        return
    finally:
        os.close(handle)


def _peer(connection: socket.socket) -> tuple[int, int, int]:
    """Process, user and group at the other end, by the kernel."""
    process, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return process, uid, gid
