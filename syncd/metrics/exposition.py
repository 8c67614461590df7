"""What the metrics of node and publisher have in common where Prometheus reads them.

Each service has a registry of its own, so that two in one process do not mix.  Labels have few values, all
known beforehand: names of courses from the settings, states, kinds of failure.  Never a path or a person.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Registry = CollectorRegistry
CONTENT_TYPE = CONTENT_TYPE_LATEST

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody asks for


class _AtScrape(Collector):
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        return ()  # or registering would already ask


def new_registry() -> CollectorRegistry:
    """A registry with the process' own memory, CPU seconds and descriptors."""
    registry = CollectorRegistry()
    at_scrape(registry, _process)
    return registry


def at_scrape(registry: CollectorRegistry, collect: Callable[[], Iterable[Metric]]) -> None:
    """Have `collect` called at each scrape, so that what it tells costs nothing in between."""
    registry.register(_AtScrape(collect))


def text_of(registry: CollectorRegistry) -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry)


def _process() -> Iterable[Metric]:
    """The process by the usual names.  prometheus_client's own needs /proc/stat, which a hardened unit does not see."""
    yield CounterMetricFamily("process_cpu_seconds", "CPU seconds, user and system", value=time.process_time())
    if sys.platform != "linux":
        return
    with open("/proc/self/statm", "rb") as file:
        pages = int(file.read().split()[1])
    resident = pages * os.sysconf("SC_PAGE_SIZE")
    yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory", value=resident)
    yield GaugeMetricFamily("process_open_fds", "Open descriptors", value=len(os.listdir("/proc/self/fd")))
