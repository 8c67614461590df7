"""`syncd open`: the folders' page in the browser."""

import os
import sys
import webbrowser

import click

from syncd.cli.answer import json_option, say
from syncd.cli.places import state_folder
from syncd.cli.publisher_client import ask_publisher
from syncd.page import words


@click.command(name="open")
@click.option("--no-browser", is_flag=True, help="Only print the link (so with --json).")
@json_option
def open_page(no_browser: bool, as_json: bool) -> None:
    """Show your folders in the browser: how they are, what waits, earlier versions, links for students."""
    url = ask_publisher(state_folder(), "POST", "/v1/page", {})["url"]
    say(as_json, words.opened(url), url=url)
    if not (no_browser or as_json) and _has_screen():
        webbrowser.open(url)


def _has_screen() -> bool:
    """Without one a text browser would take over the terminal, and use the link up."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in screens)
