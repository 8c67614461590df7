"""What tests know of the town that runs for them."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from browsers import Person


@dataclass(frozen=True, slots=True)
class Town:
    """A hub with its git server, publisher and node; `hub` is its address."""

    hub: str
    folder: Path
    course: Path
    remote: str
    namespace: str
    """The mount namespace in which all of it runs, and nothing else."""

    def processes(self) -> list[int]:
        """Everything that runs in the town."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/ns/mnt"):
            with contextlib.suppress(OSError):
                if os.readlink(entry) == self.namespace:
                    found.append(int(entry.parts[2]))
        return found

    def person(self, name: str) -> Person:
        return Person(self.hub, name)

    def log(self, name: str) -> str:
        return (self.folder / f"logs/{name}.log").read_text(errors="replace")
