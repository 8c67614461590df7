"""What a command says when it is done: a sentence for people, or the same as JSON for programs."""

import json
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def say(as_json: bool, sentence: str, **facts: Any) -> None:
    """Print the sentence; with --json an object that holds it and the facts."""
    click.echo(json.dumps({"sentence": sentence, **facts}, indent=1) if as_json else sentence)


def printable(text: str) -> str:
    """Without what would steer the terminal: names and messages are other people's too."""
    return "".join(c if c.isprintable() else "?" for c in text)
