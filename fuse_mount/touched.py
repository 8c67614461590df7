"""What of a commit's changes may concern what the student has, or is about to have."""

from fuse_mount.overlay import Overlay


def being_written(overlay: Overlay) -> set[bytes]:
    """Where files are open for writing: from one of the course's nothing may have been copied up yet."""
    return {node.path() for node in overlay.writing if not node.gone}


class Touched:
    """Whether the student may have changed a path: quick, and right when it says no."""

    def __init__(self, overlay: Overlay) -> None:
        """Under the overlay's lock, as long as nothing changes."""
        self._upper = overlay.upper
        layer = overlay.layer
        self._records = layer.hidden | layer.redirects.keys()
        self._names: dict[bytes, dict[bytes, bool]] = {}

    def __call__(self, path: bytes) -> bool:
        """Whether there is a record or an upper entry at the path, or a file of the upper above it."""
        at = path
        while self._records and at:
            if at in self._records:
                return True
            at = at.rpartition(b"/")[0]
        folder = b""
        for name in path.split(b"/"):
            if folder not in self._names:
                self._names[folder] = dict(self._upper.names(folder))
            is_folder = self._names[folder].get(name)
            if is_folder is None:
                return False
            folder = folder + b"/" + name if folder else name
            if not is_folder:
                return True
        return True
