"""Looking at the sources: twice a second while somebody watches, when a page is loaded, and otherwise not at all."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from hub_plugin.live import Board, layout
from hub_plugin.numbering import Places, places_in
from hub_plugin.overview import overview
from hub_plugin.rosters import Groups
from hub_plugin.shown import Look, Overview
from hub_plugin.sources import Looked

log = logging.getLogger(__name__)

INTERVAL_S = 0.5
_FIRST_LOAD_S = 1.0  # how long a page load waits for sources that hang
_AFTER_A_FAULT_S = 5.0
_SHARE = 15  # however large the class, showing it takes no more than one part in so many of a core


class Watcher:
    """Keeps a board up to date with its sources, each of which may be missing."""

    def __init__(
        self, publisher: Looked | None, node: Looked | None, board: Board, groups: Groups | None = None
    ) -> None:
        self.board = board
        self._publisher, self._node, self._groups = publisher, node, groups
        self._others: list[Looked] = []
        self._audience = 0
        self._watched = asyncio.Event()
        self._looking: dict[Looked, asyncio.Task[None]] = {}
        self._shown_of: dict[Looked, Look] = {}
        self._started = -INTERVAL_S
        self._places: Places = {}
        self._cost_s = 0.0
        self.shown = self._show()

    async def run(self) -> None:
        """Look again and again while there is an audience, until cancelled."""
        while True:
            await self._watched.wait()
            self._start_looking()
            await asyncio.sleep(max(INTERVAL_S, _SHARE * self._cost_s))

    async def refresh(self) -> None:
        """Have the board show how things are now, or almost; a source that hangs is waited for a second at most."""
        if time.monotonic() - self._started >= INTERVAL_S:
            self._start_looking()
        if self._looking:
            await asyncio.wait(self._looking.values(), timeout=_FIRST_LOAD_S)

    @asynccontextmanager
    async def audience(self) -> AsyncIterator[None]:
        """One more reader, for as long as the context lasts."""
        self._audience += 1
        self._watched.set()
        try:
            yield
        finally:
            self._audience -= 1
            if not self._audience:
                self._watched.clear()

    @property
    def readers(self) -> int:
        """How many pages are open."""
        return self._audience

    @property
    def node_away(self) -> bool:
        """Whether the node does not answer, or was never asked."""
        return self._node is None or self._node.last.problem is not None

    async def close(self) -> None:
        """End looks that are under way, and let go of the sources."""
        looking = set(self._looking.values())
        for task in looking:
            task.cancel()
        if looking:
            await asyncio.wait(looking)
        for source in self._sources():
            await source.close()

    def also(self, source: Looked) -> None:
        """Look at one more source, for a page that is cut in another way."""
        self._others.append(source)

    def _sources(self) -> list[Looked]:
        return [one for one in (self._publisher, self._node, self._groups, *self._others) if one is not None]

    def _start_looking(self) -> None:
        """Look at each source that is not being looked at: one that hangs does not hold up the other."""
        self._started = time.monotonic()
        for source in self._sources():
            if source not in self._looking:
                self._looking[source] = asyncio.create_task(self._look(source))

    async def _look(self, source: Looked) -> None:
        try:
            before = self._shown_of.get(source, Look())
            after = await source.look()
            if after.document is not before.document or after.problem != before.problem:
                self._show()
        except Exception:
            # Where the page is supervised: one odd document must not end it, nor fill the log.
            log.exception("could not show what %s said", source.who)
            await asyncio.sleep(_AFTER_A_FAULT_S)
        finally:
            del self._looking[source]

    def _show(self) -> Overview:
        began = time.monotonic()
        self._shown_of = {source: source.last for source in self._sources()}
        publisher, node = _seen(self._publisher), _seen(self._node)
        self._places = places_in(publisher, node, self._places)
        groups = self._groups.known if self._groups else None
        self.shown = replace(overview(publisher, node, self._places), groups=groups)
        if not self.board.show(layout(self.shown)):
            self.board.wake()  # a page that is cut in another way may have changed all the same
        self._cost_s = time.monotonic() - began
        return self.shown


def _seen(source: Looked | None) -> Look | None:
    return None if source is None else source.last
