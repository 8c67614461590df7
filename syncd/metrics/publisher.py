"""What a publisher counts, for all its folders together: which folders somebody has is nobody else's business."""

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import SyncError
from syncd.core.transfer import Direction, Transfer
from syncd.metrics.measures import Durations, kind_of

if TYPE_CHECKING:
    from syncd.metrics.exposition import Registry

_REMEMBERED = 2_000
STATES = ("up_to_date", "settling", "pushing", "offline", "paused", "needs_you")
"""Of a folder; each is shown, with 0 too."""
GUARDS = ("size", "secret", "staff", "solution", "ignored", "other")
"""By which a file is left out."""


class PublisherMetrics:
    """All that is counted in one publisher."""

    def __init__(self, states: Callable[[], Mapping[str, int]], left_out: Callable[[], Mapping[str, int]]) -> None:
        """At each scrape `states` is asked for folders by state, `left_out` for files by guard."""
        self.saves = self.commits = self.pushes = self.fetches = self.conflicts = 0
        self.bytes = Counter({direction.value: 0 for direction in Direction})
        self.failures: Counter[str] = Counter()
        self.save_to_commit, self.save_to_pushed = Durations(), Durations()
        self.states, self.left_out = states, left_out

    @cached_property
    def registry(self) -> "Registry":
        """What Prometheus reads."""
        from syncd.metrics.publisher_scrape import registry_of

        return registry_of(self)


class FolderMeter:
    """What happens to one folder; times are seconds of the monotonic clock."""

    def __init__(self, all: PublisherMetrics) -> None:
        self._all = all
        self._saved: dict[RelPath, float] = {}
        self._unseen: OrderedDict[CommitId, float] = OrderedDict()

    def saved(self, path: RelPath, now: float) -> None:
        """Something happened at a path."""
        if len(self._saved) < _REMEMBERED:
            self._saved.setdefault(path, now)

    def taken_up(self, paths: Collection[RelPath] | None, commit: CommitId | None, now: float) -> None:
        """These paths were looked at (None: all), and made a commit, or none."""
        chosen = list(self._saved) if paths is None else [path for path in paths if path in self._saved]
        times = [self._saved.pop(path) for path in chosen]
        if commit is None:
            return
        self._all.commits += 1
        if not times:
            return  # found by looking: nobody knows when it was saved
        self._all.saves += len(times)
        self._all.save_to_commit.add(now - min(times))
        if len(self._unseen) < _REMEMBERED:
            self._unseen[commit] = min(times)

    def pushed(self) -> None:
        """The remote took a push."""
        self._all.pushes += 1

    def fetched(self) -> None:
        """What others pushed is here."""
        self._all.fetches += 1

    def shown(self, head: CommitId | None, now: float) -> None:
        """The remote shows our head, and so all that was committed before."""
        if head is None:
            return
        while self._unseen:
            _, saved_at = self._unseen.popitem(last=False)
            self._all.save_to_pushed.add(now - saved_at)

    def moved(self, far: Transfer | None) -> None:
        """A transfer has ended, as far as that."""
        if far is not None:
            self._all.bytes[far.direction.value] += far.bytes

    def beside(self, count: int) -> None:
        """So many files were put beside."""
        self._all.conflicts += count

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Count what fails in here."""
        try:
            yield
        except (SyncError, OSError) as problem:
            self._all.failures[kind_of(problem)] += 1
            raise
