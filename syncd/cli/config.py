"""`syncd config`: the few settings there are."""

import json

import click
from rich.console import Console
from rich.table import Table

from syncd.cli.answer import json_option, say
from syncd.cli.places import state_folder
from syncd.core.errors import NeedsUser
from syncd.publisher.settings import SETTINGS, Settings


@click.command()
@click.argument("name", required=False, type=click.Choice(list(SETTINGS)), metavar="[NAME]")
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Take the setting back.")
@json_option
def config(name: str | None, value: str | None, unset: bool, as_json: bool) -> None:
    """Show the settings, or set NAME to VALUE."""
    settings = Settings(state_folder())
    if name is None:
        found = settings.all()
        if as_json:
            click.echo(json.dumps(found, indent=1))
            return
        table = Table(box=None, show_header=False)
        for each, setting in SETTINGS.items():
            table.add_row(each, found.get(each, "-"), setting.help)
        Console(highlight=False).print(table)
    elif unset or value is not None:
        if unset and value is not None:
            raise NeedsUser("Give a value or --unset, not both.")
        settings.set(name, value)
        known = settings.get(name)
        say(as_json, f"{name} is {known}." if known else f"{name} is no longer set.", name=name, value=known)
    else:
        known = settings.get(name)
        say(as_json, known or f"{name} is not set.", name=name, value=known)
