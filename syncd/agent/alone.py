"""Being the only agent of a state folder: on this machine, and among all that share its disk."""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from syncd.agent.lease import Lease, Times
from syncd.core.errors import Stop

_log = logging.getLogger(__name__)
_LOOK_S = 1.0

Elsewhere = Callable[[str, str], Awaitable[None]]
"""Hears of a node that has the folders, and of the sentence for people: at the first look, and when that changes."""
_UNKNOWN = "Whether another node serves these folders can't be told ({}), so they are not shown; it is tried again."


@contextlib.asynccontextmanager
async def alone(state: Path, shared: bool, times: Times, elsewhere: Elsewhere) -> AsyncIterator[None]:
    """Enter it once nobody else keeps the state folder.  Stop if another agent of this machine does.

    `shared`: whether other machines have this disk, too; while one of them keeps it, it is waited for.
    """
    if not shared:
        with _locked(state):
            yield
        return
    with Lease(state, times) as lease:
        said = ""
        while (found := await asyncio.to_thread(_looked, lease)) is not None:
            node, sentence = found
            if sentence != said:
                said = sentence
                _log.warning("%s: %s", state, sentence)
                await elsewhere(node, sentence)
            await asyncio.sleep(min(_LOOK_S, times.renewed_s))
        yield


def _looked(lease: Lease) -> tuple[str, str] | None:
    """None once the lease is ours, else who has it ('' if that can't be told), and a sentence."""
    try:
        node = lease.take()
    except OSError as problem:
        return "", _UNKNOWN.format(problem.strerror)
    return None if node is None else (node, elsewhere_sentence(node))


def elsewhere_sentence(node: str) -> str:
    """What people are told."""
    return f"These folders are in use on {node} just now; they come here as soon as that ends."


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise Stop(
                f"Another agent keeps these folders already (its state is {state}); end that one first."
            ) from problem
        yield
    finally:
        os.close(lock)
