"""The default engine: the kernel's protocol, spoken from Python."""

import contextlib
import random
import resource
import threading
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path

from fuse_mount.apart import apart
from fuse_mount.handover import Handed, Handover
from fuse_mount.held import Held
from fuse_mount.inode import Folder
from fuse_mount.keeper import Kept, keep
from fuse_mount.kernel.mount import MountOptions, close_mount, open_mount
from fuse_mount.kernel.operations import KernelOperations
from fuse_mount.kernel.session import Session, after_listing
from fuse_mount.nudge import Watchers, device_of, nudge
from fuse_mount.overlay import Overlay
from fuse_mount.successor import Taken
from fuse_mount.switch import Stale

_START_S = 5.0
_NUDGED_AFTER_S = 0.02, 0.4


class KernelEngine:
    """Serves one overlay at one folder."""

    def __init__(self, overlay: Overlay, point: Path, options: MountOptions, taken: Taken | None = None) -> None:
        """Mount and begin to serve, or go on with what was taken over.  OSError if no mount can be had."""
        _raise_limit()
        self.point = point
        self._overlay = overlay
        self._handover: Handover | Kept | None = None
        self._device: int | None = None
        self._watchers = Watchers()
        if taken is None:
            self._held = overlay.nodes.held = Held()
            device = open_mount(point, options)
        else:
            self._held, device = taken.held, taken.device
        self._operations = KernelOperations(overlay, self._held)
        self.session = Session(device, self._operations, overlay.lock, self._held)
        self.session.start()
        for folder in taken.folders if taken else ():
            self.session.inval_inode(folder)  # an update may have been finished in between

    def keep_for_successor(
        self, state: Path, stand_in: Callable[[Handed], None] | None, kept: Iterable[int] = ()
    ) -> None:
        """From now on, if this process dies, the mount goes on.

        Whoever started us keeps it for our successor, if it keeps mounts (see `keeper`).  Else a child does,
        in which `stand_in` (None: nobody) serves until a successor claims it; `kept` are descriptors that this needs.
        Nothing happens where the kernel can't ask a successor what the dead process left unanswered (before 7.44).
        """
        self.session.ready.wait(_START_S)
        agreement = self.session.agreement
        if agreement is not None and agreement.resends:
            handed = Handed(self.session.fd, self._held.fd)
            self._handover = keep(state, handed)
            if self._handover is None and stand_in is not None:
                self._handover = Handover(state, handed, stand_in, kept)
        if self._handover is None:
            with self._overlay.lock:
                self._overlay.nodes.held = None

    def tell(self, stale: Stale) -> None:
        """Tell the kernel what a switch made wrong.  Not under the overlay's lock."""
        amid = self._operations.listings.under_way(stale.folders)
        if self._can_look_up_again():
            if stale.names:
                self.session.inc_epoch()
        else:
            for parent, name in stale.names:
                self.session.inval_entry(parent, name)
        self._list_anew(stale.folders, amid)

    def tell_unheard(self, stale: Stale, otherwise: Collection[int]) -> None:
        """After a switch of which the kernel was told before, all folders by the numbers of their paths.

        `otherwise`: those of the folders that have another number.
        """
        amid = self._operations.listings.under_way(stale.folders)
        if amid or otherwise:
            self._operations.opening.later.do(partial(self._list_anew, otherwise, amid))

    def tell_all(self, folders: Collection[int]) -> None:
        """Have the kernel look all names up again, and list these folders anew.  Not under the overlay's lock."""
        amid = self._operations.listings.under_way(folders)
        self.session.inc_epoch()
        self._list_anew(folders, amid)

    def _can_look_up_again(self) -> bool:
        agreement = self.session.agreement
        return agreement is not None and agreement.epochs

    def _list_anew(self, folders: Collection[int], amid: Collection[int]) -> None:
        """`amid`: of which an answer was under way before the kernel was told, though it may have been read since."""
        for folder in folders:
            self.session.inval_inode(folder)
        if amid and self._can_look_up_again():
            device = self.session.fd
            apart(partial(after_listing, device, amid), device)

    def nudge(self, stale: Stale) -> None:
        """Let programs that watch folders know of what a switch changed; the switch does not wait for it."""
        if not stale.names:
            return  # the kernel knows of nothing that changed, so nobody watches it
        threading.Thread(target=self._nudge, args=(stale,), name="fuse-nudge", daemon=True).start()

    def _nudge(self, stale: Stale) -> None:
        # Looking for who watches costs what runs on the machine: a class's folders are all switched first.
        time.sleep(random.uniform(*_NUDGED_AFTER_S))
        if self._device is None:
            self._device = device_of(self.point)
        watching = self._watchers.watched(self._device) if self._device is not None else set()
        folders = watching & {parent for parent, _ in stale.names}
        if not folders:
            return
        names: dict[bytes, list[bytes]] = {}
        with self._overlay.lock:
            nodes = {ino: self._overlay.nodes.by_ino.get(ino) for ino in folders}
            for parent, name in sorted(stale.names):
                node = nodes.get(parent)
                if isinstance(node, Folder) and not node.gone:
                    names.setdefault(node.path(), []).append(name)
        nudge(self.point, names)

    def serves(self) -> bool:
        """Whether requests are still answered."""
        return not self.session.ended.is_set()

    def wait(self) -> None:
        """Until somebody unmounts it."""
        self.session.ended.wait()

    def let_go(self) -> None:
        """From now on nobody stands in for this process."""
        if self._handover is not None:
            self._handover.end()
            self._handover = None

    def close(self) -> None:
        """Take the mount away."""
        self.let_go()
        close_mount(self.point)
        if not self.session.ended.wait(2.0):
            # Somebody is still inside.  He gets errors from now on: the state may be another process's soon.
            self.session.refuse()


def _raise_limit() -> None:
    """Each file that somebody has open in the mount may need a descriptor here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
