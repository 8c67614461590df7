"""What is said of a class's times."""

import statistics
from collections.abc import Sequence


def figures(values: Sequence[float]) -> dict[str, float] | None:
    """Median, 99th percentile and worst; None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    at = min(len(ranked) - 1, int(len(ranked) * 0.99))
    return {"p50": round(statistics.median(ranked), 1), "p99": round(ranked[at], 1), "worst": round(ranked[-1], 1)}
