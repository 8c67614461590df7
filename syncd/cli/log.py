"""`syncd log`: what was done to a folder, when and by whom, for people."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from syncd.cli.answer import in_brackets, json_option, printable
from syncd.cli.places import state_folder
from syncd.cli.published import log_of, published, where_we_are
from syncd.core.errors import NeedsUser
from syncd.when import in_words

_NAMED = 3


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, help="How many entries (20).")
@json_option
def log(path: Path | None, limit: int, as_json: bool) -> None:
    """Say what was done to PATH (default: the folder we are in, or the only one), newest first."""
    state = state_folder()
    place = published(state, path) if path is not None else where_we_are(state)
    if place is None:
        raise NeedsUser(
            f"{path or 'This place'} is in none of your synced folders; `syncd status` lists them. "
            "In a student's folder, `syncd versions PATH` says what a file was before."
        )
    found = log_of(state, place, limit)
    if as_json:
        click.echo(json.dumps({"log": [_for_programs(each) for each in found]}, indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    if not found:
        console.print(Text(f"Nothing was done to {path or place.folder.path} yet."))
    now = datetime.now().astimezone()
    for each in found:
        when = in_words(datetime.fromtimestamp(each["time"], UTC), now)
        subject, _, rest = each["message"].partition("\n")
        marks = in_brackets(each["checkpoints"])
        head = ((f"{when:16}", "cyan"), ("  ", ""), (printable(subject), "bold"), (marks, "yellow"))
        console.print(Text.assemble(*head))
        for line in filter(None, map(str.strip, rest.splitlines())):
            console.print(Text(f"{'':18}{printable(line)}"))
        console.print(Text(f"{'':18}{printable(each['author'])}, {each['commit'][:10]}, {_files(each)}", style="dim"))


def _for_programs(each: dict[str, Any]) -> dict[str, Any]:
    when = datetime.fromtimestamp(each["time"], UTC).astimezone().isoformat()
    files = [{"path": path, "what": what} for path, what in each["files"]]
    return {**each, "when": when, "files": files}


def _files(each: dict[str, Any]) -> str:
    if not each["count"]:
        return "no files"
    names = [printable(path) for path, _ in each["files"][:_NAMED]]
    more = each["count"] - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")
