"""How the names of a folder are spelt on its disk, for disks that find a file by several names; and which do.

The system's own calls for this (F_GETPATH, GetFinalPathNameByHandle) differ; a listing does everywhere.
"""

import json
import os
import secrets
import sys
import time
import unicodedata
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from syncd.core.folding import Folding
from syncd.core.ignore import ASIDE

_RESTED_NS = 3_000_000_000
"""A folder unchanged for so long has a time stamp that the next change is sure to move; FAT's step is 2 s."""
_MOST_LISTED = 64


class Spelling:
    """Whether folders hold a name exactly as it is written; remembers folders that are at rest.  One thread."""

    def __init__(self) -> None:
        self._listed: OrderedDict[tuple[int, int, int], frozenset[str]] = OrderedDict()

    def has(self, folder: int | Path, name: str) -> bool:
        """Whether one of the names in an open folder (or, where there are none, at a path) is this very one."""
        found = os.stat(folder)
        key = (found.st_dev, found.st_ino, found.st_mtime_ns)
        known = self._listed.get(key)
        if known is None:
            rests = time.time_ns() - found.st_mtime_ns > _RESTED_NS and found.st_ino != 0
            known = frozenset(os.listdir(folder))
            if rests:
                self._listed[key] = known
                if len(self._listed) > _MOST_LISTED:
                    self._listed.popitem(last=False)
        return name in known


def folding_of(folder: Path, remembered: Path) -> Folding:
    """What the disk of a folder does not tell apart; tried once for each disk, and kept in the file `remembered`.

    OSError if the folder is not there.
    """
    found = os.stat(folder)
    identity = [found.st_dev, found.st_ino]
    with suppress(OSError, ValueError, TypeError, AttributeError):
        known = json.loads(remembered.read_text())
        if known.get("folder") == identity:
            return Folding(known["folding"])
    folding = _tried(folder)
    if folding is None:  # it may not be written: what is usual is good enough to look at it
        usual = {"darwin": Folding.CASE | Folding.FORM, "win32": Folding.CASE}
        return usual.get(sys.platform, Folding.NOTHING)
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(json.dumps({"folder": identity, "folding": folding.value}))
    return folding


def _tried(folder: Path) -> Folding | None:
    probe = f"{ASIDE}probe-"
    try:
        with os.scandir(folder) as entries:  # what a crash left of an earlier try, which is not remembered then
            left = [entry.path for entry in entries if entry.name.startswith(probe)]
        for path in left:
            os.unlink(path)
        name = f"{probe}{secrets.token_hex(8)}-é"
        (folder / name).touch(exist_ok=False)
    except OSError:
        return None
    try:
        out = Folding.NOTHING
        if (folder / name.upper()).exists():
            out |= Folding.CASE
        if (folder / unicodedata.normalize("NFD", name)).exists():
            out |= Folding.FORM
    finally:
        try:
            (folder / name).unlink()
        except OSError:
            return None  # tried again at the next opening, which removes it
    return out
