"""The instructor's side: `syncd add`, `remove`, `run`, `pause`, `resume`."""

import sys
from contextlib import suppress
from pathlib import Path

import click

from syncd.account.git_helper import from_git
from syncd.cli.answer import json_option, printable, say
from syncd.cli.completion import SyncedFolder
from syncd.cli.login import ask_for_token, read_token
from syncd.cli.places import ready_writer, state_folder
from syncd.cli.progress import progress_bars
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.cli.serving import serve
from syncd.core.errors import NeedsToken, NeedsUser
from syncd.git.address import parse_address
from syncd.git.remote import Remote
from syncd.node.config import listen_address
from syncd.publisher.add import add_folder
from syncd.publisher.conversation import Pushes
from syncd.publisher.credentials import Credentials
from syncd.publisher.registry import Registry
from syncd.publisher.remove import remove_folder
from syncd.publisher.service import run_publisher
from syncd.publisher.students_setup import folder_of
from syncd.publisher.timing import Timing

_folder = click.argument("folder", type=SyncedFolder(), required=False)
"""Left out: the one we are in, or the only one."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("remote")
@click.option("--branch", help="The branch to follow (default: the remote's own).")
@click.option("--token-file", type=click.Path(path_type=Path), help="Read the token from a file ('-': standard input).")
@click.option("--merge", is_flag=True, help="If both hold files already, keep all of both.")
@click.option("--subfolder", default="", metavar="PATH", help="FOLDER is this part of the repository.")
@json_option
def add(
    folder: Path,
    remote: str,
    branch: str | None,
    token_file: Path | None,
    merge: bool,
    subfolder: str,
    as_json: bool,
) -> None:
    """Keep FOLDER in step with the git repository REMOTE."""
    state = state_folder()
    token = _token(state, remote, token_file)
    with progress_bars(quiet=as_json) as told:
        try:
            sentence = add_folder(state, folder, remote, branch, token, merge=merge, subfolder=subfolder, told=told)
        except NeedsToken as problem:
            raise NeedsUser(f"{problem} Say: syncd login {remote} (or add --token-file FILE).") from problem
    added = Registry(state).find(str(folder))
    say(as_json, sentence, id=added.id, folder=str(added.path), remote=added.remote, branch=added.branch)
    if as_json:
        return
    try:
        ask_publisher(state, "GET", "/v1/status")
    except NotRunning:
        click.echo("Now keep it running: syncd run, or once and for all: syncd service install")


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), hidden=True)
@click.option(
    "--pushes-a-minute", type=click.IntRange(1), default=6, show_default=True, help="At most, to hosts that limit."
)
@click.option(
    "--limited-host", multiple=True, help="A host that limits pushes, beside github.com and gitlab.com ('*': all)."
)
@click.option("--metrics", metavar="HOST:PORT", help="Show metrics and health there, on loopback, for Prometheus.")
def run(ready_file: Path | None, pushes_a_minute: int, limited_host: tuple[str, ...], metrics: str | None) -> None:
    """Publish all added folders as they change, until Ctrl-C."""
    state, tell = state_folder(), ready_writer(ready_file)

    def ready(url: str) -> None:
        paths = [printable(str(folder.path)) for folder in Registry(state).folders()]
        names = ", ".join(paths) if len(paths) < 4 else f"{len(paths)} folders (syncd status lists them)"
        click.echo(f"Publishing {names or 'nothing yet (begin with: syncd add FOLDER REMOTE)'}.  Ctrl-C ends it.")
        tell({"url": url})

    usual = Pushes()
    pushes = Pushes(pushes_a_minute, usual.hosts | set(limited_host))
    shown = listen_address(metrics) if metrics else None
    serve(run_publisher(state, ready=ready, timing=Timing(pushes=pushes), metrics=shown))


@click.command()
@_folder
@json_option
def remove(folder: str | None, as_json: bool) -> None:
    """Keep FOLDER in step no longer; its files, and what is published, stay as they are."""
    registry = Registry(state_folder())
    found, _ = folder_of(registry.state, folder)
    sentence = remove_folder(registry.state, found.id)
    with suppress(NotRunning):
        ask_publisher(registry.state, "GET", "/v1/status")  # one that runs has let go of it when it answers
    say(as_json, sentence, id=found.id, folder=str(found.path))


@click.command()
@_folder
@json_option
def pause(folder: str | None, as_json: bool) -> None:
    """Stop syncing FOLDER for a while; saves are kept and published later."""
    path = _steer(folder, "pause", {})
    say(as_json, f"Paused {path}; syncd resume goes on.", folder=path)


@click.command()
@_folder
@click.option(
    "--keep",
    type=click.Choice(["both", "mine", "theirs"]),
    default="both",
    help="If folder and remote disagree: whose files stay (default: both).",
)
@json_option
def resume(folder: str | None, keep: str, as_json: bool) -> None:
    """Go on syncing FOLDER: after a pause, or when it says that it needs you."""
    path = _steer(folder, "resume", {"keep": keep})
    say(as_json, f"Syncing {path} again.", folder=path)


def _steer(folder: str | None, what: str, body: dict[str, str]) -> str:
    state = state_folder()
    found, _ = folder_of(state, folder)
    try:
        ask_publisher(state, "POST", f"/v1/folders/{found.id}/{what}", body)
    except NotRunning:
        if body.get("keep", "both") != "both":
            raise
        Registry(state).pause(found.id, what == "pause")
    return str(found.path)


def _token(state: Path, remote: str, token_file: Path | None) -> str | None:
    """The token to use: given by file, stored already, git's own, or asked for once where the remote wants one."""
    if token_file is not None:
        return read_token(token_file)
    credentials = Credentials(state)
    if credentials.token(remote) is not None or not remote.startswith(("http://", "https://")):
        return None
    if _may_push(remote, None):
        return None
    if _may_push(remote, gits := from_git(parse_address(remote))) and gits:
        credentials.use_git(remote)
        return None
    if not sys.stdin.isatty():
        return None
    return ask_for_token(parse_address(remote).host)


def _may_push(remote: str, token: str | None) -> bool:
    try:
        return Remote(remote, lambda: token).may_push()
    except NeedsUser:
        return False
