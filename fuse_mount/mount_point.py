"""The folder that a view is mounted at.  While nothing is mounted there, programs must not take it for the view.

A mount whose process died may be taken away a moment before the next one is there.  So the folder below is shut
to writers: they get an error, where a file that goes into it would vanish below the next mount.  Not all can be kept
out (root; and fusermount3 mounts only where its caller may write), so what got there is put beside the mount.
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
_SHUT, _OPEN = 0o555, 0o755


def prepare(root: Path, known: bool) -> None:
    """A folder to mount on; a mount that nobody serves any more is taken away.

    `known`: this view was mounted there before, so what lies there is no reason to keep anybody out of the course (see
    `shut`).  Else NeedsUser if it is not empty.
    """
    if is_dead(root):
        close_mount(root)
    elif is_mounted(root):
        raise NeedsUser(f"Something is mounted at {root} already; unmount it, or choose another folder.")
    try:
        root.mkdir(mode=_SHUT if known else _OPEN, parents=True, exist_ok=True)
        if not known and any(root.iterdir()):
            raise NeedsUser(f"The folder {root} is not empty; move what is in it elsewhere, or choose another folder.")
    except FileExistsError as error:
        raise NeedsUser(f"{root} is a file; move it elsewhere, or choose another folder.") from error
    except PermissionError as error:
        raise NeedsUser(f"The folder {root} can't be made or read by this account; choose another folder.") from error


@contextlib.contextmanager
def shut(root: Path) -> Iterator[None]:
    """Mount within: the folder below takes no writers, and what is in it is put beside afterwards."""
    below = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    bare = f"/proc/self/fd/{below}"
    try:
        with contextlib.suppress(OSError):  # somebody else's folder, or a disk without rights: then it is as it was
            os.chmod(bare, _SHUT)
        yield
        with contextlib.suppress(OSError):
            os.chmod(bare, _SHUT)
        _clear(bare, root)
    finally:
        os.close(below)


def _clear(bare: str, root: Path) -> None:
    try:
        names = os.listdir(bare)
        if names:
            aside = _set_aside(bare, names, root)
            _log.warning("%s held files while it was not mounted; they are in %s now", root, aside)
    except OSError as problem:
        _log.warning("%s held files while it was not mounted, which stay below the mount (%s)", root, problem.strerror)


def _set_aside(bare: str, names: list[str], root: Path) -> Path:
    aside = name = root.with_name(f"{root.name} (written while it was not mounted, {time.strftime('%Y-%m-%d %H%M')})")
    number = 1
    while aside.exists():
        number += 1
        aside = name.with_name(f"{name.name} {number}")
    aside.mkdir(mode=_OPEN)
    os.chmod(bare, _OPEN)  # nobody finds it below the mount
    try:
        for one in names:
            os.rename(f"{bare}/{one}", aside / one)
    finally:
        os.chmod(bare, _SHUT)
    return aside
