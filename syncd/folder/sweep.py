"""Which folders are exactly as they were when they last equalled a commit: told by stat data, on all cores.

Python spends more time on a file's stat data than the system does, and can use one core only; so a
large folder is shared out to short-lived processes.  Whatever goes wrong with them, the folders in
question count as touched and are looked at file by file.
"""

import marshal
import os
import subprocess
import sys
from collections.abc import Mapping
from tempfile import TemporaryFile

from syncd.folder import fingerprint
from syncd.folder.root import HAS_DESCRIPTORS, Root
from syncd.folder.statcache import Summary

_WORTH_A_PROCESS = 8_000
"""Files; below that a process costs more than it saves."""
_MEANWHILE = 5_000
"""Files that are looked at while a process starts."""
_MOST = 8


def untouched(root: Root, summaries: Mapping[str, Summary], cores: int | None = None) -> dict[str, Summary]:
    """The summaries of those folders that have nothing touched directly in them."""
    if not HAS_DESCRIPTORS or not summaries:
        return {}
    shards = _shards(summaries, min(_MOST, cores or _cores()))
    helpers = [(shard, _start(root, [(each, summaries[each].names) for each in shard])) for shard in shards[1:]]
    with root.folder("") as top:
        known = ((folder, summaries[folder].names) for folder in shards[0])
        marks = (mark for mark, _ in top.fingerprints(root.identity[0], known))
        found = dict(zip(shards[0], marks, strict=True))
    for shard, helper in helpers:
        said = _finish(helper, shard)
        at = range(0, len(said), fingerprint.SIZE)
        found.update((folder, said[n : n + fingerprint.SIZE]) for folder, n in zip(shard, at, strict=False))
    return {folder: summary for folder, summary in summaries.items() if found.get(folder) == summary.fingerprint}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _shards(summaries: Mapping[str, Summary], cores: int) -> list[list[str]]:
    """Neighbours stay together; all get about as many files, the first more since it need not be started."""
    total = sum(summary.files + 5 for summary in summaries.values())
    count = max(1, min(cores, total // _WORTH_A_PROCESS))
    ahead = min(_MEANWHILE, total // 4) if count > 1 else 0
    shards: list[list[str]] = [[]]
    files = -ahead
    for folder in sorted(summaries, key=lambda each: each.split("/")):
        if files >= (total - ahead) * len(shards) / count:
            shards.append([])
        shards[-1].append(folder)
        files += summaries[folder].files + 5
    return shards


_Helper = subprocess.Popen[bytes]


def _start(root: Root, known: list[tuple[str, bytes]]) -> _Helper | None:
    device, inode = root.identity
    try:
        with TemporaryFile() as asked:  # not a pipe, which holds too little: we'd wait until Python has started there
            asked.write(marshal.dumps(known))
            asked.seek(0)
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", fingerprint.__file__, str(device), str(inode), str(root.path)],
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
    except OSError:
        return None


def _finish(helper: _Helper | None, shard: list[str]) -> bytes:
    if helper is None:
        return b""
    assert helper.stdout is not None
    with helper, helper.stdout:
        said = helper.stdout.read()
    whole = helper.returncode == 0 and len(said) == len(shard) * fingerprint.SIZE
    return said if whole else b""
