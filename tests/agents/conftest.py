import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from arrived_class import ADA, BEN, CY, FIRST, Class
from class_node import ClassNode
from repository import READ, WRITE, commit_and_push

from syncd.demo.gitserver import GitServer


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Students must reach it, and sockets in homes have short addresses."""
    with tempfile.TemporaryDirectory(prefix="class", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
async def arrived(short_path: Path) -> AsyncIterator[Class]:
    server = GitServer(short_path / "srv", write_tokens=[WRITE], read_tokens=[READ])
    async with server:
        for name in ("ds8", "stat"):
            await asyncio.to_thread(commit_and_push, short_path / f"{name}.work", server.create(name), FIRST)
        token = short_path / "token"
        token.write_text(READ)
        token.chmod(0o600)
        members = {"ds8": [ADA, BEN], "stat": [BEN]}
        courses = [
            f'[[course]]\nname = "{name}"\nremote = "{server.url(name)}"\nbranch = "main"\n'
            f'token_file = "{token}"\nmembers = {json.dumps(who)}\n'
            for name, who in members.items()
        ]
        with ClassNode(short_path, [ADA, BEN, CY]) as node:
            await asyncio.to_thread(node.start_all, courses)
            yield Class(node, server)
