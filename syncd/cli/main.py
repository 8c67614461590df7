"""The group of commands, each loaded when it is called, and the one place where errors become sentences."""

import difflib
import importlib
import json
import sys

import click
from click.shell_completion import CompletionItem

from syncd import __version__
from syncd.core.errors import SyncError

# for whom -> command -> the module that holds it, as the function of that name unless another is named, and
# what the list of commands says (a line of 80 columns each; here so that the list loads no module)
_SECTIONS = {
    "Every day": {
        "add": ("syncd.cli.folders", "Keep a folder in step with a repository."),
        "run": ("syncd.cli.folders", "Publish the folders as they change, until Ctrl-C."),
        "service": ("syncd.cli.service", "Have `syncd run` start by itself."),
        "status": ("syncd.cli.status", "How the folders are doing, what waits and why."),
        "open": ("syncd.cli.page:open_page", "The same, and more, in the browser."),
        "pause": ("syncd.cli.folders", "Publish nothing for a while."),
        "resume": ("syncd.cli.folders", "Go on, also after a question."),
        "remove": ("syncd.cli.folders", "Leave a folder alone from now on."),
    },
    "What was": {
        "log": ("syncd.cli.log", "What was done, newest first."),
        "versions": ("syncd.cli.versions", "What a file or folder was before."),
        "restore": ("syncd.cli.versions", "Get a file or folder back."),
        "undo": ("syncd.cli.releases", "Take the last release, or the last save, back."),
        "checkpoint": ("syncd.cli.releases", "Give the folder as it is now a name."),
    },
    "What students get": {
        "students": ("syncd.cli.releases", "Give students a branch of their own."),
        "publish": ("syncd.cli.releases", "Give students files and folders, now or later."),
        "allow": ("syncd.cli.guards", "Publish what a guard holds back."),
        "disallow": ("syncd.cli.guards", "Let the guards hold it again."),
    },
    "Once, and when something is wrong": {
        "login": ("syncd.cli.login", "Give a token, or sign in with a code."),
        "logout": ("syncd.cli.login", "Forget a token."),
        "config": ("syncd.cli.config", "The settings."),
        "doctor": ("syncd.cli.doctor", "Look whether all is well; repair what can be."),
        "completion": ("syncd.cli.completion", "Complete commands and folders in the shell."),
    },
    "Students": {
        "update": ("syncd.cli.student", "Merge now what waits for a file to be closed."),
    },
    "On a hub": {
        "node": ("syncd.cli.node_install", "Keep courses ready for the students of a machine."),
        "agents": ("syncd.cli.agents", "Start each student's agent when it is needed."),
        "agent": ("syncd.cli.student", "Keep one student's folders in step."),
        "mount": ("syncd.cli.student", "Show a course as an overlay, until Ctrl-C."),
        "demo": ("syncd.cli.demo", "Try all of it on this machine alone."),
    },
}
_COMMANDS = {name: held for section in _SECTIONS.values() for name, (held, _) in section.items()}


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            if not near:
                raise
            raise click.UsageError(f"{error.format_message()} Did you mean “{near[0]}”?", ctx) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # click's own would load every command for its help
        listed = [each for section in _SECTIONS.values() for each in section.items()]
        names = [CompletionItem(name, help=says) for name, (_, says) in listed if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:10}", says) for name, (_, says) in section.items()])


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
        _answer_programs(error.format_message())
        error.show()
        sys.exit(error.exit_code)
    except SyncError as error:
        # A command is over when it fails; only the daemons try again by themselves.
        sentence = str(error).replace("we try again by ourselves", "try again in a while")
        _answer_programs(sentence)
        click.echo(f"{click.style('syncd:', fg='red')} {sentence}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _answer_programs(problem: str) -> None:
    """With --json also what went wrong is JSON, be it the command itself."""
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": problem}))
