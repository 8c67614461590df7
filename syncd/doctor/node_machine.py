"""The machine of a node: its units, FUSE, and limits."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from syncd.doctor.finding import Finding, good, note, problem, warning
from syncd.doctor.machine import inotify_limit
from syncd.doctor.node_place import NodeHere

_PASSTHROUGH = (6, 9)
_INSTANCES = 128
_BROKER = Path("/run/synced-folders/broker.sock")


def units(at: NodeHere) -> Iterator[Finding]:
    """The systemd files are this package's, and what they start is up."""
    if at.units is None:
        yield note("This machine was not started by systemd: see to it that the node's services are kept running.")
        return
    on_disk = {path: _text(Path("/") / path) for path in at.units}
    if not any(on_disk.values()):
        yield note("The services are not installed as systemd units: syncd node install")
        return
    other = [path.name for path, text in at.units.items() if on_disk[path] != text]
    if other:
        yield warning(f"{', '.join(other)}: missing, or of another version than this program: syncd node install")
    else:
        yield good("The units are those of this version.")
    for unit in at.started:
        state = _state(unit)
        if state == "active":
            yield good(f"{unit} is active.")
        else:
            yield problem(f"{unit} is {state}: systemctl start {unit}, and journalctl -u {unit} says why.")


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _state(unit: str) -> str:
    done = subprocess.run(["systemctl", "is-active", unit], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def fuse(at: NodeHere) -> Iterator[Finding]:
    """Overlays can be mounted, and large files pass through to one page cache."""
    if at.no_overlay is not None:
        yield warning(f"Students get plain folders instead of overlays here: {at.no_overlay}")
        return
    yield good("Overlays can be mounted.")
    release = os.uname().release
    found = re.match(r"(\d+)\.(\d+)", release)
    if found is None or (int(found[1]), int(found[2])) < _PASSTHROUGH:
        yield note(f"Linux {release} has no FUSE passthrough (6.9 has): large files are cached once per student.")
    elif not _BROKER.exists():
        yield note("The broker does not run, so large files are cached once per student: systemctl start syncd-broker")
    else:
        yield good("Large files are read through one page cache.")


def inotify(at: NodeHere) -> Iterator[Finding]:
    """JupyterLab, editors and file managers of students watch folders."""
    del at
    most = inotify_limit("max_user_instances")
    if most is not None and most < _INSTANCES:
        yield warning(
            f"A student's programs may watch with {most} inotify instances only: as root, "
            f"sysctl fs.inotify.max_user_instances={_INSTANCES * 4}"
        )
    elif most is not None:
        yield good(f"A student's programs may watch with {most} inotify instances.")
