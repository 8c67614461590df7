"""What was measured, told to people as a table and to programs as a line of JSON."""

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.fs_scale import SwitchTimes
from tests.bench.fs_systems import SYSTEMS
from tests.bench.fs_trees import Sizes
from tests.bench.fs_workloads import WORKLOADS


@dataclass
class Results:
    """Seconds by workload and system, one for each round; and the requests that reached us."""

    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    requests: dict[str, list[int]] = field(default_factory=dict)

    def rows(self) -> dict[str, dict[str, float | None]]:
        """What is reported: native in seconds, all others as ratios to it."""
        return {name: self._row(self.seconds[name]) for name in WORKLOADS if name in self.seconds}

    def _row(self, by_system: Mapping[str, list[float]]) -> dict[str, float | None]:
        native = by_system.get("native", [])
        row: dict[str, float | None] = {"native_s": round(statistics.median(native), 4) if native else None}
        for system in list(SYSTEMS)[1:]:
            ratios = _ratios(by_system.get(system, []), native)
            row[system] = round(statistics.median(ratios), 2) if ratios else None
        return row


def _ratios(some: list[float], base: list[float]) -> list[float]:
    return [one / other for one, other in zip(some, base, strict=False)]


def report(
    results: Results,
    switches: Mapping[int, SwitchTimes],
    pss: tuple[float, float] | None,
    cache: float | None,
    sizes: Sizes,
) -> None:
    """For people, then one line for programs."""
    rows = results.rows()
    if rows:
        print_table(results)
    for name, counts in results.requests.items():
        print(f"requests that reached us during {name}: {' '.join(map(str, counts))}")
    for count, times in switches.items():
        print(
            f"switch of {count:,} paths: visible after {times.visible:.1f} ms, returned after {times.returned:.1f} ms,"
            f" {times.stale} stale; every path read afterwards in {times.checked:.0f} ms"
        )
    if pss:
        print(f"{sizes.views} mounts: {pss[0]:.0f} MB PSS idle, {pss[1]:.0f} MB after find in each")
    if cache is not None:
        print(f"page cache for a second mount that reads the same {sizes.big_mb} MB: {cache:.0f} MB")
    line = {
        "workloads": rows,
        "switch_ms": {str(count): _of(switches, count) for count in sizes.switches},
        "pss_mb": {"idle_50": pss and round(pss[0], 1), "used_50": pss and round(pss[1], 1)},
        "second_mount_cache_mb": None if cache is None else round(cache, 1),
    }
    print(json.dumps(line))


def print_table(results: Results) -> None:
    """Ratios to native, and ours to fuse-overlayfs."""
    others = list(SYSTEMS)[1:]
    print(f"\n{'':12}{'native':>9}" + "".join(f"{name:>23}" for name in [*others, "ours/fuse_overlayfs"]))
    for name, by_system in results.seconds.items():
        native = by_system["native"]
        ratios = [_ratios(by_system.get(system, []), native) for system in others]
        ratios.append(_ratios(by_system.get("ours", []), by_system.get("fuse_overlayfs", [])))
        print(f"{name:12}{statistics.median(native):>7.3f} s" + "".join(f"{_cell(each):>23}" for each in ratios))


def _cell(ratios: list[float]) -> str:
    if len(ratios) < 2:
        return f"{ratios[0]:.2f}x" if ratios else "-"
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f}x [{low:.2f}-{high:.2f}]"


def _of(switches: Mapping[int, SwitchTimes], count: int) -> float | None:
    return round(switches[count].visible, 2) if count in switches else None
