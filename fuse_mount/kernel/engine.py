"""The default engine: the kernel's protocol, spoken from Python."""

import contextlib
import resource
from pathlib import Path

from fuse_mount.kernel.mount import MountOptions, close_mount, open_mount
from fuse_mount.kernel.operations import KernelOperations
from fuse_mount.kernel.session import Session
from fuse_mount.overlay import Overlay
from fuse_mount.switch import Stale

_MANY = 500
"""Above so many stale names one message that makes all names be looked up again is cheaper."""


class KernelEngine:
    """Serves one overlay at one folder."""

    def __init__(self, overlay: Overlay, point: Path, options: MountOptions) -> None:
        """Mount and begin to serve.  OSError if no mount can be had."""
        _raise_limit()
        self.point = point
        self._operations = KernelOperations(overlay)
        self.session = Session(open_mount(point, options), self._operations, overlay.lock)
        self.session.start()

    def tell(self, stale: Stale) -> None:
        """Tell the kernel what a switch made wrong.  Not under the overlay's lock."""
        agreement = self.session.agreement
        if agreement is not None and agreement.epochs and len(stale.names) > _MANY:
            self.session.inc_epoch()
        else:
            for parent, name in stale.names:
                self.session.inval_entry(parent, name)
        for folder in stale.folders:
            self.session.inval_inode(folder)

    def serves(self) -> bool:
        """Whether requests are still answered."""
        return not self.session.ended.is_set()

    def wait(self) -> None:
        """Until somebody unmounts it."""
        self.session.ended.wait()

    def close(self) -> None:
        """Take the mount away."""
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
