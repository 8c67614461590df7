"""A stream of which the beginning was read already."""

from io import BytesIO, RawIOBase
from typing import BinaryIO


class Joined(RawIOBase):
    """What was read already, and the rest, as one stream."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = BytesIO(start), rest

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """What is left of the beginning, then of the rest; less than asked for is no end."""
        return self._start.read(size) or self._rest.read(size)
