"""What monitoring sees of a running publisher: its metrics, and whether a folder needs somebody."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from syncd.metrics.publisher import GUARDS, PublisherMetrics

if TYPE_CHECKING:
    from syncd.metrics.exposition import Registry


class Reporting(Protocol):
    """A folder that says how it is."""

    def status(self) -> Mapping[str, Any]: ...  # noqa: D102
    def left_out(self) -> Counter[str | None]: ...  # noqa: D102


class Observed:
    """One publisher as its monitoring sees it; no name of a folder is told."""

    def __init__(self, folders: Callable[[], Mapping[str, Reporting]]) -> None:
        self._folders = folders
        self.metrics = PublisherMetrics(self._states, self._left_out)

    @property
    def registry(self) -> "Registry":
        """All metrics."""
        return self.metrics.registry

    def readiness(self) -> Mapping[str, Any]:
        """Ready unless a folder waits for its person."""
        states = self._states()
        well, all = sum(states.values()) - states["needs_you"], sum(states.values())
        return {"ready": well == all, "sentence": f"{well} of {all} folders need nobody."}

    def _states(self) -> Counter[str]:
        return Counter(folder.status()["state"] for folder in self._folders().values())

    def _left_out(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for folder in self._folders().values():
            for guard, count in folder.left_out().items():
                found[guard if guard in GUARDS else "other"] += count
        return found
