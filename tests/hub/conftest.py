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
from pathlib import Path

import pytest
from playing import service as service
from running_town import Town


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
