"""What a node follows, and where its store is: from a TOML file or from the command line."""

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from syncd.core.errors import NeedsUser
from syncd.git.address import check_branch, parse_address

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Course:
    """A branch of a remote that this node keeps ready."""

    name: str
    remote: str
    branch: str | None = None
    """None: the one that the remote itself names as its default."""
    token_file: Path | None = None
    webhook_secret_file: Path | None = None
    members: tuple[str, ...] | None = None
    """Users, and groups as @GROUP, who may have it."""
    members_file: Path | None = None
    """The same, one a line, read again whenever it changes.  Neither: everybody on this machine may have it."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NeedsUser(f"{self.name!r} can't be a course's name: use letters, digits, '.', '_' and '-' only.")
        parse_address(self.remote)
        if self.branch is not None:
            check_branch(self.branch)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node's settings."""

    store: Path
    courses: tuple[Course, ...] = ()
    poll_seconds: float = 30.0
    webhook: str | None = None
    """HOST:PORT on which webhooks are taken (port 0: a free one); None: only polls and hints."""
    status_users: frozenset[str] = field(default_factory=frozenset)
    """Users who may see everybody's views, beside root and the node's own user."""
    metrics: str | None = None
    """HOST:PORT of loopback on which metrics and health are shown; None: only to root, by the socket."""
    metrics_token_file: Path | None = None
    """Who asks there must show this token; None: everybody on this machine may ask."""

    hub: str | None = None
    """The address of the hub's service (see `hub_address`), if that runs on another machine; None: there is none."""
    hub_token_file: Path | None = None
    """The token of this node's service in the hub."""
    shared_homes: bool | None = None
    """Whether other nodes have the students' homes, too; None: as the kind of their disk says."""
    keep_days: float | None = None
    """For how long a version is kept on which no folder of this node stands; None: see `kept_s`."""

    def __post_init__(self) -> None:
        names = [course.name for course in self.courses]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise NeedsUser(f"The course {twice[0]} is named twice in the node's settings: give each its own name.")
        if not 0.05 <= self.poll_seconds <= 86_400:
            raise NeedsUser("poll_seconds must be between 0.05 and 86400.")
        if self.keep_days is not None and not 1 <= self.keep_days <= 10_000:
            raise NeedsUser("keep_days must be between 1 and 10000.")
        if not isinstance(self.shared_homes, bool | None):
            raise NeedsUser("shared_homes must be true or false.")
        for address in (self.webhook, self.metrics):
            if address is not None:
                listen_address(address)
        if self.hub is not None:
            hub_address(self.hub)
            if self.hub_token_file is None:
                raise NeedsUser(
                    "`hub` needs hub_token_file: the file with the token of this node's service in the hub."
                )

    @property
    def kept_s(self) -> float:
        """For how many seconds a version is kept on which no folder of this node stands.

        A week; where homes are shared for half a year, as a student may have stood on it at another node.
        """
        return 86_400.0 * (self.keep_days or (180 if self.shared_homes else 7))


def hub_address(text: str) -> str:
    """Where the hub's service is, with a slash at the end; of a hub's bare address, at its usual place."""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.username or parts.query)
    except ValueError:
        fits = False
    if not fits:
        raise NeedsUser(f"hub is {text!r}, which is no address: write one like https://hub.example.edu.")
    path = parts.path.rstrip("/")
    if "/services/" not in path:
        path += "/services/synced-folders"
    return f"{parts.scheme}://{parts.netloc}{path}/"


def listen_address(text: str) -> tuple[str, int]:
    """The host and port of `HOST:PORT`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise NeedsUser(f"{text!r} is not HOST:PORT: give one like 127.0.0.1:8085.")
    return host.strip("[]"), int(port)


def load_config(path: Path, store: Path | None = None) -> NodeConfig:
    """Read a node's settings; relative paths in them count from the file's own folder.

    `store` is where it lies if the file does not say.
    """
    try:
        with open(path, "rb") as source:
            found = tomllib.load(source)
    except OSError as error:
        raise NeedsUser(f"The settings in {path} can't be read ({error.strerror}): check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise NeedsUser(f"The settings in {path} are not valid TOML: {error}.") from error
    try:
        courses = tuple(_course(dict(course), path.parent) for course in found.pop("course", []))
        if store is not None:
            found.setdefault("store", str(store.absolute()))
        users = frozenset(found.pop("status_users", ()))
        return NodeConfig(courses=courses, status_users=users, **_paths(found, path.parent))
    except TypeError as error:
        words = str(error).rsplit(")", 1)[-1].strip()
        raise NeedsUser(f"The settings in {path} don't fit: {words}.") from error


def read_secret(path: Path) -> str:
    """A token or secret from its file.  NeedsUser if it isn't there, or if everybody could read it."""
    try:
        with open(path, encoding="utf-8") as source:
            if _readable_by_all(source.fileno()):
                raise NeedsUser(f"Everybody on this machine can read {path}: run `chmod 600` on it.")
            return source.read().strip()
    except OSError as error:
        raise NeedsUser(f"The file {path} can't be read ({error.strerror}): check path and permissions.") from error


def _readable_by_all(descriptor: int) -> bool:
    return bool(os.fstat(descriptor).st_mode & 0o004)


def _course(settings: dict[str, Any], folder: Path) -> Course:
    members = settings.get("members")
    if members is not None:
        if not isinstance(members, list) or not all(isinstance(one, str) and one for one in members):
            raise NeedsUser("A course's members must be a list of users, and of groups as @GROUP.")
        settings["members"] = tuple(members)
    return Course(**_paths(settings, folder))


def _paths(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    for key in ("store", "token_file", "webhook_secret_file", "members_file", "metrics_token_file", "hub_token_file"):
        if settings.get(key):
            settings[key] = folder / Path(settings[key]).expanduser()
    return settings
