"""What `syncd doctor --node` looks at: this machine's node."""

import asyncio
import functools
import pwd
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from syncd.agent.kinds import kinds
from syncd.cli.places import store_folder
from syncd.cli.units import STARTED, node_files, programs, unit_files
from syncd.core.errors import SyncError
from syncd.doctor.node_homes import exported
from syncd.doctor.node_place import NodeHere, node_config
from syncd.node.client import NodeClient

_SETTINGS = Path("/etc/synced-folders/node.toml")
_EXPORTS, _FIRST_UID = Path("/etc/exports"), 1000
"""Of people: what comes before are the system's own (login.defs(5), UID_MIN)."""
_BOOTED = Path("/run/systemd/system")
"""sd_booted(3)."""


def node_here(settings: Path | None, store: Path | None, deep: bool) -> NodeHere:
    """The node of these settings, by default of this machine's."""
    if settings is None and store is None and _SETTINGS.exists():
        settings = _SETTINGS
    config, unread = node_config(settings, store or store_folder())
    where = store or (config.store if config else store_folder())
    socket = where / "node.sock"
    try:
        status = _ask(socket, NodeClient.status)
    except SyncError:
        status = None
    return NodeHere(
        settings=settings,
        store=where,
        config=config,
        unread=unread,
        status=status,
        ask_to_mend=functools.cache(lambda: _ask(socket, NodeClient.mend)),  # it reads all courses: once will do
        units=_units(),
        started=STARTED,
        no_overlay=kinds()["overlay"].why_not,
        deep=deep,
        homes=tuple({Path(each.pw_dir) for each in pwd.getpwall() if each.pw_uid >= _FIRST_UID}),
        exported=tuple(folder for file in _exports() for folder in exported(file.read_text(errors="replace"))),
    )


def _exports() -> list[Path]:
    return [file for file in (_EXPORTS, *sorted(_EXPORTS.with_suffix(".d").glob("*.exports"))) if file.is_file()]


def _units() -> Mapping[Path, str] | None:
    if not _BOOTED.is_dir():
        return None
    try:
        return node_files(unit_files(), programs())
    except SyncError:
        return node_files(unit_files(), Path("/opt/synced-folders/bin"))


def _ask(socket: Path, question: Callable[[NodeClient], Coroutine[Any, Any, Any]]) -> Any:
    async def ask() -> Any:
        async with NodeClient(socket) as client:
            return await question(client)

    return asyncio.run(ask())
