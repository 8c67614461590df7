import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.folder.root import Root
from syncd.folder.statcache import StatCache


class Clock:
    """A clock ahead of the disk's, so that nothing is fresh unless a test wants it."""

    def __init__(self) -> None:
        self.ahead_ns = 60_000_000_000

    def __call__(self) -> int:
        return time.time_ns() + self.ahead_ns


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def root(folder: Path) -> Iterator[Root]:
    with Root(folder) as root:
        yield root


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> Iterator[StatCache]:
    cache = StatCache(tmp_path / "cache.sqlite", clock)
    yield cache
    cache.close()
