"""`syncd doctor`: what is wrong, what to do about it, and doing it."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.text import Text

from syncd.cli.answer import json_option, printable, told
from syncd.cli.node_doctor import node_here
from syncd.cli.places import state_folder
from syncd.cli.progress import progress_bars
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.errors import NeedsUser, SyncError
from syncd.doctor.finding import Finding, Level, examined
from syncd.doctor.place import here
from syncd.doctor.suite import NODE, PUBLISHER
from syncd.publisher.settings import Settings

_SIGNS = {
    Level.GOOD: ("✓", "green"),
    Level.NOTE: ("-", "dim"),
    Level.WARNING: ("!", "yellow"),
    Level.PROBLEM: ("✗", "red"),
}


@click.command()
@click.option("--fix", is_flag=True, help="Repair what can be repaired safely.")
@click.option("--node", "of_node", is_flag=True, help="Look at this machine's node (as root), not at your folders.")
@click.option("--deep", is_flag=True, help="With --node: read every content, and compare it with its id.")
@click.option("--config", "settings", type=click.Path(path_type=Path), help="With --node: its settings.")
@click.option("--store", type=click.Path(path_type=Path), help="With --node: its store, if the settings don't say.")
@json_option
def doctor(fix: bool, of_node: bool, deep: bool, settings: Path | None, store: Path | None, as_json: bool) -> None:
    """Look whether all is well, and say what to do where it is not.

    Exit status: 0 all is well, 3 something needs you.  Everything in the folders is read once.
    """
    if of_node:
        _end(list(examined(NODE, node_here(settings, store, deep), mend=fix)), as_json, "syncd doctor --node --fix")
    if deep or settings or store:
        raise NeedsUser("--deep, --config and --store are about a node: add --node.")
    state = state_folder()
    try:
        told_by_publisher = {each["id"]: each for each in ask_publisher(state, "GET", "/v1/status")["folders"]}
    except NotRunning:
        told_by_publisher = None
    with progress_bars(quiet=as_json) as told:
        place = here(state, told_by_publisher, _api(), told)
        found = list(examined(PUBLISHER, place, mend=fix))
    _end(found, as_json, "syncd doctor --fix")


def _end(found: Iterable[Finding], as_json: bool, again: str) -> NoReturn:
    _show(found, as_json, again)
    sys.exit(3 if any(each.level is Level.PROBLEM for each in found) else 0)


def _show(found: Iterable[Finding], as_json: bool, again: str) -> None:
    if as_json:
        rows = [
            {
                "check": each.check,
                "level": each.level.value,
                "sentence": each.sentence,
                "mended": each.mended,
                "can_mend": each.mend is not None,
            }
            for each in found
        ]
        ok = not any(row["level"] == Level.PROBLEM.value for row in rows)
        click.echo(json.dumps({"ok": ok, "findings": rows}, indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    mendable = 0
    for each in found:
        sign, style = _SIGNS[each.level]
        sentence = (printable(each.sentence), "" if each.level is not Level.NOTE else "dim")
        told(console, Text.assemble((sign, style), "  ", sentence))
        mendable += each.mend is not None
    if mendable:
        console.print(f"{mendable} of this can be repaired by: {again}")


def _api() -> str | None:
    given = os.environ.get("SYNCD_GITHUB_API")
    if given or not state_folder().is_dir():
        return given
    try:
        return Settings(state_folder()).get("github.api")
    except SyncError:
        return None  # the check of the settings says so
