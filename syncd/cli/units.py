"""The systemd files that come with this package, and what becomes of them on a machine."""

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import syncd
from syncd.core.errors import NeedsUser, Stop

_HERE = "/opt/synced-folders/bin/"
"""Where the files say that our programs are."""

NODE_UNITS = (
    "syncd-broker.service",
    "syncd-node.service",
    "syncd-collect.service",
    "syncd-collect.timer",
    "syncd-agents.service",
    "syncd-agent@.service",
)
STARTED = ("syncd-broker.service", "syncd-node.service", "syncd-agents.service", "syncd-collect.timer")
"""What `syncd node install` starts; agents start per student."""
_HIDDEN = (Path("/root"), Path("/home"), Path("/run/user"), Path("/tmp"))
"""What hardened units don't see (ProtectHome, PrivateTmp)."""


def unit_files() -> Path:
    """The folder of our systemd files: in a checkout, or where a wheel puts them."""
    checkout = Path(syncd.__file__).parent.parent / "systemd"
    for folder in (checkout, Path(sysconfig.get_path("data")) / "share/synced-folders/systemd"):
        if (folder / "syncd-node.service").is_file():
            return folder
    raise Stop("The systemd files of this package are missing: install it anew.")


def node_files(source: Path, programs: Path) -> Mapping[Path, str]:
    """Path on the machine -> text, with our programs where they really are."""
    found = {Path("etc/systemd/system") / name: (source / name).read_text() for name in NODE_UNITS}
    found[Path("etc/sysusers.d/synced-folders.conf")] = (source / "synced-folders.sysusers.conf").read_text()
    found[Path("etc/tmpfiles.d/synced-folders.conf")] = (source / "synced-folders.tmpfiles.conf").read_text()
    return {path: text.replace(_HERE, f"{programs}/") for path, text in found.items()}


def programs() -> Path:
    """The folder of the programs of this installation.  NeedsUser if a service's user could not run them."""
    folder = Path(sys.prefix) / "bin"
    for place in (folder, Path(os.path.realpath(sys.executable)), Path(os.path.realpath(syncd.__file__))):
        hidden = next((each for each in _HIDDEN if place.is_relative_to(each)), None)
        if hidden is not None:
            raise NeedsUser(
                f"This installation uses {place}, and a service sees nothing below {hidden}: install it with the "
                "system's Python in /opt/synced-folders (python3 -m venv /opt/synced-folders), then run "
                "/opt/synced-folders/bin/syncd node install."
            )
    if not (folder / "syncd").exists():
        raise NeedsUser(
            f"There is no {folder / 'syncd'}: install the package in a virtual environment, then try again."
        )
    return folder
