"""Whose account a hub's user has on this machine."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from hub_plugin import words
from syncd.core.errors import NeedsUser


@dataclass(frozen=True, slots=True)
class Account:
    """A student's account on this machine."""

    name: str
    uid: int
    gid: int
    home: Path


def account_of(name: str) -> Account:
    """The account of this name.  NeedsUser if there is none, or if it is root's."""
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise NeedsUser(words.no_account(name)) from error
    if found.pw_uid == 0 and os.getuid() == 0 and name != "root":
        raise NeedsUser(words.no_account(name))
    return Account(name, found.pw_uid, found.pw_gid, Path(found.pw_dir))


def account_without(name: str, home: str) -> Account:
    """Somebody without an account of their own, whose home is as `home` says; NeedsUser if the name is no folder's."""
    if not name or "/" in name or name.startswith("."):
        raise NeedsUser(words.no_account(name))
    return Account(name, os.getuid(), os.getgid(), Path(home.replace("{username}", name)))
