"""`syncd node`: the store of this machine, for all its students."""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from syncd.cli.places import ready_writer, store_folder
from syncd.cli.serving import serve
from syncd.core.errors import NeedsUser, SyncError
from syncd.node.client import NodeClient
from syncd.node.config import Course, NodeConfig, load_config
from syncd.node.service import run_node
from syncd.sd_notify import tell_ready, tell_reloading

_log = logging.getLogger(__name__)


@click.group(invoke_without_command=True)
@click.option("--config", "settings", type=click.Path(path_type=Path), help="A TOML file with store and courses.")
@click.option("--store", type=click.Path(path_type=Path), help="Where mirrors and contents are kept.")
@click.option(
    "--course", "courses", multiple=True, metavar="NAME=REMOTE[#BRANCH]", help="Follow a course (repeatable)."
)
@click.option("--token-file", type=click.Path(path_type=Path), help="A token that may read the courses given here.")
@click.option("--poll", type=float, metavar="SECONDS", help="How often a remote is asked when no webhook comes (30).")
@click.option("--webhook", metavar="HOST:PORT", help="Take webhooks at http://HOST:PORT/webhook/COURSE.")
@click.option("--webhook-secret-file", type=click.Path(path_type=Path), help="The webhooks' shared secret.")
@click.option("--ready-file", type=click.Path(path_type=Path), hidden=True)
@click.pass_context
def node(
    context: click.Context,
    settings: Path | None,
    store: Path | None,
    courses: tuple[str, ...],
    token_file: Path | None,
    poll: float | None,
    webhook: str | None,
    webhook_secret_file: Path | None,
    ready_file: Path | None,
) -> None:
    """Keep courses ready for the students of this machine: one copy, one fetch per push."""
    if context.invoked_subcommand is not None:
        return

    def load() -> NodeConfig:
        config = load_config(settings, store or store_folder()) if settings else NodeConfig(store or store_folder())
        given = tuple(_course(text, token_file, webhook_secret_file) for text in courses)
        return replace(
            config,
            store=(store or config.store).absolute(),
            courses=(*config.courses, *given),
            poll_seconds=config.poll_seconds if poll is None else poll,
            webhook=webhook or config.webhook,
        )

    config = load()
    if not config.courses and not settings:
        raise NeedsUser("Say which course to keep: --course NAME=REMOTE, or --config FILE.")
    tell = ready_writer(ready_file)

    def ready(facts: Mapping[str, object]) -> None:
        names = ", ".join(course.name for course in config.courses) or f"no course yet (name one in {settings})"
        webhook = f", webhooks at {facts['webhook']}/webhook/COURSE" if facts["webhook"] else ""
        click.echo(f"Keeping {names} in {config.store}{webhook}.  Ctrl-C ends it.")
        tell(facts)

    changes: asyncio.Queue[NodeConfig] = asyncio.Queue()

    def read_again() -> None:
        tell_reloading()
        try:
            changes.put_nowait(load())
        except SyncError as problem:  # the settings before it go on
            _log.error("%s", problem)
            tell_ready(str(problem))

    serve(run_node(config, ready=ready, changes=changes), reload=read_again)


@node.command()
@click.option("--socket", type=click.Path(path_type=Path), help="The node's socket, if it is not at the usual place.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def collect(socket: Path | None, as_json: bool) -> None:
    """Remove the versions that no student's folder needs any more."""
    found = asyncio.run(_asked(socket, NodeClient.collect))
    if as_json:
        click.echo(json.dumps(found))
        return
    versions = "1 version" if found["manifests"] == 1 else f"{found['manifests']:,} versions"
    click.echo(f"Removed {versions} and {found['blobs']:,} contents: {found['bytes'] / 1e6:,.1f} MB are free again.")


@node.command(short_help="Check the store, and make what is damaged again.")
@click.option("--socket", type=click.Path(path_type=Path), help="The node's socket, if it is not at the usual place.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def mend(socket: Path | None, as_json: bool) -> None:
    """Check every content of the store against its id, and make the damaged ones again.

    Exit status: 0 all is whole, 3 something was damaged and is being made again.
    """
    found = asyncio.run(_asked(socket, NodeClient.mend))
    if as_json:
        click.echo(json.dumps(found))
    for course, wrong in () if as_json else found.items():
        damaged = "1 content was damaged and is" if wrong == 1 else f"{wrong:,} contents were damaged and are"
        click.echo(f"{course}: {damaged} made again." if wrong else f"{course}: every content is what its name says.")
    if any(found.values()):
        sys.exit(3)


async def _asked(
    socket: Path | None, question: Callable[[NodeClient], Coroutine[Any, Any, dict[str, int]]]
) -> dict[str, int]:
    async with NodeClient(socket or store_folder() / "node.sock") as client:
        return await question(client)


def _course(text: str, token_file: Path | None, secret: Path | None) -> Course:
    match = re.fullmatch(r"([^=]+)=([^#]+)(?:#(.+))?", text)
    if match is None:
        raise NeedsUser(f"{text!r} is not a course; write NAME=REMOTE or NAME=REMOTE#BRANCH.")
    return Course(match[1], match[2], match[3], token_file, secret)
