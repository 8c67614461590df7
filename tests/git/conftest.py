"""A real git server over HTTP, and an empty repository here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pygit2
import pytest
from real_git import OUTSIDE, READ, WRITE

from syncd.demo.gitserver import GitServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    server = GitServer(tmp_path / "srv", write_tokens=[WRITE], read_tokens=[READ], outside_tokens=[OUTSIDE])
    async with server:
        server.create("course")
        yield server


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    pygit2.init_repository(str(tmp_path / "local.git"), bare=True, initial_head="main")
    return tmp_path / "local.git"
