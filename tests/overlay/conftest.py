from collections.abc import Iterator
from pathlib import Path

import pytest
from made_commits import BareView, Hands, Opening, Store
from mounted import ENGINES, Mounted


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def opened(store: Store, tmp_path: Path) -> Iterator[Opening]:
    """Opens the model's view, again and again: each time as if the process before had been killed."""
    views: list[BareView] = []

    def opening(quiet_s: float = 0.0) -> BareView:
        for view in views:
            view.close()
        views[:] = [BareView(tmp_path / "view", tmp_path / "state", store.snapshot, quiet_s)]
        return views[0]

    yield opening
    for view in views:
        view.close()


@pytest.fixture
def view(opened: Opening) -> BareView:
    return opened()


@pytest.fixture
def hands(view: BareView) -> Hands:
    return Hands(view.overlay)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def student(store: Store, tmp_path: Path, engine: str) -> Iterator[Mounted]:
    mounted = Mounted(store, tmp_path, engine)
    yield mounted
    mounted.close()
    assert not mounted.root.exists(), "a closed view leaves an empty mountpoint"
