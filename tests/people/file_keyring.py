"""A keyring for tests: `keyring`'s own way of plugging one in, with a file for the system's."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class FileKeyring(KeyringBackend):
    priority = 5  # type: ignore[assignment]  # a real one, as keyring counts

    @property
    def _file(self) -> Path:
        if os.environ.get("KEYRING_LOCKED"):
            raise KeyringLocked("locked")
        return Path(os.environ["HOME"], "keyring.json")

    def _all(self) -> dict[str, str]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file.write_text(json.dumps({**self._all(), f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        rest = self._all()
        if rest.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("not there")
        self._file.write_text(json.dumps(rest))


class PlainKeyring(FileKeyring):
    """As those that keep plain text rate themselves."""

    priority = 0.5  # type: ignore[assignment]
