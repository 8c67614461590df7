"""Which commits the views of this node still stand on: what the garbage collection must leave alone.

A view that reports a commit stands on it.  While files of it wait for a merge, it may stand on older ones
too (the merge's base), so those stay pinned until it reports that nothing waits.  Kept on disk: a student
who comes back after the holidays still finds the ground under the folder.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from syncd.core.entry import CommitId
from syncd.node.durable import write_durably

_log = logging.getLogger(__name__)
FORGOTTEN_S = 400 * 86_400.0
"""A view unheard of for so long (seconds) pins nothing any more."""
_MOST_COMMITS = 200
_HEX = set("0123456789abcdef")

Who = tuple[int, str, str]
"""The uid that reported, the user, the course."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What one view stands on, newest last, and when it said so (seconds since the epoch)."""

    commits: tuple[CommitId, ...]
    seen: float


class Pins:
    """All pins of a node.  `note` is cheap; `save` writes if something changed."""

    def __init__(self, file: Path) -> None:
        """Read what is there.  A damaged file is put aside, and `damaged` says that nothing may be collected yet."""
        self._file = file
        self._pins: dict[Who, Pin] = {}
        self._changed = False
        self._saving = Lock()
        self.damaged = False
        try:
            for uid, user, course, commits, seen in json.loads(file.read_bytes())["views"]:
                self._pins[int(uid), str(user), str(course)] = Pin(tuple(map(CommitId, commits)), float(seen))
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            _log.warning("%s is damaged and is begun anew; nothing is collected for a while", file)
            self.damaged = True

    def note(self, who: Who, commit: object, waits: bool, now: float) -> None:
        """A view reported where it stands."""
        if not isinstance(commit, str) or len(commit) != 40 or not set(commit) <= _HEX:
            return
        before = self._pins.get(who)
        held = tuple(each for each in before.commits if each != commit) if before is not None and waits else ()
        pin = Pin((*held[-_MOST_COMMITS:], CommitId(commit)), now)
        self._changed |= before is None or before.commits != pin.commits or now - before.seen > 86_400
        self._pins[who] = pin

    def by_course(self, now: float) -> Mapping[str, set[CommitId]]:
        """The commits that are stood on, by course; views unheard of for too long are forgotten."""
        for who in [who for who, pin in self._pins.items() if now - pin.seen > FORGOTTEN_S]:
            del self._pins[who]
            self._changed = True
        found: dict[str, set[CommitId]] = {}
        for (_, _, course), pin in self._pins.items():
            found.setdefault(course, set()).update(pin.commits)
        return found

    def save(self) -> None:
        """Make what changed durable.  OSError if the disk refuses; it is tried again at the next call.

        Any thread: those who save at once wait for one another, while `note` goes on.
        """
        with self._saving:
            if not self._changed:
                return
            self._changed = False  # first: what is noted from here on may not be in the copy, and is saved next time
            views = [[*who, list(pin.commits), pin.seen] for who, pin in list(self._pins.items())]
            try:
                write_durably(self._file, json.dumps({"views": views}).encode())
            except OSError:
                self._changed = True
                raise
