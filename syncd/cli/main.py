"""The group of commands, each loaded when it is called, and the one place where errors become sentences."""

import importlib
import json
import sys

import click

from syncd import __version__
from syncd.core.errors import SyncError

# command -> the module that holds it, as the function of that name unless another is named
_COMMANDS = {
    "add": "syncd.cli.folders",
    "run": "syncd.cli.folders",
    "status": "syncd.cli.status",
    "open": "syncd.cli.page:open_page",
    "pause": "syncd.cli.folders",
    "resume": "syncd.cli.folders",
    "students": "syncd.cli.releases",
    "publish": "syncd.cli.releases",
    "undo": "syncd.cli.releases",
    "checkpoint": "syncd.cli.releases",
    "versions": "syncd.cli.versions",
    "restore": "syncd.cli.versions",
    "allow": "syncd.cli.guards",
    "disallow": "syncd.cli.guards",
    "log": "syncd.cli.log",
    "login": "syncd.cli.login",
    "logout": "syncd.cli.login",
    "config": "syncd.cli.config",
    "doctor": "syncd.cli.doctor",
    "service": "syncd.cli.service",
    "completion": "syncd.cli.completion",
    "node": "syncd.cli.node_install",
    "agent": "syncd.cli.student",
    "agents": "syncd.cli.agents",
    "update": "syncd.cli.student",
    "mount": "syncd.cli.student",
    "demo": "syncd.cli.demo",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        module, _, name = module.partition(":")
        found = getattr(importlib.import_module(module), name or cmd_name)
        assert isinstance(found, click.Command)
        return found


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="syncd")
def cli() -> None:
    """Folders that publish themselves, and students' copies that follow.

    An instructor says `syncd add FOLDER REMOTE` once and keeps `syncd run` running.
    A hub runs `syncd node`, and `syncd agent` for each student.  `syncd demo` shows it all.
    """


def main() -> None:
    """Run the command line.

    Exit status: 0 done, 1 something is wrong (one sentence on stderr), 2 the command itself is wrong, 130 Ctrl-C.
    """
    try:
        cli(prog_name="syncd", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SyncError as error:
        # A command is over when it fails; only the daemons try again by themselves.
        sentence = str(error).replace("we try again by ourselves", "try again in a while")
        if "--json" in sys.argv:
            click.echo(json.dumps({"error": sentence}))
        click.echo(f"{click.style('syncd:', fg='red')} {sentence}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
