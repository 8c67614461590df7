"""`syncd completion`: what makes the shell complete commands, options, folders and paths (click's own mechanism)."""

import click
from click.shell_completion import CompletionItem, get_completion_class

from syncd.cli.places import state_folder
from syncd.core.errors import NeedsUser, SyncError
from syncd.publisher.registry import Registry

_HOW = {
    "bash": '# in ~/.bashrc:  eval "$(syncd completion bash)"',
    "zsh": '# in ~/.zshrc:  eval "$(syncd completion zsh)"',
    "fish": "# once:  syncd completion fish > ~/.config/fish/completions/syncd.fish",
}


class SyncedFolder(click.ParamType[str]):
    """One of the folders that are synced, or its id."""

    name = "folder"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The synced folders that begin so; where none does, folders on the disk."""
        try:
            paths = [str(folder.path) for folder in Registry(state_folder()).folders()]
        except SyncError:
            paths = []
        found = [CompletionItem(path) for path in paths if path.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="dir")]


@click.command()
@click.argument("shell", type=click.Choice(list(_HOW)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete syncd's commands, folders and paths."""
    found = get_completion_class(shell)
    if found is None:
        raise NeedsUser(f"There is no completion for {shell}.")
    click.echo(_HOW[shell])
    click.echo(found(ctx.find_root().command, {}, "syncd", "_SYNCD_COMPLETE").source())
