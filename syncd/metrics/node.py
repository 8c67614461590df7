"""What a node's service counts.  A course's own metrics go when the course does."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from syncd.metrics.exposition import at_scrape, new_registry
from syncd.metrics.measures import BUCKETS, kind_of, plausible_s

_REMEMBERED = 100
"""Commits of a course by which it is told how far behind a view is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The views of one course, counted at a scrape."""

    course: str
    behind: Mapping[str, int]
    """Views by how many versions they are behind: see `CourseMeter.behind`."""
    waiting: int
    """Files whose update waits for a merge."""
    layers: int
    """Bytes that students keep."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a store, in bytes."""

    contents: int
    mirrors: int


class NodeMetrics:
    """All metrics of one service."""

    def __init__(self, views: Callable[[], Iterable[Seen]], free: Callable[[], int]) -> None:
        """`views` and `free`, the bytes free on the store's disk, are asked at each scrape."""
        self.registry = to = new_registry()
        course = ["course"]
        self.looks = Counter("syncd_node_looks", "Looks at a remote", course, registry=to)
        self.fetches = Counter("syncd_node_fetches", "Fetches that brought something", course, registry=to)
        self.fetched = Counter("syncd_node_fetched_bytes", "Bytes that fetches brought", course, registry=to)
        self.failures = Counter("syncd_node_errors", "Looks that failed, by kind", [*course, "kind"], registry=to)
        self.ready = Gauge("syncd_node_course_ready", "1 if students can have the course", course, registry=to)
        self.looked_well = Gauge(
            "syncd_node_last_good_look_timestamp_seconds", "When a look last went well", course, registry=to
        )
        self.hints = Counter("syncd_node_hints", "Pushes that a webhook told of", course, registry=to)
        self.save_to_ready = Histogram(
            "syncd_node_save_to_ready_seconds",
            "From a save to its being ready here, since its webhook came (push) or since the commit's own time",
            [*course, "since"],
            buckets=BUCKETS,
            registry=to,
        )
        self.fetch_s = Histogram(
            "syncd_node_fetch_to_ready_seconds",
            "From the begin of a fetch that brought something to its being ready",
            course,
            buckets=BUCKETS,
            registry=to,
        )
        self.ready_to_visible = Histogram(
            "syncd_node_ready_to_visible_seconds",
            "From a version's being ready to its showing in a student's folder, as agents tell",
            course,
            buckets=BUCKETS,
            registry=to,
        )
        self.conflicts = Counter(
            "syncd_node_conflicts", "Files that were put beside a student's own, as agents tell", course, registry=to
        )
        self._collected = {
            what: Counter(f"syncd_node_collected_{what}", f"{words} that collections removed", registry=to)
            for what, words in (("bytes", "Bytes"), ("versions", "Versions"), ("contents", "Contents"))
        }
        self.mended = Counter("syncd_node_damaged_contents", "Contents found damaged and made again", registry=to)
        self._sizes: Sizes | None = None
        self._linked: Callable[[], bool] | None = None
        self._views, self._free = views, free
        self.courses: dict[str, CourseMeter] = {}
        at_scrape(to, self._at_scrape)

    def course(self, name: str) -> "CourseMeter":
        """A course's meter, made anew."""
        self.courses[name] = meter = CourseMeter(self, name)
        return meter

    def forget(self, name: str) -> None:
        """The course is no longer kept here."""
        if self.courses.pop(name, None) is None:
            return
        families = (self.looks, self.fetches, self.fetched, self.failures, self.ready, self.looked_well, self.hints)
        more = (self.save_to_ready, self.fetch_s, self.ready_to_visible, self.conflicts)
        for family in (*families, *more):
            family.remove_by_labels({"course": name})

    def collected(self, manifests: int, blobs: int, size: int) -> None:
        """A collection removed this much; `size` in bytes."""
        for what, count in (("versions", manifests), ("contents", blobs), ("bytes", size)):
            self._collected[what].inc(count)

    def linked(self, holds: Callable[[], bool]) -> None:
        """There is a hub elsewhere; `holds`: whether the link to it holds."""
        self._linked = holds

    def measured(self, sizes: Sizes) -> None:
        """The store was measured."""
        self._sizes = sizes

    def _at_scrape(self) -> Iterable[Metric]:
        seen = list(self._views())
        views = GaugeMetricFamily(
            "syncd_node_views", "Students' folders, by how many versions they are behind", labels=["course", "behind"]
        )
        waiting = GaugeMetricFamily("syncd_node_waiting_merges", "Files whose update waits", labels=["course"])
        layers = GaugeMetricFamily("syncd_node_layer_bytes", "What students keep of their own", labels=["course"])
        for each in seen:
            for behind, count in each.behind.items():
                views.add_metric([each.course, behind], count)
            waiting.add_metric([each.course], each.waiting)
            layers.add_metric([each.course], each.layers)
        yield from (views, waiting, layers)
        if self._sizes is not None:
            store = GaugeMetricFamily("syncd_node_store_bytes", "Size of the store", labels=["part"])
            store.add_metric(["contents"], self._sizes.contents)
            store.add_metric(["mirrors"], self._sizes.mirrors)
            yield store
        if self._linked is not None:
            words = "1 while the hub's service tells this node of pushes at once"
            yield GaugeMetricFamily("syncd_node_hub_linked", words, value=float(self._linked()))
        yield GaugeMetricFamily("syncd_node_store_free_bytes", "Free on the store's disk", value=self._free())


