"""Commits made with pygit2, remotes with tokens, blocking work beside a server on the loop."""

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pygit2

from syncd.core.entry import CommitId
from syncd.git.remote import Remote

WRITE, READ, OUTSIDE = "write-token-4711", "read-token-4712", "outside-token-4713"
AUTHOR = pygit2.Signature("Ida", "ida@example.org", 1_700_000_000, 0)


def commit(repository: Path, files: dict[str, bytes], *parents: CommitId, message: str = "A save") -> CommitId:
    """A commit with these files at the top folder; no ref is moved."""
    repo = pygit2.Repository(str(repository))
    tree = repo.TreeBuilder()
    for name, content in files.items():
        tree.insert(name, repo.create_blob(content), pygit2.enums.FileMode.BLOB)
    return CommitId(str(repo.create_commit(None, AUTHOR, AUTHOR, message, tree.write(), list(parents))))


def remote(url: str, token: str | None = WRITE, timeout_s: float = 5) -> Remote:
    return Remote(url, lambda: token, timeout_s=timeout_s)


async def off_loop(work: Callable[..., Any], *arguments: object) -> Any:
    """Run blocking work while the server goes on on this loop."""
    return await asyncio.to_thread(functools.partial(work, *arguments))
