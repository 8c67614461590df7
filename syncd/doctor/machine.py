"""The machine: room on its disks, and how many folders may be watched."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from syncd.doctor.finding import Finding, good, problem, warning
from syncd.doctor.place import Here

_MB = 1_000_000
_NEEDED, _WISHED = 100 * _MB, 1000 * _MB
_LIMITS = Path("/proc/sys/fs/inotify")


def folders(at: Here) -> Iterator[Finding]:
    """Each folder is there, and may be read and written."""
    for folder in at.folders:
        path = folder.path
        try:
            is_folder = path.is_dir()
        except OSError as error:
            yield problem(f"{path} can't be reached ({error.strerror}); mend its disk or mount, then it goes on.")
            continue
        if not is_folder:
            yield problem(f"{path} is not there; connect its disk or move it back. Nothing is deleted anywhere.")
        elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            yield problem(f"{path} may not be read and written; give yourself the right to: chmod u+rwx “{path}”")
        else:
            yield good(f"{path} is there and may be written.")


def disks(at: Here) -> Iterator[Finding]:
    """Room for what is to come."""
    seen: set[int] = set()
    for path in [at.state, *(folder.path for folder in at.folders)]:
        try:
            device, free = path.stat().st_dev, shutil.disk_usage(path).free
        except OSError:
            continue  # not there: told elsewhere
        if device in seen:
            continue
        seen.add(device)
        words = f"{free // _MB:,} MB are free on the disk of {path}"
        if free < _NEEDED:
            yield problem(f"Only {words}: remove something, or nothing can be saved any more.")
        elif free < _WISHED:
            yield warning(f"Only {words}: make some room.")
        else:
            yield good(f"{words}.")
        if hasattr(os, "statvfs") and 0 < os.statvfs(path).f_favail < 1000:
            yield problem(f"The disk of {path} has no room for more files (inodes): remove some.")


def watching(at: Here) -> Iterator[Finding]:
    """inotify(7): one watch for each folder, of a number that the system limits."""
    if sys.platform != "linux" or not at.folders:
        return
    most = inotify_limit("max_user_watches")
    needed = sum(1 for folder in at.folders for _ in os.walk(folder.path))
    if most is None:
        return
    if needed > most * 0.8:
        yield warning(
            f"{needed:,} folders are to be watched, and the system allows {most:,} watches: as root, "
            f"sysctl fs.inotify.max_user_watches={needed * 4}. Until then changes are noticed later."
        )
    else:
        yield good(f"{needed:,} folders are watched; the system allows {most:,}.")
    instances, used = inotify_limit("max_user_instances"), _instances()
    if instances is not None and used >= instances - 1:
        yield warning(
            f"Your programs use {used} of {instances} inotify instances: end some, or as root, "
            f"sysctl fs.inotify.max_user_instances={instances * 4}."
        )


def inotify_limit(name: str) -> int | None:
    """One of the limits in /proc/sys/fs/inotify; None where there is none."""
    try:
        return int((_LIMITS / name).read_text())
    except (OSError, ValueError):
        return None


def _instances() -> int:
    count = 0
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            count += os.readlink(entry) == "anon_inode:inotify" and entry.lstat().st_uid == os.geteuid()
        except OSError:
            continue  # another user's, or gone
    return count
