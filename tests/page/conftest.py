from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standins import NodeStandIn, PublisherStandIn


@pytest.fixture
async def publisher(tmp_path: Path) -> AsyncIterator[PublisherStandIn]:
    stand_in = PublisherStandIn(tmp_path / "state")
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[NodeStandIn]:
    stand_in = NodeStandIn(tmp_path / "node.sock")
    await stand_in.start()
    yield stand_in
    await stand_in.stop()
