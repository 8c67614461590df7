import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from classroom_side import READ_TOKEN, TOKEN, Course

from syncd.demo.gitserver import GitServer


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.delenv("SYNCD_TOKEN_FILE", raising=False)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with GitServer(tmp_path / "srv", write_tokens=[TOKEN], read_tokens=[READ_TOKEN]) as server:
        server.create("course")
        yield server


@pytest.fixture
def course(server: GitServer) -> Course:
    return Course(server)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
