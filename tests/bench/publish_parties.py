"""The parties of the publisher's bench: a made tree, the publisher's process, git as gitwatch calls it."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

_PER_FOLDER, _FOLDERS = 50, 20
_CODE = """
import asyncio, logging, pathlib, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
logging.getLogger("syncd").setLevel(logging.DEBUG)
from syncd.publisher.service import run_publisher
asyncio.run(run_publisher(pathlib.Path(sys.argv[1])))
"""
_GIT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
_WHO = ("-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0")


def make_tree(top: Path, count: int) -> None:
    """So many small files, 50 in a folder, 20 such folders in one above."""
    for n in range(count):
        folder = top / f"part{n // (_PER_FOLDER * _FOLDERS):03}" / f"unit{n // _PER_FOLDER % _FOLDERS:02}"
        if n % _PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"file{n % _PER_FOLDER:02}.txt").write_text(f"file {n} of {count}\n" * 8)


def files_of(folder: Path) -> set[str]:
    """The paths of a folder's files."""
    return {str(Path(at, name).relative_to(folder)) for at, _, names in os.walk(folder) for name in names}


def remote_files(remote: Path) -> set[str]:
    """The paths that the remote's main branch shows."""
    command = ["git", "-C", str(remote), "ls-tree", "-r", "-z", "--name-only", "main"]
    done = subprocess.run(command, capture_output=True, check=False)
    return set(os.fsdecode(done.stdout).split("\0")) - {""}


class Git:
    """A repository beside the folder, so that it is not in what we watch."""

    def __init__(self, place: Path, folder: Path) -> None:
        self._env = {**_GIT, "GIT_DIR": str(place), "GIT_WORK_TREE": str(folder)}
        self._folder = folder
        self._git("init", "-q")

    def _git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", *_WHO, *arguments], cwd=self._folder, env=self._env, check=True, stdout=subprocess.DEVNULL
        )

    def commit_all(self) -> float:
        """Seconds of what gitwatch does after a save."""
        began = time.perf_counter()
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "Saved", "--allow-empty")
        return time.perf_counter() - began

    def status(self) -> float:
        """Seconds of a status with a fresh index."""
        self._git("status", "-s")
        began = time.perf_counter()
        self._git("status", "-s")
        return time.perf_counter() - began

    def bare(self, path: Path) -> None:
        """Make an empty remote."""
        subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", str(path)], env=_GIT, check=True)

    def commits(self, remote: Path) -> int:
        """How many commits the remote's main branch has."""
        return int(subprocess.check_output(["git", "-C", str(remote), "rev-list", "--count", "main"], env=_GIT))


class PublisherProcess:
    """The publisher of a state folder with one folder in it, watched from outside."""

    def __init__(self, state: Path) -> None:
        self._state = state
        [own] = (state / "folders").iterdir()
        self._ref = own / "history.git/refs/heads/main"
        self._log = state / "bench.log"

    def __enter__(self) -> Self:
        (self._state / "control.json").unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-c", _CODE, str(self._state)], stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def head(self) -> str:
        """The last commit, as its branch's file says."""
        return self._ref.read_text().strip()

    def wait_for_another_head(self, before: str, within_s: float = 60.0) -> float:
        """When the branch moved, by the clock `time.perf_counter`."""
        end = time.perf_counter() + within_s
        while self.head() == before:
            if time.perf_counter() > end:
                raise TimeoutError("the save was not committed")
            time.sleep(0.0002)
        return time.perf_counter()

    def wait_up_to_date(self, within_s: float = 300.0) -> None:
        """Until its status says so."""
        end = time.perf_counter() + within_s
        said = ""
        while time.perf_counter() < end:
            try:
                control = json.loads((self._state / "control.json").read_text())
                asked = urllib.request.Request(
                    control["url"] + "/v1/status", headers={"Authorization": f"Bearer {control['token']}"}
                )
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(asked, timeout=10) as answer:
                    said = json.load(answer)["folders"][0]["sentence"]
            except (OSError, ValueError, IndexError):
                said = "no answer"
            if said.startswith("Up to date"):
                return
            time.sleep(0.02)
        raise TimeoutError(said)

    def seconds_of_first_looks(self) -> float:
        """What the log says of the looks at everything since the start."""
        found = re.findall(r"looked (?:for what a crash left|at everything) in ([0-9.]+) s", self._log.read_text())
        if len(found) != 2:
            raise ValueError(f"not the two looks of a start: {found}")
        return sum(map(float, found))

    def rss_mb(self) -> float:
        """Resident memory, in MB as ps and top have them."""
        [line] = [
            line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if line.startswith("VmRSS")
        ]
        return int(line.split()[1]) / 1024

    def cpu_s(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
