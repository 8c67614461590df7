"""`syncd demo`: the whole path on this machine, to play with or to watch."""

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click

from syncd.core.errors import Stop
from syncd.demo.processes import Processes, unmount_below
from syncd.demo.stage import Stage, set_up
from syncd.demo.story import play


@click.command()
@click.option("--once", is_flag=True, help="Play the story by itself, check every step, and end.")
@click.option("--course", metavar="PATH_OR_URL", help="Start from a git repository of a real course.")
def demo(once: bool, course: str | None) -> None:
    """An instructor, a git server, a node and three students, on this machine alone."""
    root = Path(tempfile.mkdtemp(prefix="synced-folders-demo-"))
    signal.signal(signal.SIGTERM, _end)
    began = time.monotonic()
    done = False
    try:
        with Processes(root / "logs") as processes:
            click.echo("Starting a git server, an instructor, a node and three students ...")
            stage = set_up(processes, root, course)
            _say_kind(stage)
            if once:
                play(stage, _tell)
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


def _tell(title: str, seconds: float) -> None:
    click.echo(f"  {click.style('ok', fg='green')}  {title}  ({seconds * 1000:.0f} ms)")
    sys.stdout.flush()


def _invite(stage: Stage) -> None:
    ada = stage.students["ada"]
    click.echo(f"The instructor's folder:  {stage.folder}")
    click.echo(f"Students' folders:        {', '.join(map(str, stage.students.values()))}")
    click.echo(f"Who has which version:    {stage.page}")
    click.echo(f"Try: save, add, rename or delete files in the instructor's folder, and watch {ada.name!r} of Ada.")
    click.echo("Then edit a file as Ada and the same file as the instructor.  Ctrl-C ends the demo.")
