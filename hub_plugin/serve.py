"""`python -m hub_plugin.serve`: the service as the hub starts it, or something else that sets the same environment."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web
from yarl import URL

from hub_plugin import words
from hub_plugin.database import Database
from hub_plugin.events import Events
from hub_plugin.hub_address import HubAddress
from hub_plugin.hub_service import make_hub_app
from hub_plugin.live import Board
from hub_plugin.login import Hub
from hub_plugin.parent_agents import agents_as
from hub_plugin.reported import Everywhere
from hub_plugin.rosters import Groups
from hub_plugin.settings import from_environment
from hub_plugin.sources import Node, Publisher
from hub_plugin.watch import Watcher
from syncd.core.errors import Stop, SyncError


def main() -> int:
    """Serve until SIGTERM; 1, with one sentence, if that can't be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve())
    except SyncError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _serve() -> None:
    settings = from_environment(os.environ)
    address = HubAddress.from_environment(os.environ)
    where = URL(os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:0"))
    database = await asyncio.to_thread(Database, settings.db_url)
    events = Events(settings.redis_url, address.base_url)
    publisher = Publisher(Path(settings.publisher)) if settings.publisher else None
    node = Node(Path(settings.node)) if settings.node else None
    everywhere = Everywhere(node)
    agents = agents_as(settings.of_agents())
    hub = Hub(address, frozenset(settings.admin_groups))
    groups = Groups(hub.groups)
    watcher = Watcher(publisher, everywhere, Board(), groups)
    app = make_hub_app(settings, hub, database, watcher, agents, node, publisher, events, everywhere, groups)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, where.host or "127.0.0.1", where.port or 0).start()
        except OSError as error:
            raise Stop(words.cannot_listen(str(where), error.strerror or str(error))) from error
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)
        await ending.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