class CourseMeter:
    """What happens to one course."""

    DISTANCES = ("0", "1", "2", "more", "unknown")
    """How many versions a view is behind; unknown: it shows none, or one from before this service's start."""

    def __init__(self, all: NodeMetrics, name: str) -> None:
        self._all, self._name = all, name
        self._commits: OrderedDict[str, None] = OrderedDict()
        self._told: dict[str, float] = {}
        self._fetching: float | None = None
        for counter in (all.looks, all.fetches, all.fetched, all.hints, all.conflicts):
            counter.labels(name)  # shown as 0 from the start, so that a rate sees the first one
        for histogram in (all.fetch_s, all.ready_to_visible):
            histogram.labels(name)
        all.ready.labels(name).set(0)

    def told(self, commit: str | None, now: float) -> None:
        """A webhook named a commit."""
        self._all.hints.labels(self._name).inc()
        if commit is not None and len(self._told) < _REMEMBERED:
            self._told.setdefault(commit, now)

    def looked(self) -> None:
        """The remote is being asked."""
        self._all.looks.labels(self._name).inc()
        self._fetching = None

    def fetched(self, began: float, size: int) -> None:
        """A fetch that began then (seconds since the epoch) brought something; for the thread of the look."""
        self._all.fetches.labels(self._name).inc()
        self._all.fetched.labels(self._name).inc(size)
        self._fetching = began

    def well(self, now: float) -> None:
        """A look went well."""
        self._all.looked_well.labels(self._name).set(now)

    def failed(self, problem: BaseException) -> None:
        """A look failed."""
        self._all.failures.labels(self._name, kind_of(problem)).inc()

    def ready(self, commit: str, committed_at: float | None, ready_at: float) -> None:
        """A commit is ready.  `committed_at` is its own time, unless it says nothing of a save that just came."""
        self._all.ready.labels(self._name).set(1)
        self._commits.pop(commit, None)
        self._commits[commit] = None
        while len(self._commits) > _REMEMBERED:
            self._commits.popitem(last=False)
        told_at = self._told.pop(commit, None)
        self._told.clear()  # what came before it is part of it
        for since, moment in (("push", told_at), ("commit", committed_at)):
            if moment is not None and (took := plausible_s(ready_at - moment)) is not None:
                self._all.save_to_ready.labels(self._name, since).observe(took)
        if self._fetching is not None and (took := plausible_s(ready_at - self._fetching)) is not None:
            self._all.fetch_s.labels(self._name).observe(took)
        self._fetching = None

    def shown(self, took_s: object) -> None:
        """A view shows another commit than before, so long after that was ready; what is no duration is left out."""
        took = plausible_s(took_s)
        if took is not None:
            self._all.ready_to_visible.labels(self._name).observe(took)

    def conflicts(self, count: int) -> None:
        """So many files more were put beside."""
        self._all.conflicts.labels(self._name).inc(count)

    def behind(self, commit: object) -> str:
        """How many versions a commit is behind, as one of DISTANCES."""
        if commit not in self._commits:
            return "unknown"
        newer = len(self._commits) - 1 - list(self._commits).index(str(commit))
        return str(newer) if newer < 3 else "more"
