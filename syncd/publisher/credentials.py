"""Tokens, one for each remote, in a file that only their owner may read.

`SYNCD_TOKEN_FILE` names a file with one token that holds for all remotes instead (services, tests).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from syncd.core.errors import NeedsUser, Stop
from syncd.publisher.state_file import locked, private_folder, write_private


class Credentials:
    """The tokens of a state folder; read anew at each use, so that a new token works at once."""

    def __init__(self, state: Path) -> None:
        self._state = private_folder(state)
        self._file = state / "tokens.json"

    def token(self, remote: str) -> str | None:
        """The token for a remote; None if there is none."""
        given = os.environ.get("SYNCD_TOKEN_FILE")
        if given:
            try:
                return Path(given).read_text(encoding="utf-8").strip() or None
            except (OSError, ValueError) as problem:
                raise NeedsUser(f"The token file {given} can't be read: check SYNCD_TOKEN_FILE.") from problem
        return self._all().get(_key(remote))

    def asker(self, remote: str) -> Callable[[], str | None]:
        """What `Remote` calls whenever it needs the token."""
        return lambda: self.token(remote)

    def store(self, remote: str, token: str) -> None:
        """Keep a token from now on."""
        if not token.strip() or any(ord(c) < 33 or ord(c) > 126 for c in token.strip()):
            raise NeedsUser("This is not a token: copy it again from the page where you made it.")
        with locked(self._state / "tokens.lock"):
            write_private(self._file, json.dumps({**self._all(), _key(remote): token.strip()}, indent=1))

    def forget(self, remote: str) -> None:
        """Drop a remote's token."""
        with locked(self._state / "tokens.lock"):
            rest = {key: token for key, token in self._all().items() if key != _key(remote)}
            write_private(self._file, json.dumps(rest, indent=1))

    def _all(self) -> dict[str, str]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return {str(key): str(token) for key, token in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as problem:
            raise Stop(f"The tokens in {self._file} can't be read; remove the file and log in again.") from problem


def _key(remote: str) -> str:
    return remote.strip().rstrip("/").removesuffix(".git")
