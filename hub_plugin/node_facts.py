"""What the node's metrics say to whoever runs the hub: the store, what waits, and errors by kind.  Pure."""

from collections import Counter
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from hub_plugin import words
from hub_plugin.cleaned import path_of

_MOST_ERRORS = 50


@dataclass(frozen=True, slots=True)
class Failures:
    """How many looks at a course's remote failed in one way since the node's start."""

    course: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node: sizes in words, None where the node has not measured yet."""

    store: str | None = None
    free: str | None = None
    layers: str | None = None
    waiting: int = 0
    """Files whose update waits."""
    errors: tuple[Failures, ...] = ()


def node_facts(metrics: str) -> NodeFacts:
    """Read the metrics; none at all if they can't be read."""
    totals: Counter[str] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    try:
        for family in text_string_to_metric_families(metrics):
            for sample in family.samples:
                totals[sample.name] += int(sample.value)
                if sample.name == "syncd_node_errors_total" and sample.value:
                    labels = sample.labels
                    errors[path_of(labels.get("course")), path_of(labels.get("kind"))] += int(sample.value)
    except (ValueError, KeyError, OverflowError):
        return NodeFacts()

    def sized(name: str) -> str | None:
        return words.size(totals[name]) if name in totals else None

    return NodeFacts(
        store=sized("syncd_node_store_bytes"),
        free=sized("syncd_node_store_free_bytes"),
        layers=sized("syncd_node_layer_bytes"),
        waiting=totals["syncd_node_waiting_merges"],
        errors=tuple(Failures(course, kind, count) for (course, kind), count in errors.most_common(_MOST_ERRORS)),
    )
