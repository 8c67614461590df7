"""Who may see the page: a code that is good once, for a moment, buys a session; nothing of either is on disk.

Cookies of 127.0.0.1 go to every port of it, so also to a server of somebody else on this machine.  The cookie is
therefore bound to a path that only we know: a browser sends it nowhere else, and without it the path is worth nothing.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

CODE_S = 60.0
"""A code must be used within this time."""
SESSION_S = 7 * 86_400.0
"""A session that is not used ends after this time."""
_MOST_CODES = 16
_MOST_SESSIONS = 64


class Sessions:
    """Codes and sessions of one publisher's life."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        # By digest: looking one up tells by its time nothing about those that are good.
        self._codes: dict[bytes, float] = {}
        self._sessions: dict[bytes, float] = {}
        self._said: dict[bytes, str] = {}

    def new_code(self) -> str:
        """A code for one entry; the oldest of too many are void."""
        code = secrets.token_urlsafe(32)
        self._codes[_digest(code)] = self._clock() + CODE_S
        while len(self._codes) > _MOST_CODES:
            del self._codes[next(iter(self._codes))]
        return code

    def enter(self, code: str, known: str = "") -> str | None:
        """A session for a code that is good, and used up by this; the reader's own if there is one: tabs share it."""
        until = self._codes.pop(_digest(code), None)
        if until is None or self._clock() > until:
            return None
        if self.knows(known):
            return known
        session = secrets.token_urlsafe(32)
        self._sessions[_digest(session)] = self._clock() + SESSION_S
        while len(self._sessions) > _MOST_SESSIONS:
            self._end(next(iter(self._sessions)))
        return session

    def knows(self, session: str) -> bool:
        """Whether this is a session of ours; using it prolongs it."""
        key = _digest(session)
        until = self._sessions.get(key)
        if until is None:
            return False
        if self._clock() > until:
            self._end(key)
            return False
        del self._sessions[key]  # to the end: the one used least ends first
        self._sessions[key] = self._clock() + SESSION_S
        return True

    def csrf(self, session: str) -> str:
        """What each form of this session must carry."""
        return hmac.new(self._secret, session.encode(), hashlib.sha256).hexdigest()

    def is_csrf(self, session: str, given: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode("utf-8", "replace"))

    def say(self, session: str, sentence: str) -> None:
        """Keep what came of a form for the page that the browser loads next."""
        self._said[_digest(session)] = sentence

    def said(self, session: str) -> str:
        """What there is to say, once."""
        return self._said.pop(_digest(session), "")

    def _end(self, key: bytes) -> None:
        del self._sessions[key]
        self._said.pop(key, None)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
