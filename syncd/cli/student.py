"""The student's side: `syncd agent`, `syncd mount`."""

import asyncio
import getpass
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import click

from syncd.agent.control import ask_agent
from syncd.agent.service import AgentConfig, FollowedCourse, run_agent
from syncd.cli.answer import json_option, say
from syncd.cli.places import ready_writer, state_folder, store_folder
from syncd.cli.serving import serve
from syncd.core.errors import NeedsUser
from syncd.node.client import NodeClient

_node_option = click.option(
    "--node", "socket", type=click.Path(path_type=Path), help="The node's socket (node.sock in its store)."
)
_quiet_option = click.option(
    "--quiet", "quiet_s", type=float, default=2.0, metavar="SECONDS", help="How long a saved file is left alone (2)."
)
_ready_option = click.option("--ready-file", type=click.Path(path_type=Path), hidden=True)


@click.command()
@_node_option
@click.option("--course", "courses", multiple=True, metavar="NAME[=FOLDER]", help="Keep a course (default ~/NAME).")
@click.option(
    "--view", type=click.Choice(["overlay", "plain"]), help="How folders are made (default: what works here)."
)
@click.option("--as", "user", metavar="NAME", help="Whom the node shows as the owner, where it can't tell.")
@_quiet_option
@click.option(
    "--shared-home/--own-home", "shared", default=None, help="Other machines have the home, too (default: by its disk)."
)
@click.option("--door", "doors", multiple=True, metavar="NAME=DESCRIPTOR", hidden=True)
@click.option("--shown-fd", type=int, metavar="DESCRIPTOR", hidden=True)
@_ready_option
def agent(
    socket: Path | None,
    courses: tuple[str, ...],
    view: str | None,
    user: str | None,
    quiet_s: float,
    shared: bool | None,
    doors: tuple[str, ...],
    shown_fd: int | None,
    ready_file: Path | None,
) -> None:
    """Keep a student's folders in step with the courses of this node.

    Without --course all that the student is a member of, each in the home folder.
    """
    kept = [_followed(text) for text in courses or _mine(socket or store_folder() / "node.sock")]
    teller = Teller(shown_fd, (course.name for course in kept)) if shown_fd is not None else None
    _run(kept, socket, view, user, quiet_s, ready_file, state_folder() / "agent", _doors(doors), teller, shared)


@click.command()
@click.argument("course")
@click.argument("folder", type=click.Path(path_type=Path))
@_node_option
@_quiet_option
@_ready_option
def mount(course: str, folder: Path, socket: Path | None, quiet_s: float, ready_file: Path | None) -> None:
    """Show COURSE as an overlay at FOLDER until Ctrl-C; edits stay for the next time."""
    followed = FollowedCourse(course, folder.absolute())
    state = state_folder() / "mounts" / str(folder.absolute()).replace("/", "%")
    _run([followed], socket, "overlay", None, quiet_s, ready_file, state)


@click.command()
@click.argument("course", required=False)
@json_option
def update(course: str | None, as_json: bool) -> None:
    """Merge now what waits for a file to be closed (of COURSE, or of all)."""
    say(as_json, ask_agent(state_folder() / "agent", "update", {"course": course})["sentence"])


def _mine(socket: Path) -> list[str]:
    async def ask() -> list[str]:
        async with NodeClient(socket) as client:
            return [str(course["name"]) for course in (await client.status())["courses"]]

    found = asyncio.run(ask())
    if not found:
        raise NeedsUser("This node has no course for you yet; whoever runs it can add you to one.")
    return found


def _followed(text: str) -> FollowedCourse:
    name, _, folder = text.partition("=")
    return FollowedCourse(name, Path(folder).expanduser().absolute() if folder else Path.home() / name)


def _doors(texts: tuple[str, ...]) -> dict[str, int]:
    """Descriptors of courses' content, where somebody with the right to (the hub) has opened them for us."""
    found = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not name or not number.isdecimal():
            raise NeedsUser(f"{text!r} is not NAME=DESCRIPTOR.")
        found[name] = int(number)
    return found


class Teller:
    """Tells whoever started us, by a byte, that all courses show and we answer: sooner than they could ask."""

    def __init__(self, descriptor: int, courses: Iterable[str]) -> None:
        """`descriptor` is closed once that is told."""
        os.set_inheritable(descriptor, False)
        self._descriptor: int | None = descriptor
        self._missing = {"", *courses}

    def shown(self, course: str) -> None:
        """A course shows; "": we answer.  One that is followed later is nothing that they wait for."""
        self._missing.discard(course)
        if self._missing or self._descriptor is None:
            return
        # Closed once: from then on the number is another file's.
        descriptor, self._descriptor = self._descriptor, None
        with suppress(OSError):  # who started us may have gone on without us
            os.write(descriptor, b".")
        os.close(descriptor)


def _run(
    courses: list[FollowedCourse],
    socket: Path | None,
    view: str | None,
    user: str | None,
    quiet_s: float,
    ready_file: Path | None,
    state: Path,
    doors: Mapping[str, int] | None = None,
    teller: Teller | None = None,
    shared: bool | None = None,
) -> None:
    config = AgentConfig(
        courses=tuple(courses),
        state=state,
        node=(socket or store_folder() / "node.sock").absolute(),
        user=user or getpass.getuser(),
        view=view,
        quiet_s=quiet_s,
        doors=doors or {},
        shown=teller.shown if teller else None,
        shared=shared,
    )
    tell = ready_writer(ready_file)

    def ready(facts: Mapping[str, object]) -> None:
        click.echo(f"Keeping {', '.join(f'{each.name} in {each.root}' for each in courses)}.  Ctrl-C ends it.")
        tell(facts)
        if teller:
            teller.shown("")

    serve(run_agent(config, ready=ready))
