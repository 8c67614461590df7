"""Starting and ending a student's agent on this machine, and asking it: what the spawner's hooks and the pages need.

A mounted folder is never touched.  `Agents` is the seam: what starts agents in another way serves the same four calls.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from hub_plugin import words
from hub_plugin.accounts import Account, account_of, account_without
from hub_plugin.agent_socket import END_S, ask, ask_at, connected_to_node, end
from hub_plugin.courses import Course
from hub_plugin.members import let_in
from hub_plugin.settings import AgentSettings
from syncd.core.errors import NeedsUser, SyncError, TryAgain

_log = logging.getLogger("hub_plugin")
_ASK_AFTER_S = 0.5
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
        await ask(account, self._socket(account), "follow", {"course": course.name, "root": str(root)})
        status = await ask(account, self._socket(account), "status", None)
        return any(view.get("course") == course.name and view.get("commit") for view in status.get("views", ()))

    async def end(self, user: str) -> None:
        """See `Agents`."""
        account = await asyncio.to_thread(self._account, user)
        await self._apply_what_waits(account)
        await asyncio.to_thread(end, account, self._socket(account))
        if started := self._started.pop(account.name, None):
            with suppress(TimeoutError):
                await asyncio.wait_for(started.wait(), END_S)

    async def ask(self, user: str, question: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """See `Agents`."""
        account = await asyncio.to_thread(self._account, user)
        return await ask(account, self._socket(account), question, body)

    async def _added(self, account: Account, known: set[str]) -> list[Course]:
        """What links added for the student; nothing while the node is away, which alone knows."""
        if not self._settings.links_add:
            return []
        try:
            async with asyncio.timeout(_ADDED_S):
                path = f"added?member={quote(account.name)}"
                said = await ask_at(await asyncio.to_thread(connected_to_node, self._settings.node), path, None)
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
                await ask(account, self._socket(account), "update", {})

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
            status = await ask(account, self._socket(account), "status", None)
        except SyncError:
            return False
        kept = {view.get("course") for view in status.get("views", ()) if isinstance(view, dict)}
        if wanted <= kept:
            return True
        await asyncio.to_thread(end, account, self._socket(account))
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
                        status = await ask(account, self._socket(account), "status", None)
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


def _doors(node: Path, courses: Sequence[Course]) -> dict[str, int]:
    """While the node's service is away: descriptors of what it keeps for students, which lies behind closed folders.

    With them a folder opens as it was last.  The node itself hands them out as long as it is there, to its members.
    """
    try:
        connected_to_node(node).close()
        return {}
    except TryAgain:
        pass
    found: dict[str, int] = {}
    for course in courses:
        with suppress(OSError):
            content = node.parent / "courses" / course.name / "content"
            found[course.name] = os.open(content, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    return found
