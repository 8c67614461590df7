"""Which agents run, on disk, so that their parent finds them again after a restart of its own.

    <folder>/UID.json   {"user", "pid", "began", "kept"}

`began` is the process's start time (field 22 of /proc/PID/stat): with it a number is one process for ever.
`kept` are the numbers, there, of the descriptors that its parent keeps a copy of (see `kept`).
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """An agent that was started."""

    user: str
    pid: int
    began: int
    kept: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class Records:
    """The folder; root's own, nobody else writes there."""

    def __init__(self, folder: Path) -> None:
        """Make it, if it is not there."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, uid: int, record: Record) -> None:
        """Remember an agent."""
        aside = self._folder / f".{uid}"
        aside.write_text(json.dumps(asdict(record)))
        aside.replace(self._folder / f"{uid}.json")

    def drop(self, uid: int) -> None:
        """It ended in order."""
        (self._folder / f"{uid}.json").unlink(missing_ok=True)

    def all(self) -> Iterator[tuple[int, Record]]:
        """All agents that were started and did not end in order, by uid."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                said = json.loads(path.read_text())
                kept = {str(key): (int(a), int(b)) for key, (a, b) in said.pop("kept", {}).items()}
                yield int(path.stem), Record(**said, kept=kept)
            except (ValueError, TypeError, AttributeError):
                _log.warning("%s is damaged and is thrown away", path)
                path.unlink()


def began(pid: int) -> int | None:
    """When a process started, in the kernel's ticks; None if there is none (or only what is left of one)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else int(after_name[19])


def opened(record: Record) -> int | None:
    """A descriptor of the process that a record tells of; None if it is gone."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(record.pid)
        if began(record.pid) == record.began:
            return pidfd
        os.close(pidfd)
    return None
