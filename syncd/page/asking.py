"""The publisher as the page sees it: the same requests that the commands make, answered with JSON or a sentence."""

from collections.abc import Mapping
from typing import Any, Protocol

from syncd.core.errors import SyncError

Json = Mapping[str, Any]


class Unanswered(SyncError):
    """The publisher said no, with a sentence; or it knows no such request."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Publisher(Protocol):
    """Takes requests to `/v1/...`."""

    async def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """The answer.  Unanswered if it is an error."""
        ...
