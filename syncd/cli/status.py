"""`syncd status`: what is going on, in words."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from syncd.agent.control import ask_agent
from syncd.cli.places import state_folder
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.errors import NeedsUser
from syncd.publisher.registry import Registry

_GOOD = {"up_to_date": "green", "settling": "cyan", "pushing": "cyan", "waiting": "cyan"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Say how all folders of yours are doing.

    Exit status: 0 all is well or under way, 3 something needs you or is not running.
    """
    found = {**_published(state_folder()), **_followed(state_folder())}
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        _show(found)
    states = [each["state"] for each in (*found["folders"], *found["views"])]
    sys.exit(0 if all(state in _GOOD for state in states) else 3)


def _published(state: Path) -> dict[str, Any]:
    try:
        return {"folders": ask_publisher(state, "GET", "/v1/status")["folders"]}
    except NotRunning as problem:
        listed = Registry(state).folders() if (state / "folders.json").exists() else ()
        return {
            "folders": [
                {
                    "id": folder.id,
                    "folder": str(folder.path),
                    "remote": folder.remote,
                    "branch": folder.branch,
                    "state": "not_running",
                    "sentence": str(problem),
                    "recent": [],
                }
                for folder in listed
            ]
        }


def _followed(state: Path) -> dict[str, Any]:
    try:
        return {"views": ask_agent(state / "agent", "status")["views"]}
    except NeedsUser:
        return {"views": []}


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not found["folders"] and not found["views"]:
        console.print("Nothing is synced yet. Begin with: syncd add FOLDER REMOTE")
    for folder in found["folders"]:
        console.print(_head(folder["folder"], folder))
        console.print(f"  {escape(folder['remote'])} ({escape(folder['branch'])})", style="dim")
        if (students := folder.get("students")) is not None:
            console.print(Text(f"  {_students(students)}", style="dim"))
        for commit in folder["recent"][:3]:
            console.print(f"  {escape(commit['message'])}", style="dim")
        for problem in (*folder.get("left_out", ()), *folder.get("warnings", ())):
            console.print(Text(f"  {problem}"))
    for view in found["views"]:
        console.print(_head(view["root"], view))
        console.print(Text(f"  {view['course']}, version {(view['commit'] or 'none')[:8]}", style="dim"))
        for note in view.get("notes", ())[-3:]:
            console.print(Text(f"  {note}"))


def _students(found: dict[str, Any]) -> str:
    if found["way"] == "live":
        return f"Students follow {found['branch']}: every save."
    behind = found["behind"]
    waits = "everything is there" if behind == 0 else f"{behind or '?'} files differ from what students have"
    planned = "".join(f"; {each['what']} on {each['when']}" for each in found["planned"][:3])
    return f"Students follow {found['branch']}: what you publish; {waits}{planned}."


def _head(name: str, thing: dict[str, Any]) -> Text:
    style = _GOOD.get(thing["state"], "yellow")
    return Text.assemble((name, "bold"), "  ", (thing["sentence"], style))
