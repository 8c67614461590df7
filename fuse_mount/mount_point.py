"""The folder that a view is mounted at.  While nothing is mounted there, programs must not take it for the view.

A mount whose process died may be taken away a moment before the next one is there.  So the folder below is shut
to writers: they get an error, where a file that goes into it would vanish below the next mount.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from fuse_mount.kernel.mount import close_mount, is_dead, is_mounted
from syncd.core.errors import NeedsUser

_log = logging.getLogger(__name__)
_SHUT = 0o555


def prepare(root: Path, known: bool) -> None:
    """An empty folder to mount on; a mount that nobody serves any more is taken away.

    `known`: this view was mounted there before.  Then what lies there got past us into the bare folder (as root, or
    before it was shut), and is put beside it: nobody is kept out of the course for it.  Else NeedsUser.
    """
    if is_dead(root):
        close_mount(root)
    elif is_mounted(root):
        raise NeedsUser(f"Something is mounted at {root} already; unmount it, or choose another folder.")
    try:
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        if any(root.iterdir()):
            if not known:
                raise NeedsUser(
                    f"The folder {root} is not empty; move what is in it elsewhere, or choose another folder."
                )
            _log.warning("%s held files while it was not mounted; they are in %s now", root, _set_aside(root))
            root.mkdir(mode=0o755)
    except FileExistsError as error:
        raise NeedsUser(f"{root} is a file; move it elsewhere, or choose another folder.") from error
    except PermissionError as error:
        raise NeedsUser(f"The folder {root} can't be made or read by this account; choose another folder.") from error


@contextlib.contextmanager
def shut(root: Path) -> Iterator[None]:
    """Mount within: afterwards the folder below the mount takes no more writers."""
    below = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield
        with contextlib.suppress(OSError):  # somebody else's folder, or a disk without rights: then it is as it was
            os.chmod(f"/proc/self/fd/{below}", _SHUT)
    finally:
        os.close(below)


def _set_aside(root: Path) -> Path:
    name = f"{root.name} (written while it was not mounted, {time.strftime('%Y-%m-%d %H%M')})"
    aside, number = root.with_name(name), 1
    while aside.exists():
        number += 1
        aside = root.with_name(f"{name} {number}")
    root.rename(aside)
    aside.chmod(0o755)
    return aside
