"""The publisher's report, asked for while somebody reads the page and only then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from syncd.page.asking import Publisher, Unanswered
from syncd.page.releases import Releases, look
from syncd.page.shown import Shown, shown

_EVERY_S = 0.4


class Watching:
    """The folders as they are, and a wake-up for readers when they changed."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self.readers = 0
        self.folders: tuple[Shown, ...] = ()
        self._releases: dict[str, tuple[Shown, Releases]] = {}

    async def look(self) -> tuple[Shown, ...]:
        """Ask now.  Unanswered if the publisher can't say."""
        found = await self._publisher.ask("GET", "/v1/status")
        now = datetime.now()
        folders = tuple(shown(each, now) for each in found.get("folders", ()))
        if folders != self.folders:
            self.folders = folders
            self.wake()
        return folders

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Somebody reads as long as this lasts."""
        self.readers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self.readers -= 1
            if self.readers == 0:
                self._looking.cancel()
                self._looking = None

    async def releases(self, folder: Shown) -> Releases:
        """What students of a folder have and get; asked for when the folder changed.  Unanswered if nobody can say."""
        known = self._releases.get(folder.id)
        if known is None or known[0] != folder:
            known = folder, await look(self._publisher, folder)
            self._releases[folder.id] = known
        return known[1]

    async def news(self, seconds: float) -> bool:
        """Wait for a change, or that long; whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                return await self._changed.wait()
        except TimeoutError:
            return False

    def wake(self) -> None:
        """Let every reader look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(Unanswered):
                await self.look()
            await asyncio.sleep(_EVERY_S)
