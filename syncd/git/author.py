"""Who commits on this machine."""

import getpass
import os
import platform

import pygit2

from syncd.git.commits import Author


def author_of_this_machine() -> Author:
    """What git's own settings say, else what the account says of its owner, else the account's name."""
    try:
        config = pygit2.Config.get_global_config()
        name, email = (config[key] if key in config else "" for key in ("user.name", "user.email"))  # noqa: SIM401
    except (OSError, KeyError, pygit2.GitError):
        name = email = ""
    user = _user()
    return Author(name or _full_name() or user, email or f"{user.replace(' ', '.')}@{platform.node() or 'localhost'}")


def _full_name() -> str:
    """What the account's owner is called (passwd(5)); '' where that is not known."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_gecos.partition(",")[0].strip()
    except (ImportError, KeyError, OSError):
        return ""


def _user() -> str:
    try:
        return getpass.getuser() or "someone"
    except (KeyError, OSError, ImportError):  # no password entry, as in some containers
        return "someone"
