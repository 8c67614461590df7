"""Answers to listings that whoever lists may not have read yet.

What comes with a listing counts as looked up when the kernel reads the answer, which on a busy machine may be after a
switch and after the kernel was told of it: the names of before would then stay.  Whoever lists asks for the rest as
soon as an answer is read; so an answer that was followed by no question may be under way.
"""

import time
from collections import Counter
from collections.abc import Iterable

_READ_WITHIN_S = 10.0
"""After so long an answer has been read, however busy the machine is: some ask for no rest."""


class Listings:
    """Of one mount."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._unread: Counter[int] = Counter()
        self._answered_at = float("-inf")

    def answered(self, folder: int) -> None:
        """A listing was answered, with names."""
        now = time.monotonic()
        if now - self._answered_at > _READ_WITHIN_S:
            self._unread.clear()
        self._answered_at = now
        self._unread[folder] += 1

    def read(self, folder: int) -> None:
        """Somebody asks for the rest of a folder."""
        if self._unread[folder] <= 1:
            del self._unread[folder]
        else:
            self._unread[folder] -= 1

    def under_way(self, folders: Iterable[int]) -> list[int]:
        """Those of the folders of which an answer may be under way."""
        if time.monotonic() - self._answered_at > _READ_WITHIN_S:
            return []
        return [folder for folder in folders if folder in self._unread]
