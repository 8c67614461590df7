"""What a publisher counts, for all its folders together: which folders somebody has is nobody else's business."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import SyncError
from syncd.core.transfer import Direction, Transfer
from syncd.metrics.exposition import BUCKETS, at_scrape, kind_of, new_registry, plausible_s

_REMEMBERED = 2_000
STATES = ("up_to_date", "settling", "pushing", "offline", "paused", "needs_you")
"""Of a folder; each is shown, with 0 too."""
GUARDS = ("size", "secret", "staff", "solution", "ignored", "other")
"""By which a file is left out."""


class PublisherMetrics:
    """All metrics of one publisher."""

    def __init__(self, states: Callable[[], Mapping[str, int]], left_out: Callable[[], Mapping[str, int]]) -> None:
        """At each scrape `states` is asked for folders by state, `left_out` for files by guard."""
        self.registry = to = new_registry()
        self.saves = Counter("syncd_publisher_saves", "Saves of files that were taken up", registry=to)
        self.commits = Counter("syncd_publisher_commits", "Commits made of saves", registry=to)
        self.pushes = Counter("syncd_publisher_pushes", "Pushes that the remote took", registry=to)
        self.fetches = Counter("syncd_publisher_fetches", "Fetches of what others pushed", registry=to)
        self.bytes = Counter("syncd_publisher_transferred_bytes", "Bytes to and from remotes", ["way"], registry=to)
        self.conflicts = Counter("syncd_publisher_conflicts", "Files put beside in a merge", registry=to)
        self.failures = Counter("syncd_publisher_errors", "What failed, by kind", ["kind"], registry=to)
        self.save_to_commit = Histogram(
            "syncd_publisher_save_to_commit_seconds", "From a save to its commit", buckets=BUCKETS, registry=to
        )
        self.save_to_pushed = Histogram(
            "syncd_publisher_save_to_pushed_seconds",
            "From a save to the remote's showing it",
            buckets=BUCKETS,
            registry=to,
        )
        for direction in Direction:
            self.bytes.labels(direction.value)
        self._states, self._left_out = states, left_out
        at_scrape(to, self._at_scrape)

    def _at_scrape(self) -> Iterable[Metric]:
        folders = GaugeMetricFamily("syncd_publisher_folders", "Folders, by how they are", labels=["state"])
        left_out = GaugeMetricFamily("syncd_publisher_left_out_files", "Files that guards leave out", labels=["guard"])
        for family, known, found in ((folders, STATES, self._states()), (left_out, GUARDS, self._left_out())):
            for each in known:
                family.add_metric([each], found.get(each, 0))
        return folders, left_out


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
        self._all.commits.inc()
        if not times:
            return  # found by looking: nobody knows when it was saved
        self._all.saves.inc(len(times))
        self._observe(self._all.save_to_commit, now - min(times))
        if len(self._unseen) < _REMEMBERED:
            self._unseen[commit] = min(times)

    def pushed(self) -> None:
        """The remote took a push."""
        self._all.pushes.inc()

    def fetched(self) -> None:
        """What others pushed is here."""
        self._all.fetches.inc()

    def shown(self, head: CommitId | None, now: float) -> None:
        """The remote shows our head, and so all that was committed before."""
        if head is None:
            return
        while self._unseen:
            _, saved_at = self._unseen.popitem(last=False)
            self._observe(self._all.save_to_pushed, now - saved_at)

    def moved(self, far: Transfer | None) -> None:
        """A transfer has ended, as far as that."""
        if far is not None:
            self._all.bytes.labels(far.direction.value).inc(far.bytes)

    def beside(self, count: int) -> None:
        """So many files were put beside."""
        self._all.conflicts.inc(count)

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Count what fails in here."""
        try:
            yield
        except (SyncError, OSError) as problem:
            self._all.failures.labels(kind_of(problem)).inc()
            raise

    def _observe(self, histogram: Histogram, seconds: float) -> None:
        if (took := plausible_s(seconds)) is not None:
            histogram.observe(took)
