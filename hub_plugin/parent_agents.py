"""Having the node's parent of agents (`syncd agents run`) start a student's agent."""

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from hub_plugin import words
from hub_plugin.agents import LocalAgents
from hub_plugin.courses import Course
from hub_plugin.settings import AgentSettings
from syncd.core.errors import NeedsUser, TryAgain


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
            raise TryAgain(str(found.get("sentence") or words.AGENT_SLOW)[:500])

    async def end(self, user: str) -> None:
        """See `Agents`."""
        account = await asyncio.to_thread(self._account, user)
        await self._apply_what_waits(account)
        await self._ask_parent({"do": "end", "user": account.name})

    async def _ask_parent(self, question: Mapping[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(_ask_parent, self._settings.parent, question, self._settings.patience_s)


def agents_as(settings: AgentSettings) -> LocalAgents:
    """Whoever starts agents on this machine."""
    return ParentAgents(settings) if settings.parent else LocalAgents(settings)


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
