"""Let the kernel keep equal pages of all agents' memory once (KSM).

A forked agent shares its parent's memory until it writes to it, and CPython writes a reference count into whatever it
looks at.  Agents do the same things, so they write the same: a page of one is a page of most.  Where KSM runs
(`/sys/kernel/mm/ksm/run`), it finds them and keeps one; the next write to such a page costs a copy of it again.

Only what was mapped before the fork is offered, never what an agent maps later: large buffers that hold what students
write and read are mappings of their own, and whether a page is shared can be timed.

Source: Documentation/admin-guide/mm/ksm.rst, MADV_MERGEABLE in madvise(2).
"""

import ctypes
from pathlib import Path

_MADV_MERGEABLE = 12
KSM = Path("/sys/kernel/mm/ksm/run")


def offer_equal_pages() -> int:
    """Offer all private memory that this process may write to, for itself and what it forks; how many bytes.

    0 where the kernel has no KSM.
    """
    if not KSM.exists():
        return 0
    libc, offered = ctypes.CDLL(None, use_errno=True), 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        where, rights, *_ = line.split()
        if not rights.startswith("rw") or not rights.endswith("p") or "[stack" in line:
            continue
        begin, end = (int(number, 16) for number in where.split("-"))
        if libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _MADV_MERGEABLE) == 0:
            offered += end - begin
    return offered
