"""A publisher's counts as Prometheus reads them.

Loaded when it asks first, which on most people's computers it never does.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from syncd.metrics.exposition import Registry, at_scrape, new_registry
from syncd.metrics.measures import BUCKETS, Durations
from syncd.metrics.publisher import GUARDS, STATES, PublisherMetrics


def registry_of(counted: PublisherMetrics) -> Registry:
    """A registry that asks these counts at each scrape."""
    registry = new_registry()
    at_scrape(registry, lambda: _families(counted))
    return registry


def _families(counted: PublisherMetrics) -> Iterator[Metric]:
    for name, help, count in (
        ("saves", "Saves of files that were taken up", counted.saves),
        ("commits", "Commits made of saves", counted.commits),
        ("pushes", "Pushes that the remote took", counted.pushes),
        ("fetches", "Fetches of what others pushed", counted.fetches),
        ("conflicts", "Files put beside in a merge", counted.conflicts),
    ):
        yield CounterMetricFamily(f"syncd_publisher_{name}", help, value=count)
    sent = CounterMetricFamily("syncd_publisher_transferred_bytes", "Bytes to and from remotes", labels=["way"])
    failed = CounterMetricFamily("syncd_publisher_errors", "What failed, by kind", labels=["kind"])
    folders = GaugeMetricFamily("syncd_publisher_folders", "Folders, by how they are", labels=["state"])
    left_out = GaugeMetricFamily("syncd_publisher_left_out_files", "Files that guards leave out", labels=["guard"])
    states, guards = counted.states(), counted.left_out()
    yield _by(sent, counted.bytes.items())
    yield _by(failed, counted.failures.items())
    yield _by(folders, ((each, states.get(each, 0)) for each in STATES))
    yield _by(left_out, ((each, guards.get(each, 0)) for each in GUARDS))
    yield _histogram("save_to_commit", "From a save to its commit", counted.save_to_commit)
    yield _histogram("save_to_pushed", "From a save to the remote's showing it", counted.save_to_pushed)


def _by(family: CounterMetricFamily | GaugeMetricFamily, counts: Iterable[tuple[str, float]]) -> Metric:
    for label, count in counts:
        family.add_metric([label], count)
    return family


def _histogram(name: str, help: str, took: Durations) -> HistogramMetricFamily:
    up_to = (*map(str, BUCKETS), "+Inf")
    buckets = list(zip(up_to, accumulate(took.counts), strict=True))
    return HistogramMetricFamily(f"syncd_publisher_{name}_seconds", help, buckets=buckets, sum_value=took.sum_s)
