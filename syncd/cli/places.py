"""Where this machine keeps things, and the ready files by which a starter learns that a daemon is up."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs


def state_folder() -> Path:
    """The state of this person's daemons: $SYNCD_STATE, else the system's place for it."""
    given = os.environ.get("SYNCD_STATE")
    return Path(given) if given else platformdirs.user_state_path("synced-folders")


def store_folder() -> Path:
    """The node's store: $SYNCD_STORE, else the system's for root and the person's for others."""
    given = os.environ.get("SYNCD_STORE")
    if given:
        return Path(given)
    if sys.platform != "win32" and os.geteuid() == 0:
        return Path("/var/lib/synced-folders")
    return platformdirs.user_data_path("synced-folders") / "node"


def ready_writer(path: Path | None) -> Callable[[Mapping[str, object]], None]:
    """What a daemon calls with its facts once it serves: writes them to the ready file, if one is wanted."""

    def write(facts: Mapping[str, object]) -> None:
        if path is not None:
            aside = path.with_name(f".{path.name}.{os.getpid()}")
            aside.write_text(json.dumps(dict(facts)))
            aside.replace(path)

    return write
