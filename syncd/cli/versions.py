"""`syncd versions` and `syncd restore`, in an instructor's folder and in a student's alike."""

import json
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from syncd.agent.control import ask_agent, view_of
from syncd.agent.past import put_back, versions_of
from syncd.cli.places import state_folder
from syncd.cli.publisher_client import ask_publisher
from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser
from syncd.publisher.registry import Registry


@dataclass(frozen=True, slots=True)
class _Published:
    """A path in a folder that this person publishes; '' is the folder itself."""

    id: str
    path: str


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def versions(path: Path, as_json: bool) -> None:
    """List what PATH was before: newest first."""
    state = state_folder()
    place = _published(state, path)
    if place is not None:
        query = urllib.parse.urlencode({"path": place.path}, errors="surrogateescape")
        found = ask_publisher(state, "GET", f"/v1/folders/{place.id}/versions?{query}")["versions"]
        rows = [(each["commit"][:10], each["time"], f"{each['message']} ({each['author']})") for each in found]
    else:
        course, inside = view_of(state / "agent", path.absolute())
        kept = versions_of(state / "agent", course).list(RelPath(inside))
        found = [{"version": each.id, "time": each.when, "reason": each.reason, "size": each.size} for each in kept]
        rows = [(each.id[:10], each.when, f"{each.size:,} bytes, {each.reason}") for each in kept]
    if as_json:
        click.echo(json.dumps({"versions": found}, indent=1))
    elif not rows:
        click.echo(f"{path} has no earlier versions.")
    for version, when, words in () if as_json else rows:
        click.echo(f"{version}  {time.strftime('%Y-%m-%d %H:%M', time.localtime(when))}  {words}")


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--version", "version", metavar="VERSION", help="One that `syncd versions PATH` lists.")
@click.option("--original", is_flag=True, help="As the instructor (for a student), or the remote, has it.")
@click.option("--all", "everything", is_flag=True, help="Everything in the folder that PATH (default: here) lies in.")
def restore(path: Path | None, version: str | None, original: bool, everything: bool) -> None:
    """Get PATH, a file or folder, back; what that replaces is kept.

    In a student's folder: the instructor's version, or the one named by --version.  In an instructor's folder: the
    version before the present one, the one named by --version, or with --original what the remote has.
    """
    if path is None and not everything:
        raise NeedsUser("Say what to restore: syncd restore PATH, or --all for the whole folder.")
    if version is not None and (original or everything):
        raise NeedsUser("--version names one version of one file; leave out --original and --all.")
    state, path = state_folder(), path or Path()
    place = _published(state, path)
    if place is not None:
        wanted = version or ("original" if original or everything else None)
        body: dict[str, Any] = {"path": "" if everything else place.path, "version": wanted}
        click.echo(ask_publisher(state, "POST", f"/v1/folders/{place.id}/restore", body)["sentence"])
        return
    course, inside = view_of(state / "agent", path.absolute())
    if version is not None:
        click.echo(put_back(versions_of(state / "agent", course), path.absolute(), RelPath(inside), version))
    else:
        body = {"course": course, "path": "" if everything else inside}
        click.echo(ask_agent(state / "agent", "restore", body)["sentence"])


def _published(state: Path, path: Path) -> _Published | None:
    if not (state / "folders.json").exists():
        return None
    absolute = path.absolute()
    real = absolute.parent.resolve() / absolute.name if absolute.name else absolute
    for folder in Registry(state).folders():
        for candidate in (real, absolute.resolve()):
            if candidate == folder.path or folder.path in candidate.parents:
                inside = candidate.relative_to(folder.path).as_posix()
                return _Published(folder.id, "" if inside == "." else inside)
    return None
