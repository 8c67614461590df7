"""What happens around a student's server: folders there before it starts, agent ended after it stops.

Nothing here ever keeps a student from their server: whatever goes wrong is logged in one sentence, the server starts,
and the student's page says what is wrong.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hub_plugin import words
from hub_plugin.agents import Agents
from hub_plugin.courses import Course, Visitor, followed_by
from syncd.core.errors import SyncError

_log = logging.getLogger("hub_plugin")
_MARK = "_synced_folders"

Hook = Callable[[Any], Any]


def before_start(
    agents: Agents, courses: Sequence[Course], earlier: Hook | None, patience_s: float, *, links_add: bool = False
) -> Hook:
    """`links_add`: there may be courses besides, which links added.

    A `pre_spawn_hook`: the hook that was there before runs first, and may refuse the start as it always could.
    """

    async def pre_spawn_hook(spawner: Any) -> None:
        await _run(earlier, spawner)
        user = spawner.user.name
        if getattr(spawner, "name", ""):
            return  # a named server shares the folders of the person's own
        mine = followed_by(Visitor(user, frozenset(group.name for group in spawner.user.groups)), courses)
        if mine or links_add:
            await _unharmed(agents.ensure(user, mine), patience_s + 1, user, words.LOG_NOT_READY)

    setattr(pre_spawn_hook, _MARK, True)
    return pre_spawn_hook


def after_stop(agents: Agents, earlier: Hook | None, patience_s: float) -> Hook:
    """A `post_stop_hook`: what waits is applied and the agent ends, whatever the hook that was there before does."""

    async def post_stop_hook(spawner: Any) -> None:
        try:
            await _run(earlier, spawner)
        finally:
            if not getattr(spawner, "name", ""):
                await _unharmed(agents.end(spawner.user.name), patience_s + 5, spawner.user.name, words.LOG_NOT_ENDED)

    setattr(post_stop_hook, _MARK, True)
    return post_stop_hook


def is_ours(hook: object) -> bool:
    """Whether a hook was made here."""
    return getattr(hook, _MARK, False) is True


async def _run(hook: Hook | None, spawner: Any) -> None:
    if hook is not None:
        found = hook(spawner)
        if inspect.isawaitable(found):
            await found


async def _unharmed(work: Awaitable[None], patience_s: float, user: str, what: str) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await work
    except TimeoutError:
        _log.warning("%s: %s %s", user, what, words.AGENT_SLOW)
    except SyncError as problem:
        _log.warning("%s: %s %s", user, what, problem)
    except Exception:  # noqa: BLE001  (a fault of ours must not lock a student out)
        _log.exception("%s: %s", user, what)
