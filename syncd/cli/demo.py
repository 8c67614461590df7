"""`syncd demo`: the whole path on this machine, to play with or to watch."""

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click

from syncd.cli.demo_hub import play_inside, tell
from syncd.core.errors import Stop
from syncd.demo.processes import Processes, unmount_below
from syncd.demo.stage import Stage, set_up
from syncd.demo.story import play
from syncd.demo.supervisor import HUB_UNAVAILABLE, may_have_accounts, supervise, why_no_hub


@click.command()
@click.option("--once", is_flag=True, help="Play the story by itself, check every step, and end.")
@click.option("--course", metavar="PATH_OR_URL", help="Start from a git repository of a real course.")
@click.option("--classic", is_flag=True, help="Without a JupyterHub: folders and a page alone.")
@click.option("--inside", type=click.Path(path_type=Path), hidden=True)
@click.option("--accounts", is_flag=True, hidden=True)
def demo(once: bool, course: str | None, classic: bool, inside: Path | None, accounts: bool) -> None:
    """A JupyterHub, a git server, a node, an instructor and three students, on this machine alone."""
    signal.signal(signal.SIGTERM, _end)
    if inside is not None:
        sys.exit(play_inside(inside, once, course, accounts))
    if classic:
        _classic(once, course)
    elif problem := why_no_hub():
        click.echo(f"There can't be a JupyterHub here ({problem}), so this is the demo without one.")
        _classic(once, course)
    else:
        _with_hub(once, course)


def _with_hub(once: bool, course: str | None) -> None:
    root = _new_folder()
    accounts = may_have_accounts()
    argv = ["demo", "--inside", str(root)]
    argv += ["--once"] * once + ["--accounts"] * accounts + (["--course", course] if course is not None else [])
    status = None
    try:
        status = supervise(argv, private=accounts)
    except KeyboardInterrupt:
        click.echo("\nStopped.")
        status = 0 if once else None
    finally:
        _leave(root, done=status in (0, HUB_UNAVAILABLE), once=once)
    if status == HUB_UNAVAILABLE:
        click.echo("So this is the demo without a hub.")
        _classic(once, course)
    elif status:
        sys.exit(status)


def _classic(once: bool, course: str | None) -> None:
    root = _new_folder()
    began = time.monotonic()
    done = False
    try:
        with Processes(root / "logs") as processes:
            click.echo("Starting a git server, an instructor, a node and three students ...")
            stage = set_up(processes, root, course)
            _say_kind(stage)
            if once:
                play(stage.cast(), tell)
                click.secho(f"All held, in {time.monotonic() - began:.1f} s.", fg="green")
            else:
                _invite(stage)
                while (ended := processes.ended()) is None:
                    time.sleep(0.5)
                raise Stop(f"The demo's {ended} ended by itself; see {root}/logs/{ended}.log")
        done = True
    except KeyboardInterrupt:
        click.echo("\nStopped.")
        done = once
    finally:
        _leave(root, done=done, once=once)


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="synced-folders-demo-"))


def _leave(root: Path, *, done: bool, once: bool) -> None:
    unmount_below(root)
    if done:
        shutil.rmtree(root)
    else:
        click.echo(f"The demo's files stay in {root}; delete that folder when you like.", err=once)


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say_kind(stage: Stage) -> None:
    if stage.kind == "plain":
        click.echo("FUSE can't be had here, so the students' folders are plain ones.")


def _invite(stage: Stage) -> None:
    ada = stage.students["ada"]
    click.echo(f"The instructor's folder:  {stage.folder}")
    click.echo(f"Students' folders:        {', '.join(map(str, stage.students.values()))}")
    click.echo(f"Who has which version:    {stage.page}")
    click.echo(f"Try: save, add, rename or delete files in the instructor's folder, and watch {ada.name!r} of Ada.")
    click.echo("Then edit a file as Ada and the same file as the instructor.  Ctrl-C ends the demo.")
