import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsers import Person
from playing import service as service


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


@pytest.fixture(scope="session")
def town() -> Iterator[Town]:
    folder = Path(tempfile.mkdtemp(prefix="synced-town-"))
    command = ["unshare", "-m", sys.executable, str(Path(__file__).with_name("town.py")), str(folder)]
    process = subprocess.Popen(command)
    built: Town | None = None
    try:
        deadline = time.monotonic() + 100
        while not (folder / "ready").exists():
            logs = [path.read_text(errors="replace")[-3000:] for path in folder.glob("logs/hub.log")]
            assert process.poll() is None and time.monotonic() < deadline, f"the town did not come up: {logs}"
            time.sleep(0.05)
        facts = json.loads((folder / "ready").read_text())
        built = Town(
            *(facts["hub"], folder, Path(facts["course"]), facts["remote"]),
            namespace=os.readlink(f"/proc/{process.pid}/ns/mnt"),
        )
        yield built
    finally:
        process.terminate()
        process.wait(40)
        # A hub leaves agents and servers running when it ends, as it should; the town's must go with it.
        for left in built.processes() if built else ():
            with contextlib.suppress(OSError):
                os.kill(left, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
