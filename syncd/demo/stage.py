"""The demo's stage: a git server, an instructor, a node and three students, all on loopback."""

import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.core.errors import NeedsUser, Stop
from syncd.demo import sample
from syncd.demo.processes import Processes

STUDENTS = ("ada", "ben", "chi")
_POLL_S = 2.0  # a lost webhook costs no more than this in the demo


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is, once it runs."""

    root: Path
    course: str
    folder: Path
    remote: Path
    students: dict[str, Path]
    page: str
    kind: str
    processes: Processes

    def syncd(self, *arguments: str | Path, student: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a `syncd` command as the instructor or as a student would."""
        state = self.root / ("instructor" if student is None else student) / "state"
        return self.processes.run(*arguments, env={"SYNCD_STATE": str(state)})

    def remote_git(self, *arguments: str, input: bytes = b"") -> bytes:
        """Ask the remote repository with git itself, the demo's impartial witness."""
        return _git("-C", str(self.remote), *arguments, input=input)


def set_up(processes: Processes, root: Path, course: str | None, *, students: tuple[str, ...] = STUDENTS) -> Stage:
    """Start all parts.  Stop or NeedsUser, in one sentence, if one does not come up."""
    name = sample.COURSE if course is None else _course_name(course)
    repositories = root / "git"
    remote = repositories / "course.git"
    secret, token, reader = (secrets.token_urlsafe(24) for _ in range(3))
    _write_private(root / "git-tokens.json", json.dumps({"write": [token], "read": [reader]}))
    _make_remote(remote, course)
    branch = _git("-C", str(remote), "symbolic-ref", "--short", "HEAD").decode().strip()
    server = processes.start(
        "git-server",
        "syncd.demo.gitserver",
        *("--root", repositories, "--port", "0", "--token-file", root / "git-tokens.json"),
        *("--webhook-secret-file", _write_private(root / "webhook-secret", secret)),
    )
    url = f"{server['url']}/course.git"
    folder = root / "instructor" / name
    _add_folder(processes, root, folder, url, branch, _write_private(root / "write-token", token), course is None)
    processes.start("publisher", "syncd", "run", env={"SYNCD_STATE": str(root / "instructor/state")})
    node = root / "node"
    listening = processes.start(
        "node",
        "syncd",
        *("node", "--store", node, "--course", f"course={url}#{branch}", "--poll", str(_POLL_S)),
        *("--token-file", _write_private(root / "read-token", reader)),
        *("--webhook", "127.0.0.1:0", "--webhook-secret-file", root / "webhook-secret"),
    )
    _register_webhook(server["admin"], f"{listening['webhook']}/webhook/course")
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
    return Stage(root, name, folder, remote, homes, page["url"], _kind(processes, root, students[0]), processes)


def _course_name(course: str) -> str:
    return course.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git") or "course"


def _make_remote(remote: Path, course: str | None) -> None:
    remote.parent.mkdir(parents=True, exist_ok=True)
    if course is None:
        _git("init", "-q", "--bare", "--initial-branch=main", str(remote))
        return
    source = str(Path(course).resolve()) if Path(course).exists() else course
    if source.startswith("-") or source.startswith("ext:"):
        raise NeedsUser(f"{source} is not the path or URL of a git repository; give one, like COURSE=~/courses/ds8.")
    try:
        _git("clone", "-q", "--bare", "--", source, str(remote))
    except Stop as error:
        raise NeedsUser(f"The course {course} could not be cloned: {error}") from error


def _add_folder(
    processes: Processes, root: Path, folder: Path, url: str, branch: str, token: Path, planted: bool
) -> None:
    folder.mkdir(parents=True)
    if planted:
        sample.plant(folder)
    done = processes.run(
        *("add", folder, url, "--branch", branch, "--token-file", token),
        env={"SYNCD_STATE": str(root / "instructor/state")},
    )
    if done.returncode:
        raise Stop(done.stderr.strip() or done.stdout.strip())


def _register_webhook(admin: str, target: str) -> None:
    body = json.dumps({"url": target}).encode()
    request = urllib.request.Request(admin + "/hooks", body, {"Content-Type": "application/json"}, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def _kind(processes: Processes, root: Path, student: str) -> str:
    """How the students' folders are made here: as the agents report it."""
    done = processes.run("status", "--json", env={"SYNCD_STATE": str(root / student / "state")})
    views = json.loads(done.stdout or "{}").get("views", [])
    return str(views[0]["kind"]) if views else "plain"


def _write_private(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    return path


def _git(*arguments: str, input: bytes = b"") -> bytes:
    if shutil.which("git") is None:
        raise Stop("The git command is missing; install it with: sudo apt-get install git")
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1"}
    argv = ["git", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(argv, input=input, capture_output=True, env=env, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise Stop(words[-1] if words else f"git {arguments[0]} failed")
    return done.stdout


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
