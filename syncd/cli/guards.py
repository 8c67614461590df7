"""`syncd allow` and `disallow`: publish what a guard holds back, or let the guard hold again."""

from pathlib import Path

import click

from syncd.cli.answer import json_option, say
from syncd.cli.places import state_folder
from syncd.cli.published import published
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser
from syncd.publisher.guard_control import set_allowed
from syncd.publisher.guarding import GUARDS

_guard = click.option(
    "--guard", type=click.Choice(GUARDS), help="Only this one (default: those that hold it, or all if none runs)."
)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@_guard
@json_option
def allow(path: Path, guard: str | None, as_json: bool) -> None:
    """Publish PATH (a file, or all in a folder) although a guard holds it back.

    `syncd status` names what is held, and by which guard: its size, a secret in it, that it is for staff or
    holds solutions, or that the course's patterns ignore it.
    """
    _set(path, guard, "allow", as_json)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@_guard
@json_option
def disallow(path: Path, guard: str | None, as_json: bool) -> None:
    """Take back what `syncd allow PATH` said."""
    _set(path, guard, "disallow", as_json)


def _set(path: Path, guard: str | None, what: str, as_json: bool) -> None:
    state = state_folder()
    place = published(state, path)
    if place is None or not place.path:
        raise NeedsUser(f"{path} is no file or folder in a synced folder; `syncd status` lists them.")
    body = {"path": place.path, **({"guard": guard} if guard else {})}
    try:
        sentence = ask_publisher(state, "POST", f"/v1/folders/{place.folder.id}/{what}", body)["sentence"]
    except NotRunning:
        guards = [guard] if guard else GUARDS
        sentence = set_allowed(state, place.folder.id, RelPath(place.path), guards, what == "allow")
    say(as_json, sentence)
