"""Remotes over ssh, by the `git` command: keys, agents and known hosts stay ssh's own business."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from syncd.core.errors import NeedsUser, SyncError
from syncd.git.address import Address
from syncd.git.failure import NoBranch, by_text, rejected
from syncd.git.shown import Shown, shown

_SAFE = (
    *("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "credential.helper="),
    *(
        "-c",
        "gc.auto=0",
        "-c",
        "maintenance.auto=false",
        "-c",
        "core.fsync=committed",
        "-c",
        "fetch.writeCommitGraph=false",
    ),
)


def look(address: Address, timeout_s: float) -> Shown:
    """What it shows now."""
    refs, default = list[tuple[str, str]](), None
    asked = ["ls-remote", "--symref", "--", address.url, "HEAD", "refs/heads/*", "refs/tags/*"]
    for line in _git(address, asked, timeout_s, timeout_s * 2).splitlines():
        what, _, ref = line.partition("\t")
        if what.startswith("ref: refs/heads/") and ref == "HEAD":
            default = what.removeprefix("ref: refs/heads/")
        refs.append((ref, what))
    return shown(refs, default)


def fetch(address: Address, repository: Path, specs: Sequence[str], timeout_s: float, branch: str = "") -> None:
    """All history of what these refspecs name; `branch` is for the sentence if it is not there."""
    arguments = [
        "-C",
        str(repository),
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--",
        address.url,
        *specs,
    ]
    _git(address, arguments, timeout_s, branch=branch)


def push(address: Address, repository: Path, what: str, ref: str, timeout_s: float) -> None:
    """An object of the repository under a full ref name; never forced."""
    arguments = ["-C", str(repository), "push", "--porcelain", "--no-verify", "--", address.url]
    _git(address, [*arguments, f"{what}:{ref}"], timeout_s, branch=ref.removeprefix("refs/heads/"))


def _git(
    address: Address, arguments: Sequence[str], timeout_s: float, limit_s: float | None = None, branch: str = ""
) -> str:
    seconds = max(1, int(timeout_s))
    ssh = f"ssh -oBatchMode=yes -oConnectTimeout={seconds} -oServerAliveInterval={seconds} -oServerAliveCountMax=2"
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in ("GIT_SSH", "GIT_SSH_COMMAND")
    }
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    if not {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys():
        environment["GIT_SSH_COMMAND"] = ssh
    try:
        done = subprocess.run(
            ["git", *_SAFE, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise NeedsUser("The git command is missing, which addresses over ssh need: install git.") from error
    except subprocess.TimeoutExpired as error:
        raise by_text(address, "timed out") from error
    said = done.stdout.decode("utf-8", "surrogateescape")
    if done.returncode:
        raise _failed(address, branch, said, done.stderr.decode("utf-8", "replace"))
    return said


def _failed(address: Address, branch: str, said: str, complaint: str) -> SyncError:
    for line in said.splitlines():
        if line.startswith("!\t"):
            spoken = [part[len("remote:") :] for part in complaint.splitlines() if part.startswith("remote:")]
            return rejected(address, branch, line.split("\t")[-1], "\n".join(spoken))
    if "couldn't find remote ref" in complaint:
        return NoBranch(f"{address} has no branch '{branch}': check its name, or publish something to it first.")
    return by_text(address, complaint)
