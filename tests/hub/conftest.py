import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsers import Person


@dataclass(frozen=True, slots=True)
class Town:
    """A hub with its git server, publisher and node; `hub` is its address."""

    hub: str
    folder: Path
    course: Path
    remote: str

    def person(self, name: str) -> Person:
        return Person(self.hub, name)

    def log(self, name: str) -> str:
        return (self.folder / f"logs/{name}.log").read_text(errors="replace")


@pytest.fixture(scope="session")
def town() -> Iterator[Town]:
    folder = Path(tempfile.mkdtemp(prefix="synced-town-"))
    command = ["unshare", "-m", sys.executable, str(Path(__file__).with_name("town.py")), str(folder)]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 100
        while not (folder / "ready").exists():
            logs = [path.read_text(errors="replace")[-3000:] for path in folder.glob("logs/hub.log")]
            assert process.poll() is None and time.monotonic() < deadline, f"the town did not come up: {logs}"
            time.sleep(0.05)
        facts = json.loads((folder / "ready").read_text())
        yield Town(facts["hub"], folder, Path(facts["course"]), facts["remote"])
    finally:
        process.terminate()
        process.wait(40)
        shutil.rmtree(folder, ignore_errors=True)
