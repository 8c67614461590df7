"""The publisher: all folders of one state folder, kept in step until it is ended."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from syncd.core.errors import NeedsUser, Stop
from syncd.git.remote import Remote
from syncd.metrics.listener import listening
from syncd.metrics.publisher import FolderMeter
from syncd.publisher.control import Control
from syncd.publisher.credentials import Credentials
from syncd.publisher.folder_sync import FolderSync, Timing
from syncd.publisher.observed import Observed
from syncd.publisher.one_daemon import FolderLock, SecondDaemon, lock_state
from syncd.publisher.registry import Folder, Registry
from syncd.publisher.settings import author_of
from syncd.publisher.sizes import limits_of

_log = logging.getLogger(__name__)
_USUAL = Timing()
_LOOK_S = 1.0
"""How often the list of folders is looked at (one stat): `syncd add` works while we run."""


async def run_publisher(
    state: Path,
    *,
    ready: Callable[[str], None] | None = None,
    timing: Timing = _USUAL,
    metrics: tuple[str, int] | None = None,
) -> None:
    """Keep all folders in step until cancelled.

    `ready` is told the control's address once all is started.  SecondDaemon (a Stop) if another
    publisher has this state folder, or one of its synced folders.  `metrics`: host and port of loopback where they
    are shown without a token, beside the control's own address.
    """
    registry = Registry(state)
    with contextlib.ExitStack() as owned:
        owned.callback(lock_state(state).release)
        service = _Publisher(registry, timing)
        owned.callback(service.release)
        await service.adopt(at_start=True)
        control = Control(state, service.listed, registry.pause, registry, service.observed)
        try:
            url = await control.start()
            async with listening(service.observed, *metrics, None) if metrics else contextlib.nullcontext():
                if ready is not None:
                    ready(url)
                await service.run()
        finally:
            await control.close()
            await service.end()


class _Publisher:
    def __init__(self, registry: Registry, timing: Timing) -> None:
        self._registry, self._timing = registry, timing
        self._stamp = 0
        self._adopting = asyncio.Lock()
        self._credentials = Credentials(registry.state)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._locks: dict[str, FolderLock] = {}
        self.folders: dict[str, FolderSync] = {}
        self.observed = Observed(lambda: self.folders)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            for task in self._tasks.values():
                if task.done():
                    task.result()  # the supervising loop of a folder never ends by itself
            await self.listed()

    async def listed(self) -> Mapping[str, FolderSync]:
        """The folders that the list names by now."""
        async with self._adopting:
            if await asyncio.to_thread(self._registry.stamp) != self._stamp:
                await self.adopt(at_start=False)
        return self.folders

    async def adopt(self, *, at_start: bool) -> None:
        """Begin with folders that are new in the list, let go of those that are no longer there."""
        self._stamp, listed = await asyncio.to_thread(self._read)
        for id in self.folders.keys() - listed.keys():
            self._tasks.pop(id).cancel()
            del self.folders[id]
            await asyncio.to_thread(self._locks.pop(id).release)
        for id, folder in listed.items():
            if id in self.folders:
                self.folders[id].follow(folder)
                continue
            try:
                await self._begin(folder)
            except SecondDaemon as problem:
                if at_start:
                    raise
                _log.error("%s", problem)
            except NeedsUser as problem:
                _log.error("%s: %s", folder.path, problem)

    def _read(self) -> tuple[int, dict[str, Folder]]:
        return self._registry.stamp(), {folder.id: folder for folder in self._registry.folders()}

    async def _begin(self, folder: Folder) -> None:
        making = asyncio.create_task(asyncio.to_thread(self._made, folder))
        try:
            sync = await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.wait([making])  # its lock must be known before all are released
            raise
        self.folders[folder.id] = sync
        self._tasks[folder.id] = asyncio.create_task(sync.run(), name=f"sync {folder.path}")

    def _made(self, folder: Folder) -> FolderSync:
        lock = self._locks.setdefault(folder.id, FolderLock(folder.path))
        lock.take()
        own, state = self._registry.own(folder.id), self._registry.state
        meter = FolderMeter(self.observed.metrics)
        return FolderSync(folder, own, self._remote, author_of(state), limits_of(state), self._timing, meter)

    def _remote(self, url: str) -> Remote:
        return Remote(url, self._credentials.asker(url))

    async def end(self) -> None:
        """End all folders' work."""
        for task in self._tasks.values():
            task.cancel()
        for ended in await asyncio.gather(*self._tasks.values(), return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, (asyncio.CancelledError, Stop)):
                _log.error("While ending: %r", ended)

    def release(self) -> None:
        """Let others have the folders."""
        for lock in self._locks.values():
            lock.release()
