"""`syncd login` and `syncd logout`: a token, a sign-in with a code, or what git has already."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from syncd.account import device_flow
from syncd.account.device_flow import Place
from syncd.account.git_helper import from_git
from syncd.account.rights import api_of, rights, sentence
from syncd.cli.answer import json_option, say
from syncd.cli.places import state_folder
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.errors import NeedsUser
from syncd.core.links import new_token_page
from syncd.git.address import Address, Kind, parse_address
from syncd.publisher.credentials import Credentials, Kept
from syncd.publisher.registry import Registry
from syncd.publisher.sign_in import KEPT, setting, tried


@click.command()
@click.argument("remote", required=False)
@click.option("--token-file", type=click.Path(path_type=Path), help="Read the token from a file ('-': standard input).")
@click.option("--device", is_flag=True, help="Sign in on GitHub's page with a short code.")
@click.option("--client-id", metavar="ID", help="The app for --device (else the setting github.client-id).")
@click.option("--git", "by_git", is_flag=True, help="Use what git's credential helpers have.")
@click.option("--login-url", metavar="URL", help="Where to sign in, for an Enterprise server: https://HOST.")
@click.option("--api-url", metavar="URL", help="Its API: https://HOST/api/v3.")
@json_option
def login(
    remote: str | None,
    token_file: Path | None,
    device: bool,
    client_id: str | None,
    by_git: bool,
    login_url: str | None,
    api_url: str | None,
    as_json: bool,
) -> None:
    """Give the token for REMOTE, a repository or (https://github.com) a whole host.

    REMOTE may be left out if one folder is synced.  Without an option the token is asked for, or read from standard
    input.  It is never an argument, and is kept in the system's keyring or in a file that only you can read.
    """
    state = state_folder()
    address = _address(state, remote)
    api = api_of(address, api_url or setting(state, "github.api"))
    if (token_file is not None) + (device or client_id is not None) + by_git > 1:
        raise NeedsUser("Choose one of --token-file, --device and --git.")
    if address.kind is not Kind.HTTP:
        found_there = rights(address.url, lambda: None)
        if not found_there.reads:
            raise NeedsUser(sentence(found_there))
        say(as_json, f"{sentence(found_there)} {address.kind.value} needs no token.", remote=address.url)
        return
    credentials = Credentials(state)
    kept: Kept
    if by_git:
        token = from_git(address)
        if token is None:
            raise NeedsUser(f"Git's credential helpers have nothing for {address.host}; sign in there, or use a token.")
        found = tried(address, token, api)
        credentials.use_git(address.url)
        kept = "git"
    elif device or client_id is not None:
        base = login_url or setting(state, "github.login") or "https://github.com"
        place = Place(base.rstrip("/"), client_id or setting(state, "github.client-id") or "")
        grant = _signed_in(place)
        found = tried(address, grant.token, api)
        kept = credentials.store_grant(address.url, grant, place)
    else:
        token = read_token(token_file) if token_file else ask_for_token(address.host)
        found = tried(address, token, api)
        kept = credentials.store(address.url, token)
    _tell_publisher(state)
    facts = {key: value for key, value in asdict(found.rights).items() if key != "problem"} if found.rights else {}
    say(as_json, f"{found.sentence} It is kept {KEPT[kept]}.", kept=kept, **{"remote": address.url, **facts})


@click.command()
@click.argument("remote", required=False)
@json_option
def logout(remote: str | None, as_json: bool) -> None:
    """Forget the token for REMOTE.  What is synced stays; nothing more is published there."""
    state = state_folder()
    address = _address(state, remote)
    if not Credentials(state).forget(address.url):
        raise NeedsUser(f"There is no token for {address} here.")
    _tell_publisher(state)
    words = (
        f"The token for {address} is forgotten here; if nobody else uses it, delete it on the page where it was made."
    )
    say(as_json, words, remote=address.url)


def ask_for_token(host: str) -> str:
    """From the terminal without an echo, or one line of standard input.  NeedsUser if there is none."""
    if sys.stdin.isatty():
        click.echo(f"{host} wants a token that may read and write the repository's contents.", err=True)
        if (page := new_token_page(host)) is not None:
            click.echo(f"Make one for this repository alone: {page}", err=True)
        given: str = click.prompt("Token", hide_input=True, default="", show_default=False, err=True)
    else:
        given = sys.stdin.readline()
    if not given.strip():
        raise NeedsUser("No token was given: paste it, or name a file that holds it by --token-file.")
    return given.strip()


def read_token(path: Path) -> str:
    """A token from a file, or ('-') all of standard input.  NeedsUser if there is none."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is no text"
        raise NeedsUser(f"The token file {path} can't be read ({why}); check its path.") from problem
    if not text.strip():
        raise NeedsUser(f"The token file {path} is empty; put the token into it.")
    return text.strip()


def _address(state: Path, remote: str | None) -> Address:
    if remote is not None:
        for folder in Registry(state).folders():  # a folder's name will do as well
            if remote == folder.id or Path(remote).expanduser().absolute() == folder.path:
                return parse_address(folder.remote)
        return parse_address(remote)
    remotes = sorted({folder.remote for folder in Registry(state).folders()})
    if len(remotes) != 1:
        what = f"one of {', '.join(remotes)}" if remotes else "like https://github.com/me/course"
        raise NeedsUser(f"Say which repository the token is for: {what}.")
    return parse_address(remotes[0])


def _signed_in(place: Place) -> device_flow.Grant:
    code = device_flow.begin(place)
    click.echo(f"Open {code.page} and enter the code {code.user_code}.  Waiting ...", err=True)
    return device_flow.wait(place, code)


def _tell_publisher(state: Path) -> None:
    try:
        ask_publisher(state, "POST", "/v1/hint", {})
    except NotRunning:
        return
