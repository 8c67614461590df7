"""What keeps a store small and sound while the service runs: pins of views, collection, checking of contents.

    POST /v1/collect    remove what nobody needs (systemd's timer asks for it once a day)
    POST /v1/mend       check every content of what is ready against its id, and make the wrong ones again

Both are for root and the service's own user.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

from aiohttp import web

from syncd.core.errors import TryAgain
from syncd.metrics.node import NodeMetrics
from syncd.node.collect import KEEP_S, Collected, collect
from syncd.node.course import CourseKeeper, in_thread
from syncd.node.pins import Pins
from syncd.node.store import Store
from syncd.node.views import Peer

_log = logging.getLogger(__name__)
_SAVED_EVERY_S = 2.0


class Upkeep:
    """The upkeep of one running service's store."""

    def __init__(
        self,
        store: Store,
        keepers: Mapping[str, CourseKeeper],
        trusts: Callable[[web.Request], bool],
        metrics: NodeMetrics,
        kept_s: float,
    ) -> None:
        """`kept_s`: see `NodeConfig`."""
        self._store, self._keepers, self._trusts, self._metrics = store, keepers, trusts, metrics
        self._kept_s = kept_s
        self._pins = Pins(store.pins)
        self._begun = time.time()
        self.last: tuple[float, Collected] | None = None

    def routes(self) -> list[web.RouteDef]:
        """What the service adds to its socket."""
        return [web.post("/v1/collect", self._collect), web.post("/v1/mend", self._mend)]

    def reported(self, peer: Peer, view: Mapping[str, object]) -> None:
        """A view said where it stands."""
        who = peer.uid, str(view.get("user") or ""), str(view.get("course") or "")
        self._pins.note(who, view.get("commit"), bool(view.get("waiting")), time.time())

    async def run(self) -> None:
        """Save the pins now and then, until cancelled."""
        while True:
            await asyncio.sleep(_SAVED_EVERY_S)
            try:
                await in_thread(self._pins.save)
            except OSError as error:
                _log.warning("%s can't be written (%s); it is tried again", self._store.pins, error.strerror)

    async def collect(self) -> Collected:
        """Remove what nobody needs.  TryAgain while a version is being made ready."""
        now = time.time()
        if self._pins.damaged and now - self._begun < KEEP_S:
            raise TryAgain("The list of what views need was damaged; collecting waits a week for all to report again.")
        needed = self._pins.by_course(now)
        await in_thread(self._pins.save)
        with self._store.gate.collecting() as begins:
            if not begins:
                raise TryAgain("A version is just being made ready; collect again in a while.")
            found = await in_thread(lambda: collect(self._store, set(self._keepers), needed, now, self._kept_s))
        self.last = now, found
        self._metrics.collected(found.manifests, found.blobs, found.bytes)
        _log.info("collected %d versions, %d contents, %d bytes", found.manifests, found.blobs, found.bytes)
        return found

    async def _collect(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response(asdict(await self.collect()))

    async def _mend(self, request: web.Request) -> web.Response:
        self._check(request)
        wrong = {name: await keeper.mend() for name, keeper in list(self._keepers.items())}
        self._metrics.mended.inc(sum(wrong.values()))
        return web.json_response({"wrong": wrong})

    def _check(self, request: web.Request) -> None:
        if not self._trusts(request):
            raise web.HTTPForbidden(text="Only root and the node's own user may ask for this.")
