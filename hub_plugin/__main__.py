"""`python -m hub_plugin`: the page on loopback that shows folders, versions and who has which, live."""

import argparse
import asyncio
import ipaddress
import json
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from hub_plugin import words
from hub_plugin.service import make_app
from hub_plugin.sources import Node, Publisher
from syncd.core.errors import NeedsUser, Stop, SyncError


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; 1, with one sentence, if that can't be."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(given))
    except SyncError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def listening_place(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:0` or `[::1]:8080`.  NeedsUser unless it is this computer alone."""
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise NeedsUser(words.bad_listen(text))
    if not loopback:
        raise NeedsUser(words.not_loopback(text))
    return host, int(port)


async def _serve(given: argparse.Namespace) -> None:
    host, port = listening_place(given.listen)
    if given.publisher is None and given.node is None:
        raise NeedsUser(words.NO_SOURCE)
    publisher = Publisher(given.publisher) if given.publisher else None
    node = Node(given.node) if given.node else None
    # A stream that is open when we end has been told to end; it is not waited for longer than this.
    runner = web.AppRunner(make_app(publisher, node, given.git_url), handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise Stop(words.cannot_listen(given.listen, error.strerror or str(error))) from error
        bound = runner.addresses[0]
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{bound[1]}/"
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)
        if given.ready_file:
            _say_ready(given.ready_file, url)
        print(words.listening(url), flush=True)
        await ending.wait()
    finally:
        await runner.cleanup()


def _say_ready(path: Path, url: str) -> None:
    aside = path.with_name(path.name + ".new")
    aside.write_text(json.dumps({"url": url}))
    os.replace(aside, path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub_plugin", description=words.COMMAND)
    parser.add_argument("--publisher", type=Path, metavar="STATE_FOLDER", help=words.HELP_PUBLISHER)
    parser.add_argument("--node", type=Path, metavar="SOCKET", help=words.HELP_NODE)
    parser.add_argument("--git-url", default="", metavar="URL", help=words.HELP_GIT_URL)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help=words.HELP_LISTEN)
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help=words.HELP_READY_FILE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
