"""`syncd versions` and `syncd restore`, in an instructor's folder and in a student's alike."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from syncd.agent.control import ask_agent, view_of
from syncd.agent.past import put_back, versions_of
from syncd.cli import published as publishing
from syncd.cli.answer import in_brackets, json_option, say
from syncd.cli.places import state_folder
from syncd.cli.progress import progress_bars
from syncd.cli.published import Published, published
from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser
from syncd.versions import Version
from syncd.when import when


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def versions(path: Path, as_json: bool) -> None:
    """List what PATH was before: newest first."""
    state = state_folder()
    place = published(state, path)
    if place is not None:
        found = publishing.versions_of(state, place)
        rows = [(each["commit"][:10], each["time"], _words(each)) for each in found]
    else:
        course, inside = _as_student(state, path)
        kept = versions_of(state / "agent", course).list(RelPath(inside))
        found = [{"version": each.id, "time": each.when, "reason": each.reason, "size": each.size} for each in kept]
        rows = [(each.id[:10], each.when, f"{each.size:,} bytes, {each.reason}") for each in kept]
    if as_json:
        click.echo(json.dumps({"versions": found}, indent=1))
    elif not rows:
        click.echo(f"{path} has no earlier versions.")
    for version, seconds, words in () if as_json else rows:
        click.echo(f"{version}  {time.strftime('%Y-%m-%d %H:%M', time.localtime(seconds))}  {words}")


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--version", "version", metavar="VERSION", help="One that `syncd versions PATH` lists.")
@click.option("--at", "at", metavar="TIME", help='As it was then: "yesterday 14:00", "2026-11-20 9:00".')
@click.option("--original", is_flag=True, help="As the instructor (for a student), or the remote, has it.")
@click.option("--all", "everything", is_flag=True, help="Everything in the folder that PATH (default: here) lies in.")
@json_option
def restore(
    path: Path | None, version: str | None, at: str | None, original: bool, everything: bool, as_json: bool
) -> None:
    """Get PATH, a file or folder, back, deleted ones too; what that replaces is kept.

    In a student's folder: the instructor's version, or the one named by --version or --at.  In an instructor's
    folder: the version before the present one, the one named by --version or --at, or with --original what the
    remote has.  What came into a folder since then stays.
    """
    if path is None and not everything:
        raise NeedsUser("Say what to restore: syncd restore PATH, or --all for the whole folder.")
    if version is not None and (original or everything):
        raise NeedsUser("--version names one version of one file; leave out --original and --all.")
    if at is not None and (original or version is not None):
        raise NeedsUser("--at, --version and --original each name a version: give one of them.")
    moment = when(at, datetime.now(UTC)) if at is not None else None
    state, path = state_folder(), path or Path()
    place = published(state, path)
    if place is not None:
        wanted = version or ("original" if original or (everything and moment is None) else None)
        if moment is not None:
            wanted = f"@{int(moment.timestamp())}"
        with progress_bars(quiet=as_json) as told:
            sentence = publishing.restore(state, Published(place.folder, "") if everything else place, wanted, told)
        say(as_json, sentence)
        return
    course, inside = _as_student(state, path)
    if moment is not None:
        version = _kept_at(versions_of(state / "agent", course).list(RelPath(inside)), path, moment)
    if version is not None:
        say(as_json, put_back(versions_of(state / "agent", course), path.absolute(), RelPath(inside), version))
    else:
        body = {"course": course, "path": "" if everything else inside}
        say(as_json, ask_agent(state / "agent", "restore", body)["sentence"])


def _words(version: dict[str, Any]) -> str:
    return f"{version['message']} ({version['author']}){in_brackets(version['checkpoints'])}"


def _as_student(state: Path, path: Path) -> tuple[str, str]:
    """The course and the path in it.  NeedsUser if no folder of this person's holds it."""
    if not (state / "agent").exists():
        raise NeedsUser(f"{path.absolute()} is in none of your synced folders; `syncd status` lists them.")
    return view_of(state / "agent", path.absolute())


def _kept_at(kept: list[Version], path: Path, moment: datetime) -> str:
    """What the file was at a moment: kept when something replaced it, so the first one kept after that."""
    after = [each for each in kept if each.when >= moment.timestamp()]
    if not after:
        raise NeedsUser(f"{path} was not replaced since then; `syncd versions` lists what is kept.")
    return min(after, key=lambda each: each.when).id
