"""What students get, and when: `syncd students`, `publish`, `undo`, `checkpoint`."""

import json
import os
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from syncd.cli.answer import json_option, printable, say
from syncd.cli.completion import SyncedFolder
from syncd.cli.login import read_token
from syncd.cli.places import state_folder
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.errors import NeedsUser
from syncd.publisher.registry import Folder
from syncd.publisher.students_setup import Wish, end_students, folder_of, set_students, way_of

_PATIENCE_S = 120.0
_folder_option = click.option(
    "--folder", type=SyncedFolder(), metavar="FOLDER", help="Which synced folder (default: the one we are in)."
)


@click.command()
@click.argument("folder", type=SyncedFolder())
@click.argument("branch", required=False)
@click.option("--remote", metavar="URL", help="A repository of the students' own (default: the folder's).")
@click.option("--way", type=click.Choice(["live", "release"]), help="Every save at once, or what you publish.")
@click.option("--off", is_flag=True, help="Let students follow the folder's own branch again.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Read the token from a file ('-': standard input).")
@json_option
def students(
    folder: str,
    branch: str | None,
    remote: str | None,
    way: str | None,
    off: bool,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Give students of FOLDER a branch of their own, without what is for staff.

    BRANCH is “students” at first.  Files and cells for staff never go there.
    """
    state = state_folder()
    if off:
        if branch or remote or way:
            raise NeedsUser("--off goes alone: syncd students FOLDER --off.")
        say(as_json, end_students(state, folder))
        return
    token = read_token(token_file) if token_file is not None else None
    say(as_json, set_students(state, folder, Wish(branch, remote, way_of(way)), token))


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@_folder_option
@click.option("--at", metavar="TIME", help="Later: “tomorrow 9:00”, “friday 14:00”, “in 2 hours”, “2026-12-01 08:00”.")
@click.option("-m", "--message", metavar="TEXT", help="What students' history says about it.")
@click.option("--from", "source", metavar="NAME", help="As it was at this checkpoint.")
@click.option("--list", "listing", is_flag=True, help="What was published, what is planned, what waits.")
@click.option("--cancel", metavar="ID", help="Forget a planned release.")
@json_option
def publish(
    paths: tuple[Path, ...],
    folder: str | None,
    at: str | None,
    message: str | None,
    source: str | None,
    listing: bool,
    cancel: str | None,
    as_json: bool,
) -> None:
    """Give students PATHS (files and folders; default: everything) as they are now.

    With --at they are given as they are then, by the clock and time zone of this machine.
    """
    state = state_folder()
    found, here = folder_of(state, folder or _of_paths(state, paths))
    if listing or cancel:
        if paths or at or message or source or (listing and cancel):
            raise NeedsUser("--list and --cancel go alone.")
        answer = _ask(found, "DELETE", f"releases/{cancel}") if cancel else _ask(found, "GET", "releases")
        if listing and not as_json:
            _show(answer)
            return
    else:
        inside = [_inside(found, here, path) for path in paths]
        answer = _ask(found, "POST", "publish", {"paths": inside, "at": at, "message": message, "from": source})
    click.echo(json.dumps(answer, indent=1) if as_json else answer["sentence"])


@click.command()
@click.argument("release", required=False)
@_folder_option
@json_option
def undo(release: str | None, folder: str | None, as_json: bool) -> None:
    """Undo the last release, or RELEASE (see `syncd publish --list`); done twice, it is there again.

    In a folder without releases: what was saved last here gets its former state.
    """
    found, _ = folder_of(state_folder(), folder)
    answer = _ask(found, "POST", "undo", {"release": release})
    click.echo(json.dumps(answer, indent=1) if as_json else answer["sentence"])


@click.command()
@click.argument("name", required=False)
@_folder_option
@click.option("-m", "--message", metavar="TEXT", help="What it is.")
@json_option
def checkpoint(name: str | None, folder: str | None, message: str | None, as_json: bool) -> None:
    """Give the folder as it is now a NAME; without one, list the names there are."""
    found, _ = folder_of(state_folder(), folder)
    if name is not None:
        answer = _ask(found, "POST", "checkpoints", {"name": name, "message": message})
        click.echo(json.dumps(answer, indent=1) if as_json else answer["sentence"])
        return
    answer = _ask(found, "GET", "checkpoints")
    if as_json:
        click.echo(json.dumps(answer, indent=1))
    elif not answer["checkpoints"]:
        click.echo("There are no checkpoints yet; make one with: syncd checkpoint NAME")
    for each in () if as_json else answer["checkpoints"]:
        said = f"{_by(each)}{printable(each['message'])}"
        click.echo(f"{each['name']}  {each['commit'][:10]}  {_day(each['time'])}  {said}".rstrip())


def _by(checkpoint: dict[str, Any]) -> str:
    return "" if checkpoint["mine"] else f"({printable(checkpoint['author'])}) "


def _ask(folder: Folder, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        return ask_publisher(state_folder(), method, f"/v1/folders/{folder.id}/{what}", body, within_s=_PATIENCE_S)
    except NotRunning:
        raise NotRunning("This needs the publisher, which is not running; start it with: syncd run") from None


def _of_paths(state: Path, paths: tuple[Path, ...]) -> str | None:
    """The folder that the first path lies in, if it lies in one."""
    for path in paths[:1]:
        real = Path(os.path.realpath(path))
        for above in (real, *real.parents):
            try:
                return folder_of(state, str(above))[0].id
            except NeedsUser:
                continue
    return None


def _inside(folder: Folder, here: Path, path: Path) -> str:
    """A path as the folder has it: as seen from where the person stands, else from the folder."""
    absolute = Path(os.path.normpath(here / path))
    real = absolute.parent.resolve() / absolute.name if absolute.name else absolute
    for candidate in (real, absolute):
        if candidate == folder.path or candidate.is_relative_to(folder.path):
            return candidate.relative_to(folder.path).as_posix()
    if path.is_absolute() or here == folder.path:
        raise NeedsUser(f"{path} does not lie in {folder.path}: give paths below it.")
    return path.as_posix()


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    way = "every save at once" if found["way"] == "live" else "what you publish"
    console.print(Text(f"Students follow branch {found['branch']} of {found['remote']}: {way}.", style="bold"))
    for plan in found["planned"]:
        when = "being published" if plan["fired"] else plan["when"]
        said = f"  {when}  {plan['what']}  {printable(plan['message'])}"
        console.print(Text.assemble("  planned  ", (plan["id"], "cyan"), said))
    for done in found["published"]:
        count = "1 file" if done["files"] == 1 else f"{done['files']:,} files"
        said = f"  {_day(done['time'])}  {printable(done['message'])} ({count})"
        console.print(Text.assemble("  done     ", (done["id"], "green"), said))
    waiting = found["waiting"]
    for each in waiting[:20]:
        console.print(Text.assemble("  waits    ", (f"{each['change']:6}", "yellow"), f"  {printable(each['path'])}"))
    if len(waiting) > 20:
        console.print(f"  waits    {len(waiting) - 20:,} more")
    if not waiting:
        console.print("  Students have everything.")


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
