"""The classic demo's stage: a git server, an instructor, a node and three students, all on loopback, without a hub."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.core.errors import Stop
from syncd.demo import sample
from syncd.demo.hands import Cast, Hands, OwnHands
from syncd.demo.processes import Processes
from syncd.demo.remote import Remote, course_name, start_remote, write_private

STUDENTS = ("ada", "ben", "chi")
POLL_S = 2.0
"""A lost webhook costs no more than this in the demo."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is, once it runs."""

    root: Path
    folder: Path
    remote: Remote
    students: dict[str, Path]
    page: str
    kind: str
    processes: Processes

    def syncd(self, *arguments: str | Path, student: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a `syncd` command as the instructor or as a student would."""
        state = self.root / (student or "instructor") / "state"
        return self.processes.run(*arguments, env={"SYNCD_STATE": str(state)})

    def cast(self) -> Cast:
        """Who plays the story here."""
        students: dict[str, Hands] = {name: OwnHands(home, self._restore(name)) for name, home in self.students.items()}
        return Cast(OwnHands(self.folder, self._restore(None)), students, self.remote.published)

    def _restore(self, student: str | None) -> Callable[[Path], None]:
        def restore(path: Path) -> None:
            done = self.syncd("restore", path, student=student)
            if done.returncode:
                raise Stop(f"syncd restore said: {done.stderr.strip()}")

        return restore


def set_up(processes: Processes, root: Path, course: str | None, *, students: tuple[str, ...] = STUDENTS) -> Stage:
    """Start all parts.  Stop or NeedsUser, in one sentence, if one does not come up."""
    name = course_name(course)
    remote = start_remote(processes, root, course)
    folder = root / "instructor" / name
    _add_folder(processes, root, folder, remote, course is None)
    processes.start("publisher", "syncd", "run", env={"SYNCD_STATE": str(root / "instructor/state")})
    node = root / "node"
    listening = processes.start(
        "node",
        "syncd",
        *("node", "--store", node, "--course", f"course={remote.url}#{remote.branch}", "--poll", str(POLL_S)),
        *("--token-file", write_private(root / "read-token", remote.reader)),
        *("--webhook", "127.0.0.1:0", "--webhook-secret-file", root / "webhook-secret"),
    )
    remote.register_webhook(f"{listening['webhook']}/webhook/course")
    homes = {student: root / student / name for student in students}
    for student, home in homes.items():
        processes.start(
            f"agent-{student}",
            "syncd",
            *("agent", "--node", node / "node.sock", "--course", f"course={home}", "--as", student, "--quiet", "0.3"),
            env={"SYNCD_STATE": str(root / student / "state")},
        )
    page = processes.start(
        "page",
        "hub_plugin",
        *("--publisher", root / "instructor/state", "--node", node / "node.sock", "--listen", "127.0.0.1:0"),
    )
    return Stage(root, folder, remote, homes, page["url"], _kind(processes, root, students[0]), processes)


def _add_folder(processes: Processes, root: Path, folder: Path, remote: Remote, planted: bool) -> None:
    folder.mkdir(parents=True)
    if planted:
        sample.plant(folder)
    token = write_private(root / "write-token", remote.token)
    done = processes.run(
        *("add", folder, remote.url, "--branch", remote.branch, "--token-file", token),
        env={"SYNCD_STATE": str(root / "instructor/state")},
    )
    if done.returncode:
        raise Stop(done.stderr.strip() or done.stdout.strip())


def _kind(processes: Processes, root: Path, student: str) -> str:
    """How the students' folders are made here: as the agents report it."""
    done = processes.run("status", "--json", env={"SYNCD_STATE": str(root / student / "state")})
    views = json.loads(done.stdout or "{}").get("views", [])
    return str(views[0]["kind"]) if views else "plain"


def wait_for(what: str, holds: Any, seconds: float = 20.0) -> float:
    """Wait until `holds()` is true; the seconds it took.  Stop if it never is."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if holds():
                return time.monotonic() - began
        except (OSError, ValueError, KeyError, IndexError):
            pass  # a file on its way: not there, or not whole, yet
        time.sleep(0.004)
    raise Stop(f"{what}: not so after {seconds:.0f} s")
