import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from reader import TOKEN, Publisher, Reader

from syncd.demo.gitserver import GitServer
from syncd.publisher.add import add_folder


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.delenv("SYNCD_TOKEN_FILE", raising=False)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with GitServer(tmp_path / "srv", write_tokens=[TOKEN]) as server:
        server.create("course")
        yield server


@pytest.fixture
async def folder(tmp_path: Path, server: GitServer) -> Path:
    """A synced folder with a dozen labs."""
    path = tmp_path / "ds8"
    (path / "labs").mkdir(parents=True)
    for n in range(12):
        (path / f"labs/lab{n:02}.md").write_text(f"# Lab {n}\n")
    (path / "notes.txt").write_text("first\n")
    await asyncio.to_thread(add_folder, tmp_path / "state", path, server.url("course"), None, TOKEN)
    return path


@pytest.fixture
async def publisher(tmp_path: Path, folder: Path) -> AsyncIterator[Publisher]:
    async with Publisher(tmp_path / "state") as publisher:
        await publisher.up_to_date()
        yield publisher


@pytest.fixture
async def reader(publisher: Publisher) -> AsyncIterator[Reader]:
    async with Reader(await publisher.entrance()) as reader:
        yield await reader.enter()
