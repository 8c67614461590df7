"""The inside of `syncd demo`: the hub and all around it, in a process that its supervisor can end as a whole."""

import sys
import time
from pathlib import Path

import click

from syncd.core.errors import Stop
from syncd.demo.hub.people import INSTRUCTOR, gather
from syncd.demo.hub.private_machine import add_accounts, let_everybody_mount, let_everybody_reach
from syncd.demo.hub.town import TEACHING, HubProcess, HubUnavailable, Town, connect_webhook, set_up
from syncd.demo.processes import Processes
from syncd.demo.stage import STUDENTS
from syncd.demo.story import play
from syncd.demo.supervisor import HUB_UNAVAILABLE


def play_inside(root: Path, once: bool, course: str | None, accounts: bool) -> int:
    """Start all, and play the story or wait for Ctrl-C; the exit status."""
    began = time.monotonic()
    people = gather(root / "home", accounts=accounts)
    if accounts:
        _furnish(root, {name: (person.account or 0, person.home) for name, person in people.items()})
    else:
        click.echo(
            "Everything runs as you, since only root can give people accounts: each person has a folder as home."
        )
    hub = None
    try:
        with Processes(root / "logs") as processes:
            try:
                _say("Starting a git server, the instructor's publisher and a node ...")
                town = set_up(processes, root, course, people)
                _say("Starting JupyterHub ...")
                hub = HubProcess(root)
                hub.await_health(town.hub)
                connect_webhook(town)
                if once:
                    _watch(town, began)
                else:
                    _invite(town)
                    _wait(processes, hub, root)
            finally:
                # First the hub: it ends people's servers, and their agents apply what waits while there is a node.
                if hub is not None:
                    hub.stop()
    except HubUnavailable as problem:
        click.echo(str(problem))
        return HUB_UNAVAILABLE
    except KeyboardInterrupt:
        return 0
    return 0


def _furnish(root: Path, accounts: dict[str, tuple[int, Path]]) -> None:
    root.chmod(0o755)
    checkout = Path(__file__).parent.parent.parent
    let_everybody_reach([Path(sys.base_prefix), Path(sys.prefix), checkout, root])
    (root / "etc").mkdir()
    add_accounts(root / "etc", accounts)
    let_everybody_mount(root)


def _watch(town: Town, began: float) -> None:
    began_servers = time.monotonic()
    cast = town.cast()
    tell("all four log in, and their servers start", time.monotonic() - began_servers)
    play(cast, tell)
    click.secho(f"All held, in {time.monotonic() - began:.1f} s.", fg="green")


def tell(title: str, seconds: float) -> None:
    """One step of the story has held."""
    _say(f"  {click.style('ok', fg='green')}  {title}  ({seconds * 1000:.0f} ms)")


def _invite(town: Town) -> None:
    kim, ada = town.people[INSTRUCTOR], town.people[STUDENTS[0]]
    _say(f"\n  {click.style(town.hub, bold=True)}  is a JupyterHub with one course, {town.folder}.\n")
    for person in town.people.values():
        role = "instructor" if person.name == INSTRUCTOR else "student"
        _say(f"  {person.name}  {role:<10}  password {click.style(person.password, bold=True)}")
    _say(f"\nLog in as {ada.name}: Lab opens, and the folder {town.folder!r} is there.")
    _say(f"In a private window log in as {kim.name}: what you save in '{TEACHING}/{town.folder}' is with all at once.")
    _say(f"Who has which version, and links for a course's page: {town.hub}services/synced-folders/")
    _say("Then edit a cell as both.  Ctrl-C ends the demo.")


def _wait(processes: Processes, hub: HubProcess, root: Path) -> None:
    while (ended := processes.ended()) is None and not hub.has_ended:
        time.sleep(0.2)
    raise Stop(f"The demo's {ended or 'hub'} ended by itself; see {root}/logs/{ended or 'hub'}.log")


def _say(sentence: str) -> None:
    click.echo(sentence)
    sys.stdout.flush()
