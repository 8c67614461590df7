"""The demo's remote: the stand-in for GitHub with one course's repository, and git itself as an impartial witness."""

import json
import os
import secrets
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from syncd.core.errors import NeedsUser, Stop
from syncd.demo import sample
from syncd.demo.hands import Files
from syncd.demo.processes import Processes


@dataclass(frozen=True, slots=True)
class Remote:
    """One repository, once its server runs."""

    url: str
    branch: str
    repository: Path
    admin: str
    secret: str
    """Signs what the server sends to webhooks, if they have no secret of their own."""
    token: str
    reader: str
    """Who has `token` may push, who has `reader` may read."""

    def register_webhook(self, target: str, secret: str | None = None) -> None:
        """Have the server tell this address of pushes, as one does on GitHub's page."""
        body = json.dumps({"url": target, "secret": secret or self.secret}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.admin}/hooks", body, headers, method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def git(self, *arguments: str, input: bytes = b"") -> bytes:
        """Ask the repository with git itself."""
        return run_git("-C", str(self.repository), *arguments, input=input)

    def published(self) -> Files:
        """What is on the branch, read with git."""
        listed: list[tuple[int, str, bytes]] = []
        for line in self.git("ls-tree", "-r", "-z", "HEAD").split(b"\0"):
            facts, _, path = line.partition(b"\t")
            if path and facts.split()[1] == b"blob":
                listed.append((int(facts.split()[0], 8), os.fsdecode(path), facts.split()[2]))
        packed = self.git("cat-file", "--batch", input=b"\n".join(blob for _, _, blob in listed) + b"\n")
        found: Files = {}
        at = 0
        for mode, name, _ in listed:
            end = packed.index(b"\n", at)
            size = int(packed[at:end].split()[2])
            found[name] = (mode, packed[end + 1 : end + 1 + size])
            at = end + size + 2
        return found


def course_name(course: str | None) -> str:
    """How the folder of a course is called."""
    if course is None:
        return sample.COURSE
    return course.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git") or "course"


def start_remote(processes: Processes, root: Path, course: str | None) -> Remote:
    """Make the repository and start its server.  NeedsUser if the course can't be had."""
    repository = root / "git/course.git"
    secret, token, reader = (secrets.token_urlsafe(24) for _ in range(3))
    _make_repository(repository, course)
    tokens = write_private(root / "git-tokens.json", json.dumps({"write": [token], "read": [reader]}))
    server = processes.start(
        "git-server",
        "syncd.demo.gitserver",
        *("--root", repository.parent, "--port", "0", "--token-file", tokens),
        *("--webhook-secret-file", write_private(root / "webhook-secret", secret)),
    )
    branch = run_git("-C", str(repository), "symbolic-ref", "--short", "HEAD").decode().strip()
    return Remote(f"{server['url']}/course.git", branch, repository, server["admin"], secret, token, reader)


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    return path


def run_git(*arguments: str, input: bytes = b"") -> bytes:
    """What git says.  Stop with its last line if it fails."""
    if shutil.which("git") is None:
        raise Stop("The git command is missing; install it with: sudo apt-get install git")
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1"}
    argv = ["git", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(argv, input=input, capture_output=True, env=env, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise Stop(words[-1] if words else f"git {arguments[0]} failed")
    return done.stdout


def _make_repository(repository: Path, course: str | None) -> None:
    repository.parent.mkdir(parents=True, exist_ok=True)
    if course is None:
        run_git("init", "-q", "--bare", "--initial-branch=main", str(repository))
        return
    source = str(Path(course).resolve()) if Path(course).exists() else course
    if source.startswith("-") or source.startswith("ext:"):
        raise NeedsUser(f"{source} is not the path or URL of a git repository; give one, like COURSE=~/courses/ds8.")
    try:
        run_git("clone", "-q", "--bare", "--", source, str(repository))
    except Stop as error:
        raise NeedsUser(f"The course {course} could not be cloned: {error}") from error
