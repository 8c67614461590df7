"""What a command says when it is done: a sentence for people, or the same as JSON for programs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON, for programs.")


def say(as_json: bool, sentence: str, **facts: Any) -> None:
    """Print the sentence; with --json an object that holds it and the facts."""
    click.echo(json.dumps({"sentence": sentence, **facts}, indent=1) if as_json else sentence)


def told(console: "Console", text: "Text", indent: int = 0) -> None:
    """Print a sentence: broken between words on a terminal, in one line for a pipe, which may search it."""
    from rich.padding import Padding
    from rich.text import Text

    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent), expand=False), soft_wrap=False)
    else:
        console.print(Text(" " * indent).append_text(text))


def in_brackets(checkpoints: Sequence[str]) -> str:
    """Names of checkpoints, to stand behind a version: ` [week-3]`; '' for none."""
    return f" [{', '.join(map(printable, checkpoints))}]" if checkpoints else ""


def printable(text: str) -> str:
    """Without what would steer the terminal: names and messages are other people's too."""
    return "".join(c if c.isprintable() else "?" for c in text)
