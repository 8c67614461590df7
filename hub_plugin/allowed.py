"""Which repositories a link may add: only those that fit a pattern of the hub's settings.  Pure.

A pattern is `https://HOST/OWNER/NAME`, with `*` for any part, or within one, of OWNER and NAME.  The host is spelled
out, so a link can never lead the node to another server than those that the hub's configuration names; http, a port or
an address within the network only if it names those.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hub_plugin import words
from hub_plugin.courses import Course
from syncd.core.errors import NeedsUser

_ADDRESS = re.compile(r"(https?)://([A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?)/([A-Za-z0-9._/-]+)", re.IGNORECASE)
_SCP = re.compile(r"git@([A-Za-z0-9][A-Za-z0-9.-]*):([A-Za-z0-9._/-]+)")
_PATTERN = re.compile(r"(https?)://([A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?)/([A-Za-z0-9._/*?-]+)")
_SHORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_WITHOUT_SCHEME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)+/[A-Za-z0-9._-]+/[A-Za-z0-9._/-]+")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_NAME = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Addable:
    """A repository that may be followed; `name` is the course's, and the folder's in the home."""

    name: str
    remote: str
    branch: str | None

    def course(self) -> Course:
        """As a course of whoever follows the link."""
        return Course(self.name, self.remote, self.branch, folder=self.name, title=self.name, open_to_all=True)


def check_patterns(patterns: Sequence[str]) -> None:
    """NeedsUser if one does not name its host, or is no pattern."""
    for pattern in patterns:
        found = _PATTERN.fullmatch(pattern)
        if found is None or "" in found[3].split("/"):
            raise NeedsUser(words.bad_pattern(pattern))


def addable(patterns: Sequence[str], repo: str, branch: str, taken: Collection[str]) -> Addable | None:
    """What a link's repository is as a course, if a pattern allows it; `taken` are names of courses of others."""
    found = _parts(repo.strip())
    if found is None or (branch and (not _BRANCH.fullmatch(branch) or ".." in branch or branch.endswith(".lock"))):
        return None
    scheme, host, path = found
    if not any(_fits(pattern, scheme, host, path) for pattern in patterns):
        return None
    name = _NAME.sub("-", path[-1])[:_LONGEST_NAME]
    if name in taken:
        name = _NAME.sub("-", f"{path[-2]}-{path[-1]}")[-_LONGEST_NAME:].lstrip(".-_")
    if not name or not name[0].isalnum() or name in taken:
        return None
    # GitHub takes both forms, a plain server only its own: the link's is kept.
    ending = ".git" if repo.strip().rstrip("/").endswith(".git") else ""
    return Addable(name, f"{scheme}://{host}/{'/'.join(path)}{ending}", branch or None)


def _parts(repo: str) -> tuple[str, str, list[str]] | None:
    if len(repo) > 500:
        return None
    if _SHORT.fullmatch(repo):
        repo = f"https://github.com/{repo}"
    if _WITHOUT_SCHEME.fullmatch(repo):
        repo = f"https://{repo}"
    if scp := _SCP.fullmatch(repo):
        repo = f"https://{scp[1]}/{scp[2]}"
    address = _ADDRESS.fullmatch(repo)
    if address is None:
        return None
    path = re.sub("/+", "/", address[3].strip("/")).removesuffix(".git").split("/")
    if not 2 <= len(path) <= 6 or not all(_PART.fullmatch(part) and ".." not in part for part in path):
        return None
    host = address[2].lower()
    return address[1].lower(), "github.com" if host == "www.github.com" else host, path


def _fits(pattern: str, scheme: str, host: str, path: Sequence[str]) -> bool:
    found = _PATTERN.fullmatch(pattern)
    if found is None or (found[1].lower(), found[2].lower()) != (scheme, host):
        return False
    wanted = found[3].rstrip("/").removesuffix(".git").split("/")
    return len(wanted) == len(path) and all(
        fnmatchcase(part.casefold(), want.casefold()) for part, want in zip(path, wanted, strict=True)
    )
