"""`syncd service`: keeps `syncd run` running, by systemd, launchd or the Task Scheduler."""

import os
import sys

import click

from syncd.cli.answer import json_option, say
from syncd.cli.places import state_folder
from syncd.cli.publisher_client import NotRunning, ask_publisher
from syncd.core.errors import NeedsUser
from syncd.service import install as installing
from syncd.service.definition import System

_KEPT = ("SYNCD_STATE", "SYNCD_TOKEN_FILE", "XDG_STATE_HOME")
"""What decides where things are must hold for the service as for the commands."""


@click.group()
def service() -> None:
    """Let `syncd run` start with your session, and again after a failure."""


@service.command()
@click.option("--print", "only_print", is_flag=True, help="Show the file and change nothing.")
@click.option("--system", type=click.Choice([each.value for each in System]), help="For another system, with --print.")
@click.option("--no-start", is_flag=True, help="Put the file in place; don't start anything.")
@json_option
def install(only_print: bool, system: str | None, no_start: bool, as_json: bool) -> None:
    """Install and start the service; again after an upgrade."""
    found = _service(system)
    if only_print:
        if as_json:
            say(True, found.text, path=str(found.path), system=found.system.value)
        else:
            click.echo(found.text, nl=False)
        return
    if found.system is not installing.this_system():
        raise NeedsUser(f"This is not {found.system.value}: add --print to see its file.")
    if not no_start:
        _nobody_else(found)
    say(as_json, installing.install(found, start=not no_start), path=str(found.path))


@service.command()
@json_option
def uninstall(as_json: bool) -> None:
    """Stop and remove the service; folders, tokens and history stay."""
    found = _service(None)
    say(as_json, installing.uninstall(found), path=str(found.path))


@service.command()
@json_option
def status(as_json: bool) -> None:
    """Say whether the service is installed and runs.  Exit status: 0 it is, 3 it is not."""
    found = _service(None)
    good, sentence = installing.condition(found)
    say(as_json, sentence, ok=good, path=str(found.path))
    sys.exit(0 if good else 3)


def _service(system: str | None) -> installing.Service:
    environment = {name: os.environ[name] for name in _KEPT if os.environ.get(name)}
    return installing.service(System(system) if system else installing.this_system(), environment)


def _nobody_else(found: installing.Service) -> None:
    """A `syncd run` in some terminal would keep the service from starting."""
    if installing.condition(found)[0]:
        return
    try:
        ask_publisher(state_folder(), "GET", "/v1/status")
    except NotRunning:
        return
    raise NeedsUser("`syncd run` runs already by hand: end it (Ctrl-C), then install the service.")
