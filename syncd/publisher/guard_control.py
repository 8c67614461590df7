"""The control's part about guards: what was held goes out after all, or is held again."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser, SyncError
from syncd.core.staff import Allowed
from syncd.publisher.control_answers import UNKNOWN, Now, body_of, say
from syncd.publisher.guarding import GUARDS
from syncd.publisher.plans import shown
from syncd.publisher.registry import Registry


class Guarding(Protocol):
    """A folder that holds files back."""

    def status(self) -> Mapping[str, Any]: ...  # noqa: D102
    def guards_of(self, path: RelPath) -> list[str]: ...  # noqa: D102


def guard_routes(state: Path, folders: Now[Guarding]) -> Sequence[web.RouteDef]:
    """`POST /v1/folders/{id}/allow` and `/disallow`: `{"path": ..., "guard": ...}`.

    Without a guard, all that hold the path now.
    """

    async def handle(request: web.Request) -> web.Response:
        id, what = request.match_info["id"], request.match_info["what"]
        folder = (await folders()).get(id)
        if folder is None:
            return say(404, UNKNOWN)
        body = await body_of(request)
        path, guard = body.get("path"), body.get("guard")
        if not isinstance(path, str) or not (guard is None or isinstance(guard, str)):
            return say(400, "“path” and “guard” are texts.")
        named = [guard] if guard is not None else folder.guards_of(RelPath(path)) if what == "allow" else GUARDS
        try:
            sentence = await asyncio.to_thread(set_allowed, state, id, RelPath(path), named, what == "allow")
        except SyncError as problem:
            return say(409, str(problem))
        await folders()  # those that run learn of it now
        return web.json_response({"sentence": sentence})

    return [web.post("/v1/folders/{id}/{what:allow|disallow}", handle)]


def set_allowed(state: Path, id: str, path: RelPath, guards: Sequence[str], allowed: bool) -> str:
    """Note that guards do not hold for a path, or hold again; a sentence.

    NeedsUser if there is nothing to note: no such guard, nothing at the path that could be held, or nothing allowed.
    """
    unknown = [guard for guard in guards if guard not in GUARDS]
    path = RelPath(path.strip("/"))
    if unknown or not path or any(name in ("", ".", "..") for name in path.split("/")):
        what = f"There is no guard “{unknown[0]}”" if unknown else "This is no path in the folder"
        raise NeedsUser(f"{what}; give one of {', '.join(GUARDS)}, and a path below the folder.")
    registry = Registry(state)
    folder = registry.find(id)
    if allowed and not os.path.lexists(os.fsencode(folder.path / path)):
        raise NeedsUser(f"There is nothing named “{shown(path)}” in this folder; `syncd status` names what is held.")
    if allowed and not guards:
        raise NeedsUser(f"No guard holds “{shown(path)}” now; if patterns ignore it, add --guard ignored.")
    chosen = [Allowed(path, guard) for guard in guards or GUARDS]
    if not allowed and not any(each in folder.allowed for each in chosen):
        raise NeedsUser(f"“{shown(path)}” was not allowed by this name{_others(folder.allowed)}.")
    for each in chosen:
        registry.allow(id, each, allowed)
    if allowed:
        return f"“{shown(path)}” is published from now on."
    return f"“{shown(path)}” is looked at again before it goes out; what went out already stays there."


def _others(known: Sequence[Allowed]) -> str:
    names = sorted({f"“{shown(each.path)}”" for each in known})
    return f": what is allowed is {', '.join(names[:5])}" if names else ": nothing in this folder is"
