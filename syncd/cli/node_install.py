"""`syncd node install` and `uninstall`: the systemd units of a hub's node."""

import os
import shutil
import subprocess
from pathlib import Path

import click

from syncd.cli.node import node as node
from syncd.cli.units import STARTED, node_files, programs, unit_files
from syncd.core.errors import NeedsUser

_SETTINGS = Path("etc/synced-folders/node.toml")


@node.command(short_help="Install and start this node's services.")
@click.option("--print", "only_print", is_flag=True, help="Show the files and change nothing.")
@click.option("--no-start", is_flag=True, help="Put the files in place; don't enable or start anything.")
@click.option("--root", type=click.Path(path_type=Path), default=Path("/"), help="Another machine's tree (an image).")
@click.option("--programs", "folder", type=click.Path(path_type=Path), hidden=True)
def install(only_print: bool, no_start: bool, root: Path, folder: Path | None) -> None:
    """Install and start this node's services: store, broker, agents on demand, daily collection.

    Run it again after an upgrade: files are replaced, services that run are restarted, open files of
    students go on.  The settings in /etc/synced-folders/node.toml are made once and then yours.
    """
    files = node_files(unit_files(), folder or programs())
    if only_print:
        for path, text in files.items():
            click.echo(f"# /{path}\n{text}")
        return
    _need_root("install")
    for path, text in files.items():
        _write(root / path, text)
    here = root == Path("/")
    if here:
        _run("systemd-sysusers", "/etc/sysusers.d/synced-folders.conf")
        _run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/synced-folders.conf")
    if not (root / _SETTINGS).exists():
        _write(root / _SETTINGS, (unit_files() / "node.toml").read_text(), 0o640)
        if here:
            shutil.chown(root / _SETTINGS, "root", "synced-folders")
    if not here or no_start:
        click.echo("The services are in place; start them with: systemctl enable --now " + " ".join(STARTED))
        return
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "--quiet", *STARTED)
    _run("systemctl", "restart", *STARTED)
    click.echo(
        f"This node's services run.  Name its courses in /{_SETTINGS}, then: systemctl reload syncd-node\n"
        "A student's folders are there after: syncd agents ensure USER"
    )


@node.command(short_help="Stop and remove them; folders and store stay.")
@click.option("--root", type=click.Path(path_type=Path), default=Path("/"), help="Another machine's tree (an image).")
def uninstall(root: Path) -> None:
    """Stop and remove this node's services; students' folders, the settings and the store stay where they are."""
    _need_root("uninstall")
    here = root == Path("/")
    if here:
        # A stop leaves the agents that it has started: they are told to end while there is a broker that unmounts.
        _run("systemctl", "kill", "syncd-agents.service", check=False)
        _run("systemctl", "stop", "syncd-agent@*.service", *STARTED, "syncd-collect.service", check=False)
        _run("systemctl", "disable", "--quiet", *STARTED, check=False)
    removed = [path for path in node_files(unit_files(), Path("/")) if (root / path).exists()]
    for path in removed:
        (root / path).unlink()
    if here:
        _run("systemctl", "daemon-reload")
    click.echo(
        f"{len(removed)} files are removed.  Kept: students' folders, /etc/synced-folders and /var/lib/synced-folders."
        if removed
        else "Nothing of this node's services was installed."
    )


def _need_root(word: str) -> None:
    if os.geteuid():
        raise NeedsUser(f"Only root can do this: sudo syncd node {word}")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text)
    aside.chmod(mode)
    aside.replace(path)


def _run(*command: str, check: bool = True) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NeedsUser(f"There is no {command[0]} here: this machine does not run systemd.") from error
    if check and done.returncode:
        said = (done.stderr.strip().splitlines() or ["it did not say why"])[0]
        raise NeedsUser(f"`{' '.join(command)}` failed: {said}")
