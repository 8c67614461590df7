"""`syncd status`: what is going on, in words."""

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from syncd.agent.control import ask_agent
from syncd.cli.answer import json_option, printable, told
from syncd.cli.places import state_folder
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.errors import NeedsUser
from syncd.publisher.registry import Registry
from syncd.when import in_words

_STYLES = {"needs_you": "red", "not_running": "red"}
_GOOD = {"up_to_date": "green", "settling": "cyan", "pushing": "cyan", "waiting": "cyan"}
_NAMED = 20
# question -> the commands that answer it, as the page's buttons do
_HOW = {
    "held": ("to bring the files back: syncd restore --all {0}", "if you meant it:         syncd resume {0}"),
    "rewritten": (
        "to keep both sides' files: syncd resume {0}",
        "to follow the remote:      syncd resume {0} --keep theirs",
    ),
    "missing": ("to stop syncing it: syncd remove {0}",),
}


@click.command()
@json_option
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
    now = datetime.now().astimezone()
    for folder in found["folders"]:
        told(console, _head(folder["folder"], folder))
        for how in _HOW.get(folder.get("question") or "", ()):
            console.print(Text(f"  {printable(how.format(shlex.quote(folder['folder'])))}", style="dim"))
        if (far := folder.get("progress") or folder.get("restoring")) is not None:
            console.print(Text(f"  {_progress(far)}", style="cyan"))
        console.print(Text(f"  {folder['remote']} ({folder['branch']})", style="dim"))
        if (students := folder.get("students")) is not None:
            told(console, Text(_students(students), style="dim"), 2)
        for commit in folder["recent"][:3]:
            when = in_words(datetime.fromtimestamp(commit["time"], UTC), now)
            subject = printable(commit["message"].partition("\n")[0])
            console.print(Text(f"  {when:16}  {subject}", style="dim"))
        for held in folder.get("left_out", ())[:_NAMED]:
            told(console, Text(printable(held["sentence"])), 2)
            if held["command"]:
                console.print(Text(f"    to publish it anyway: {printable(held['command'])}", style="dim"))
        for problem in folder.get("warnings", ())[:_NAMED]:
            told(console, Text(printable(problem)), 2)
        more = sum(max(0, folder.get(f"{what}_count", 0) - _NAMED) for what in ("left_out", "warnings"))
        if more:
            console.print(f"  and {more:,} more (syncd open shows them)")
    for view in found["views"]:
        told(console, _head(view["root"], view))
        console.print(Text(f"  {view['course']}, version {(view['commit'] or 'none')[:8]}", style="dim"))
        for note in view.get("notes", ())[-3:]:
            told(console, Text(printable(note)), 2)


def _students(found: dict[str, Any]) -> str:
    if found["way"] == "live":
        return f"Students follow branch {found['branch']}: every save."
    behind = found["behind"]
    waits = "everything is there" if behind == 0 else f"{behind or '?'} files differ from what students have"
    planned = "".join(f"; {each['what']} on {each['when']}" for each in found["planned"][:3])
    return f"Students follow branch {found['branch']}: what you publish; {waits}{planned}."


def _progress(far: dict[str, Any]) -> str:
    if "kind" not in far:
        return f"{far['what']}: {far['done']:,} of {far['total']:,} {far['unit']}"
    left = far.get("seconds_left")
    words = "Uploading" if far["kind"] == "push" else "Downloading"
    counted = f"{far['objects']:,} of {far['of']:,} objects, {decimal(far['bytes'])}"
    return f"{words}: {counted}" + (f", about {left:.0f} s left" if left is not None else "")


def _head(name: str, thing: dict[str, Any]) -> Text:
    style = _GOOD.get(thing["state"]) or _STYLES.get(thing["state"], "yellow")
    return Text.assemble((printable(name), "bold"), "  ", (printable(thing["sentence"]), style))
