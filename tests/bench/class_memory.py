"""What a class's agents hold of the machine's memory, before and after the kernel has found their equal pages."""

import contextlib
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from syncd.agent.equal_pages import KSM

_LONGEST_S, _SCANS, _HASTE = 240.0, 5, "5000"


def pss_mb(pids: Collection[int]) -> float:
    """Proportional set size of all, by /proc/PID/smaps_rollup."""
    return sum(map(_pss_kb, pids)) / 1024


@contextlib.contextmanager
def merging() -> Iterator[bool]:
    """Have KSM at work, whatever this machine has; False: there is none."""
    if not KSM.exists():
        yield False
        return
    before = KSM.read_text().strip()
    KSM.write_text("1")
    try:
        yield True
    finally:
        if before != "1":
            KSM.write_text("2")  # undoes what it merged
            KSM.write_text(before)


def let_merge() -> float:
    """Wait until the kernel went through everything some times, which we make it do faster; how many seconds."""
    pace, scans = KSM.with_name("pages_to_scan"), KSM.with_name("full_scans")
    usual, began, first = pace.read_text(), time.monotonic(), int(scans.read_text())
    pace.write_text(_HASTE)
    try:
        while int(scans.read_text()) < first + _SCANS and time.monotonic() < began + _LONGEST_S:
            time.sleep(0.5)
    finally:
        pace.write_text(usual)
    return time.monotonic() - began


def _pss_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0])
    return 0
