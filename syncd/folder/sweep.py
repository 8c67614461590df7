"""Which folders are exactly as they were when they last equalled a commit: told by stat data, on all cores.

Python spends more time on a file's stat data than the system does, and can use one core only; so a
large folder is shared out to short-lived processes.  Whatever goes wrong with them, the folders in
question count as touched and are looked at file by file.
"""

import os
import subprocess
import sys
from collections.abc import Mapping

from syncd.folder import fingerprint
from syncd.folder.root import HAS_DESCRIPTORS, Root
from syncd.folder.statcache import Summary

_WORTH_A_PROCESS = 8_000
"""Files; below that a process costs more than it saves."""
_MOST = 8


def untouched(root: Root, summaries: Mapping[str, Summary], cores: int | None = None) -> dict[str, Summary]:
    """The summaries of those folders that have nothing touched directly in them."""
    if not HAS_DESCRIPTORS or not summaries:
        return {}
    shards = _shards(summaries, min(_MOST, cores or _cores()))
    helpers = [(shard, _start(root, shard)) for shard in shards[1:]]
    with root.folder("") as top:
        device = root.identity[0]
        found = dict(zip(shards[0], top.fingerprints(device, shards[0]), strict=True))
    for shard, helper in helpers:
        said = _finish(helper, shard)
        at = range(0, len(said), fingerprint.SIZE)
        found.update((folder, said[n : n + fingerprint.SIZE]) for folder, n in zip(shard, at, strict=False))
    return {folder: summary for folder, summary in summaries.items() if found.get(folder) == summary.fingerprint}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _shards(summaries: Mapping[str, Summary], cores: int) -> list[list[str]]:
    """Neighbours stay together; all get about as many files, the first some more since it need not be started."""
    total = sum(summary.files + 5 for summary in summaries.values())
    count = max(1, min(cores, total // _WORTH_A_PROCESS))
    ahead = _WORTH_A_PROCESS // 2 if count > 1 else 0
    shards: list[list[str]] = [[]]
    files = -ahead
    for folder in sorted(summaries, key=lambda each: each.split("/")):
        if files >= (total - ahead) * len(shards) / count:
            shards.append([])
        shards[-1].append(folder)
        files += summaries[folder].files + 5
    return shards


_Helper = subprocess.Popen[bytes]


def _start(root: Root, shard: list[str]) -> _Helper | None:
    device, inode = root.identity
    try:
        helper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", fingerprint.__file__, str(device), str(inode), str(root.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    assert helper.stdin is not None
    try:
        # It reads all before it writes anything, so that neither waits for the other.
        helper.stdin.write("\0".join(shard).encode("utf-8", "surrogateescape"))
        helper.stdin.close()
    except OSError:
        helper.kill()
    return helper


def _finish(helper: _Helper | None, shard: list[str]) -> bytes:
    if helper is None:
        return b""
    assert helper.stdout is not None
    with helper, helper.stdout:
        said = helper.stdout.read()
    whole = helper.returncode == 0 and len(said) == len(shard) * fingerprint.SIZE
    return said if whole else b""
