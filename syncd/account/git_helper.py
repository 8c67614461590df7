"""What git's credential helpers know already (gitcredentials(7)), asked without any prompt."""

import os
import subprocess

from syncd.git.address import Address, Kind

_SECONDS = 20.0


def from_git(address: Address) -> str | None:
    """A token for an http(s) remote, as `user:password` if a user goes with it; None if git has none.

    It travels through a pipe only.
    """
    if address.kind is not Kind.HTTP:
        return None
    scheme, _, rest = address.url.partition("://")
    host, _, path = rest.partition("/")
    asked = f"protocol={scheme}\nhost={host}\npath={path}\n\n"
    environment = {key: value for key, value in os.environ.items() if key not in ("SSH_ASKPASS", "GIT_ASKPASS")}
    # Helpers answer, nobody is asked: neither in the terminal nor in a window.
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never"}
    try:
        done = subprocess.run(
            ["git", "-c", "core.askPass=", "credential", "fill"],
            input=asked,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeError):
        return None
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if done.returncode or not found.get("password"):
        return None
    user, password = found.get("username", ""), found["password"]
    return f"{user}:{password}" if user and ":" not in user else password
