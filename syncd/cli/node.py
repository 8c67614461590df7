"""`syncd node`: the store of this machine, for all its students."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from syncd.cli.places import ready_writer, store_folder
from syncd.cli.serving import serve
from syncd.core.errors import NeedsUser
from syncd.node.config import Course, NodeConfig, load_config
from syncd.node.service import run_node


@click.command()
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
def node(
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
    config = load_config(settings) if settings else NodeConfig(store or store_folder())
    given = tuple(_course(text, token_file, webhook_secret_file) for text in courses)
    config = replace(
        config,
        store=(store or config.store).absolute(),
        courses=(*config.courses, *given),
        poll_seconds=config.poll_seconds if poll is None else poll,
        webhook=webhook or config.webhook,
    )
    if not config.courses:
        raise NeedsUser("Say which course to keep: --course NAME=REMOTE, or --config FILE.")
    tell = ready_writer(ready_file)

    def ready(facts: Mapping[str, object]) -> None:
        names = ", ".join(course.name for course in config.courses)
        webhook = f", webhooks at {facts['webhook']}/webhook/COURSE" if facts["webhook"] else ""
        click.echo(f"Keeping {names} in {config.store}{webhook}.  Ctrl-C ends it.")
        tell(facts)

    serve(run_node(config, ready=ready))


def _course(text: str, token_file: Path | None, secret: Path | None) -> Course:
    match = re.fullmatch(r"([^=]+)=([^#]+)(?:#(.+))?", text)
    if match is None:
        raise NeedsUser(f"{text!r} is not a course; write NAME=REMOTE or NAME=REMOTE#BRANCH.")
    return Course(match[1], match[2], match[3], token_file, secret)
