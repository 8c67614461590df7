"""A question to a node over its unix socket, in HTTP/1.0: an answer ends with its connection, so little is to parse.

Every student's agent asks; a whole HTTP client would cost each of them 2 MB of memory that can't be shared.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

_LONGEST_HEAD = 100  # lines


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and what follows."""

    status: int
    _reader: asyncio.StreamReader
    _silence_s: float

    async def body(self) -> bytes:
        """All of it.  TimeoutError if the other side falls silent."""
        parts: list[bytes] = []
        while True:
            async with asyncio.timeout(self._silence_s):
                part = await self._reader.read(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)

    async def lines(self) -> AsyncIterator[bytes]:
        """Line by line, until the other side ends.  TimeoutError if it falls silent."""
        while True:
            async with asyncio.timeout(self._silence_s):
                line = await self._reader.readline()
            if not line:
                return
            yield line


@contextlib.asynccontextmanager
async def asked(
    node: Path, method: str, path: str, body: bytes | None = None, *, silence_s: float
) -> AsyncIterator[Answer]:
    """Ask; OSError, TimeoutError or ValueError if no answer is to be had.  `silence_s`: the longest pause in it."""
    async with asyncio.timeout(silence_s):
        reader, writer = await asyncio.open_unix_connection(str(node))
    try:
        head = f"{method} {path} HTTP/1.0\r\nHost: node\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}\r\n".encode() + (body or b""))
        async with asyncio.timeout(silence_s):
            words = (await reader.readline()).split(b" ", 2)
            if len(words) < 2:
                raise ConnectionError("hung up on")
            status = int(words[1])
            for _ in range(_LONGEST_HEAD):
                if not (await reader.readline()).strip():
                    break
            else:
                raise ValueError("an answer's head does not end")
        yield Answer(status, reader, silence_s)
    finally:
        writer.close()
