"""Going over to a new version at the moment at which somebody asks for something: no update wakes a view.

Whoever posts a version tells all kernels that names and listings may be wrong (`notices`); so the first who looks comes
here, and finds the new tree.  That is done between two requests, without a plan, where the version changes
nothing that the student has; else the agent is asked to merge, and the old version shows until it has.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from fuse_mount.kernel.protocol import INVAL_INODE_OUT, OUT_HEADER, Notify
from fuse_mount.lower import SnapshotLower
from fuse_mount.nodes import ROOT, folder_number
from fuse_mount.overlay import Overlay
from fuse_mount.switch import Stale, unbind
from fuse_mount.touched import Touched, being_written
from syncd.blobs import Snapshot
from syncd.core.entry import RelPath, parents
from syncd.core.errors import SyncError
from syncd.view import Newest, Posted

_log = logging.getLogger(__name__)


class CatchUp:
    """Follows the newest version for one view; `Overlay.catch_up` while it does."""

    def __init__(self, newest: Newest, switch: Callable[[Posted], bool], asked: Callable[[], None]) -> None:
        """`switch`: whether the view shows the version now."""
        self._newest, self._switch, self._asked = newest, switch, asked
        self._tried = 0
        self._refused = 0
        self._still = 0

    def __call__(self) -> None:
        """Before a request, under the overlay's lock."""
        version = self._newest.version
        if version == self._tried:
            return
        self._tried = version
        posted = self._newest.read()
        if posted is not None and not self._still and self._can_switch(posted):
            self._newest.settle(posted, by_itself=True)
        else:
            self._refused = version
            self._asked()

    def at_newest(self) -> bool:
        """Go over now, if that can be done at once; whether the newest version shows.  Under the overlay's lock."""
        posted = self._newest.read()
        if posted is None or self._still or not self._can_switch(posted):
            return False
        self._tried = posted.version
        self._newest.settle(posted, by_itself=True)
        return True

    @property
    def was_refused(self) -> bool:
        """Whether somebody looked since the last version was posted, and was shown the one before."""
        return 0 < self._refused == self._tried

    @contextmanager
    def still(self, overlay: Overlay) -> Iterator[None]:
        """Go nowhere within it."""
        with overlay.lock:
            self._still += 1
        try:
            yield
        finally:
            with overlay.lock:
                self._still -= 1

    def _can_switch(self, posted: Posted) -> bool:
        try:
            return self._switch(posted)
        except (OSError, SyncError, LookupError, ValueError) as problem:
            _log.debug("left to the agent: %s", problem)
            return False


def switch_at_once(overlay: Overlay, to: Snapshot, paths: Mapping[RelPath, str]) -> Stale | None:
    """Show a commit that changes these paths (see `Posted.paths`) and nothing else; None if the student may care.

    Under the overlay's lock.  OSError: nothing has changed.
    """
    layer = overlay.layer
    if layer.waiting or layer.redirects or layer.origins or next(to.manifest.files(), None) is None:
        return None
    touched = Touched(overlay)
    gone = {folder for path, kind in paths.items() if kind == "-" for folder in parents(path)}
    vanished = {folder for folder in gone if to.manifest.find(folder) is None}
    written = being_written(overlay)
    if any(path in written or touched(path) for path in map(os.fsencode, (*paths, *vanished))):
        return None
    with overlay.nodes.passing():
        overlay.hold_open()
        overlay.log.append([("base", to.commit, "")])
        overlay.lower = SnapshotLower(to, overlay.upper.mask)
        overlay.epoch += 1
        stale = Stale()
        unbind(overlay, map(os.fsencode, paths), stale)
    return stale


def notices(paths: Mapping[RelPath, str] | None) -> list[bytes]:
    """What to write to a mount's device so that its kernel looks names up again, and lists what changed anew.

    A folder's number comes from its path, so this is the same for all mounts (but see `numbered_otherwise`).
    """
    out = [OUT_HEADER.pack(OUT_HEADER.size, Notify.INC_EPOCH, 0)]
    folders: set[str] = set()
    for path, kind in (paths or {}).items():
        folders.update(parents(path) if kind != "~" else parents(path)[-1:])
        if kind != "~" or "/" not in path:
            folders.add("")
    for folder in sorted(folders):
        body = INVAL_INODE_OUT.pack(folder_number(os.fsencode(folder)) if folder else ROOT, 0, 0)
        out.append(OUT_HEADER.pack(OUT_HEADER.size + len(body), Notify.INVAL_INODE, 0) + body)
    return out


def numbered_otherwise(overlay: Overlay, folders: Iterable[int]) -> set[int]:
    """Which of these folders `notices` does not reach: the student renamed them, or others of their path were held."""
    nodes = overlay.nodes.by_ino
    return {ino for ino in folders if ino != ROOT and folder_number(nodes[ino].path()) != ino}
