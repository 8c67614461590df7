"""Tokens, one for each remote or for a whole host: in the system's keyring, else in a file only their owner may read.

`tokens.json` says for each remote where its token is: the token itself, {"kept": "keyring"}, or
{"kept": "git"} for what git's credential helpers have.  `SYNCD_TOKEN_FILE` names a file with one
token that holds for all remotes instead (services, tests).
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from syncd.account import device_flow, keyring_store
from syncd.account.device_flow import Grant, Place
from syncd.account.git_helper import from_git
from syncd.core.errors import NeedsToken, NeedsUser, Stop, TryAgain
from syncd.git.address import parse_address
from syncd.publisher.state_file import locked, private_folder, write_private

Kept = Literal["keyring", "file", "git", "SYNCD_TOKEN_FILE"]

_RENEW_BEFORE_S = 300.0
_GITS_ANSWER_S = 60.0
"""How long git's answer is used: a helper is a process or two, and we ask for the token at each use."""


@dataclass(frozen=True, slots=True)
class _Secret:
    """A token with what renews it."""

    token: str
    renewal: str | None = None
    expires_at: float | None = None
    base: str = ""
    client_id: str = ""

    def text(self) -> str:
        if self.renewal is None:
            return self.token
        fields = ("token", "renewal", "expires_at", "base", "client_id")
        return json.dumps({field: getattr(self, field) for field in fields})


class Credentials:
    """The tokens of a state folder; read anew at each use, so that a new token works at once."""

    def __init__(self, state: Path) -> None:
        self._state = private_folder(state)
        self._file = state / "tokens.json"
        self._gits: dict[str, tuple[str | None, float]] = {}

    def token(self, remote: str) -> str | None:
        """The token for a remote; None if there is none."""
        given = os.environ.get("SYNCD_TOKEN_FILE")
        if given:
            try:
                return Path(given).read_text(encoding="utf-8").strip() or None
            except (OSError, ValueError) as problem:
                raise NeedsUser(f"The token file {given} can't be read: check SYNCD_TOKEN_FILE.") from problem
        key, found = self._found(remote)
        if key is None:
            return None
        if found == {"kept": "git"}:
            return self._from_git(remote)
        secret = self._secret(key)
        if secret is not None and secret.expires_at is not None and secret.expires_at - time.time() < _RENEW_BEFORE_S:
            secret = self._renewed(key)
        return None if secret is None else secret.token

    def asker(self, remote: str) -> Callable[[], str | None]:
        """What `Remote` calls whenever it needs the token."""
        return lambda: self.token(remote)

    def kept(self, remote: str) -> Kept | None:
        """Where the token for a remote is; None if there is none."""
        if os.environ.get("SYNCD_TOKEN_FILE"):
            return "SYNCD_TOKEN_FILE"
        key, found = self._found(remote)
        return None if key is None else "file" if isinstance(found, str) else found["kept"]

    def store(self, remote: str, token: str) -> Kept:
        """Keep a token from now on; where."""
        return self._keep(_key(remote), _Secret(well_formed(token)))

    def store_grant(self, remote: str, grant: Grant, place: Place) -> Kept:
        """Keep what a sign-in gave, with what renews it; where."""
        secret = _Secret(well_formed(grant.token), grant.renewal, grant.expires_at, place.base, place.client_id)
        return self._keep(_key(remote), secret)

    def use_git(self, remote: str) -> None:
        """Ask git's credential helpers from now on."""
        self._change(_key(remote), {"kept": "git"})

    def forget(self, remote: str) -> bool:
        """Drop the token that is used for a remote, be it the host's; whether there was one."""
        key, found = self._found(remote)
        if key is None:
            return False
        if found == {"kept": "keyring"}:
            keyring_store.drop(key)
        self._change(key, None)
        return True

    def known(self) -> dict[str, Kept]:
        """For which remotes and hosts there is a token, and where."""
        return {key: "file" if isinstance(found, str) else found["kept"] for key, found in self._all().items()}

    def _keep(self, key: str, secret: _Secret) -> Kept:
        if keyring_store.real_keyring() is not None and keyring_store.keep(key, secret.text()):
            self._change(key, {"kept": "keyring"})
            return "keyring"
        self._change(key, secret.text())
        return "file"

    def _change(self, key: str, value: Any) -> None:
        with locked(self._state / "tokens.lock"):
            self._write(key, value)

    def _write(self, key: str, value: Any) -> None:
        rest = {each: token for each, token in self._all().items() if each != key}
        self._gits.clear()
        write_private(self._file, json.dumps(rest | ({key: value} if value is not None else {}), indent=1))

    def _found(self, remote: str) -> tuple[str | None, Any]:
        """Under which name there is a token for a remote, its own or its host's, and what is noted there."""
        found = self._all()
        key = next((key for key in (_key(remote), _host(remote)) if key is not None and key in found), None)
        return key, found.get(key or "")

    def _secret(self, key: str) -> _Secret | None:
        found = self._all().get(key)
        text = found if isinstance(found, str) else keyring_store.kept(key) if found else None
        if found is not None and text is None:
            raise NeedsToken("The keyring does not give the token: unlock it, or give the token again.")
        if text is None or not text.startswith("{"):
            return None if text is None else _Secret(text)
        try:
            return _Secret(**json.loads(text))
        except (ValueError, TypeError) as problem:
            raise NeedsToken("The kept token can't be read: give it again.") from problem

    def _renewed(self, key: str) -> _Secret | None:
        """The next token.  Alone: each renewal works once."""
        with locked(self._state / "tokens.lock"):
            old = self._secret(key)
            if old is None or old.renewal is None or old.expires_at is None:
                return old
            if old.expires_at - time.time() >= _RENEW_BEFORE_S:
                return old  # another process was faster
            try:
                grant = device_flow.renew(Place(old.base, old.client_id), old.renewal)
            except TryAgain:
                if time.time() < old.expires_at:
                    return old
                raise
            new = _Secret(grant.token, grant.renewal or old.renewal, grant.expires_at, old.base, old.client_id)
            if isinstance(self._all().get(key), str) or not keyring_store.keep(key, new.text()):
                self._write(key, new.text())
            return new

    def _from_git(self, remote: str) -> str | None:
        known, until = self._gits.get(remote, (None, 0.0))
        if time.monotonic() < until:
            return known
        found = from_git(parse_address(remote))
        if found is None:
            raise NeedsToken("Git's credential helper has no token any more: sign in there, or give one here.")
        self._gits[remote] = (found, time.monotonic() + _GITS_ANSWER_S)
        return found

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return {
                str(key): token if isinstance(token, str) else {"kept": token["kept"]} for key, token in found.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError, KeyError) as problem:
            raise Stop(f"The tokens in {self._file} can't be read; remove the file and log in again.") from problem


def well_formed(token: str) -> str:
    """The token without space around it.  NeedsUser if it can't be one."""
    token = token.strip()
    if not token or any(ord(c) < 33 or ord(c) > 126 for c in token):
        raise NeedsUser("This is not a token: copy it again from the page where you made it.")
    return token


def _key(remote: str) -> str:
    return remote.strip().rstrip("/").removesuffix(".git")


def _host(remote: str) -> str | None:
    """`https://github.com` of a repository there: scheme and port count, so that no token goes elsewhere."""
    parts = urlsplit(_key(remote))
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else None
