"""Addresses of remotes: which kinds we speak, and which we refuse before anything is opened."""

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from syncd.core.errors import NeedsUser

_SCP = re.compile(r"^(?:[^@/:\s]+@)?(?P<host>[^/:\s@]{2,}):(?!//)(?P<path>.+)$")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"^[A-Za-z0-9]+::")
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


class Kind(Enum):
    """How a remote is reached."""

    HTTP = "http"
    SSH = "ssh"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Address:
    """A remote's address without any credential, safe to show and to log."""

    url: str
    kind: Kind
    host: str
    """For people and for choosing a token; '' for a folder on this machine."""

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine (no proxy is asked then)."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return self.url


def parse_address(text: str) -> Address:
    """The address a person gave.  NeedsUser where we refuse it."""
    url = text.strip()
    if not url:
        raise NeedsUser("The address of the repository is empty: give one like https://github.com/course/textbook.")
    if url.startswith("-"):
        raise NeedsUser(
            f"{url!r} looks like an option, not like a repository: give an address that begins with https://."
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in url):
        raise NeedsUser("The address of the repository holds a control character: type it again.")
    if _HELPER.match(url) or url.startswith(("ext:", "fd:")):
        raise NeedsUser(f"{url!r} would run a program on this machine, which we refuse: give an https:// address.")
    scheme = _SCHEME.match(url)
    if scheme:
        return _with_scheme(url, scheme[1].lower())
    if _DRIVE.match(url):
        return Address(url, Kind.LOCAL, "")
    scp = _SCP.match(url)
    if scp:
        _check_ssh(url, scp["host"], scp["path"])
        return Address(url, Kind.SSH, scp["host"])
    return Address(url, Kind.LOCAL, "")


def repository(url: str) -> str:
    """An address in the one form in which the same repository is the same text."""
    return url.strip().rstrip("/").removesuffix(".git")


_FORBIDDEN_IN_BRANCHES = frozenset(" ~^:?*[\\")


def check_branch(branch: str) -> str:
    """A branch's name, if git allows it (git-check-ref-format); NeedsUser otherwise."""
    parts = branch.split("/")
    bad = (
        not branch
        or branch.startswith("-")
        or branch in ("HEAD", "@")
        or branch.endswith(".")
        or ".." in branch
        or "@{" in branch
        or any(ord(c) < 32 or ord(c) == 127 or c in _FORBIDDEN_IN_BRANCHES for c in branch)
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    )
    if bad:
        raise NeedsUser(f"{branch!r} can't be the name of a branch: check it on the repository's page.")
    return branch


def _with_scheme(url: str, scheme: str) -> Address:
    try:
        parts = urlsplit(url)
        host, user, password = parts.hostname or "", parts.username, parts.password
        parts.port  # noqa: B018  (raises for a port that is none)
    except ValueError as error:
        raise NeedsUser("This address is not a valid URL: copy it again from the repository's page.") from error
    if scheme in ("http", "https"):
        if user is not None or password is not None:
            raise NeedsUser(
                f"The address holds a name or token before '@{host}': leave that out, we ask for the token by itself."
            )
        if parts.query or parts.fragment:
            raise NeedsUser(
                "The address of a repository has no '?' or '#': copy the one that the page shows for cloning."
            )
        if not host:
            raise NeedsUser("The address has no host: give one like https://github.com/course/textbook.")
        return Address(url.rstrip("/"), Kind.HTTP, host)
    if scheme == "ssh":
        if password is not None:
            raise NeedsUser(f"The address holds a password before '@{host}': leave that out and use an ssh key.")
        _check_ssh(url, host, parts.path.lstrip("/"))
        if user is not None and user.startswith("-"):
            raise NeedsUser("The name before '@' begins with '-', which we refuse: check the address.")
        return Address(url, Kind.SSH, host)
    if scheme == "file":
        return Address(url, Kind.LOCAL, "")
    raise NeedsUser(f"Addresses that begin with {scheme}:// are not supported: give one with https:// or ssh://.")


def _check_ssh(url: str, host: str, path: str) -> None:
    if not host or host.startswith("-") or url.startswith("-"):
        raise NeedsUser("The host in the address is missing or begins with '-', which we refuse: check the address.")
    if not path or path.startswith("-"):
        raise NeedsUser("The path in the address is missing or begins with '-', which we refuse: check the address.")
