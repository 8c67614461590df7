"""`syncd open`: the folders' page in the browser."""

import webbrowser

import click

from syncd.cli.places import state_folder
from syncd.cli.publisher_client import ask_publisher
from syncd.page import words


@click.command(name="open")
@click.option("--no-browser", is_flag=True, help="Only print the link.")
def open_page(no_browser: bool) -> None:
    """Show your folders in the browser: how they are, what waits, earlier versions, links for students."""
    url = ask_publisher(state_folder(), "POST", "/v1/page", {})["url"]
    click.echo(words.opened(url))
    if not no_browser:
        webbrowser.open(url)
