"""The instructor's side: `syncd add`, `run`, `pause`, `resume`."""

import sys
from pathlib import Path

import click

from syncd.cli.places import ready_writer, state_folder
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.cli.serving import serve
from syncd.core.errors import NeedsUser
from syncd.git.remote import Remote
from syncd.publisher.add import add_folder
from syncd.publisher.credentials import Credentials
from syncd.publisher.registry import Registry
from syncd.publisher.service import run_publisher


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("remote")
@click.option("--branch", help="The branch to follow (default: the remote's own).")
@click.option("--token-file", type=click.Path(path_type=Path), help="Read the token from a file ('-': standard input).")
@click.option("--merge", is_flag=True, help="If both hold files already, keep all of both.")
def add(folder: Path, remote: str, branch: str | None, token_file: Path | None, merge: bool) -> None:
    """Keep FOLDER in step with the git repository REMOTE."""
    state = state_folder()
    click.echo(add_folder(state, folder, remote, branch, _token(state, remote, token_file), merge=merge))
    try:
        ask_publisher(state, "GET", "/v1/status")
    except NotRunning:
        click.echo("Now keep it running: syncd run")


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), hidden=True)
def run(ready_file: Path | None) -> None:
    """Publish all added folders as they change, until Ctrl-C."""
    state, tell = state_folder(), ready_writer(ready_file)

    def ready(url: str) -> None:
        names = ", ".join(str(folder.path) for folder in Registry(state).folders())
        click.echo(f"Publishing {names or 'nothing yet (begin with: syncd add FOLDER REMOTE)'}.  Ctrl-C ends it.")
        tell({"url": url})

    serve(run_publisher(state, ready=ready))


@click.command()
@click.argument("folder")
def pause(folder: str) -> None:
    """Stop syncing FOLDER for a while; saves are kept and published later."""
    _steer(folder, "pause", {})
    click.echo(f"Paused {folder}.")


@click.command()
@click.argument("folder")
@click.option(
    "--keep",
    type=click.Choice(["both", "mine", "theirs"]),
    default="both",
    help="If folder and remote disagree: whose files stay (default: both).",
)
def resume(folder: str, keep: str) -> None:
    """Go on syncing FOLDER: after a pause, or when it says that it needs you."""
    _steer(folder, "resume", {"keep": keep})
    click.echo(f"Syncing {folder} again.")


def _steer(folder: str, what: str, body: dict[str, str]) -> None:
    state = state_folder()
    registry = Registry(state)
    id = registry.find(folder).id
    try:
        ask_publisher(state, "POST", f"/v1/folders/{id}/{what}", body)
    except NotRunning:
        if body.get("keep", "both") != "both":
            raise
        registry.pause(id, what == "pause")


def _token(state: Path, remote: str, token_file: Path | None) -> str | None:
    """The token to use: given by file, stored already, or asked for once where the remote wants one."""
    if token_file is not None:
        return _read_token(token_file)
    if Credentials(state).asker(remote)() is not None or not remote.startswith(("http://", "https://")):
        return None
    if _may_push_without(remote) or not sys.stdin.isatty():
        return None
    click.echo("The remote wants a token that may write (on GitHub: fine-grained, Contents: read and write).")
    given: str = click.prompt("Token", hide_input=True, default="", show_default=False)
    return given.strip() or None


def _may_push_without(remote: str) -> bool:
    try:
        return Remote(remote, lambda: None).may_push()
    except NeedsUser:
        return False


def _read_token(path: Path) -> str:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except OSError as problem:
        raise NeedsUser(f"The token file {path} can't be read ({problem.strerror}); check its path.") from problem
    if not text.strip():
        raise NeedsUser(f"The token file {path} is empty; put the token into it.")
    return text.strip()
