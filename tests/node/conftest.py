"""A real git server over HTTP with one course, and its instructor."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from courses import READ, SECRET, WRITE, Instructor

from syncd.demo.gitserver import GitServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    server = GitServer(tmp_path / "srv", write_tokens=[WRITE], read_tokens=[READ], webhook_secret=SECRET)
    async with server:
        server.create("course")
        yield server


@pytest.fixture
def instructor(tmp_path: Path, server: GitServer) -> Instructor:
    return Instructor(tmp_path / "instructor.git", server.url("course"))
