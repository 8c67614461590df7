from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from commands import READ_TOKEN, TOKEN, Person
from sign_in_host import SignInHost

from syncd.demo.gitserver import GitServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with GitServer(tmp_path / "srv", write_tokens=[TOKEN], read_tokens=[READ_TOKEN]) as server:
        server.create("ada/course")
        yield server


@pytest.fixture
def host() -> Iterator[SignInHost]:
    with SignInHost(TOKEN) as host:
        yield host


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    with Person(tmp_path) as person:
        yield person
