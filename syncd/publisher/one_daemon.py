"""One publisher for each state folder, and one for each synced folder, whatever their state folders are.

The locks of synced folders lie with the user, not in the folder: nothing of ours lies there, and
its disk can be taken out.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import platformdirs

from syncd.core.errors import Stop
from syncd.publisher.state_file import Lock, Taken, private_folder


class SecondDaemon(Stop):
    """Another publisher is at work here."""


def lock_state(state: Path) -> Lock:
    """Be the only publisher of a state folder.  SecondDaemon if there is one."""
    try:
        return Lock(private_folder(state) / "publisher.lock", f"process {os.getpid()}")
    except Taken as problem:
        raise SecondDaemon(
            f"Synced Folders runs already ({problem.holder or 'another process'}) with the state in {state}; "
            "`syncd status` shows what it does."
        ) from problem


class FolderLock:
    """Be the only publisher of a folder: by its path, and by its identity under whatever path.

    A folder that is not there yet is locked by its path; `take` again once it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, Lock] = {}

    def take(self) -> None:
        """Take what can be taken.  SecondDaemon if somebody else is at it."""
        for key in _keys(self._folder):
            if key in self._held:
                continue
            try:
                self._held[key] = Lock(_locks() / f"{key}.lock", f"process {os.getpid()}")
            except Taken as problem:
                self.release()
                raise SecondDaemon(
                    f"{self._folder} is synced already by {problem.holder or 'another process'}; "
                    "end that one first, or leave this folder to it."
                ) from problem

    def release(self) -> None:
        """Let others have it."""
        for lock in self._held.values():
            lock.release()
        self._held.clear()


def _keys(folder: Path) -> list[str]:
    path = os.path.realpath(folder)
    out = ["path-" + hashlib.sha256(os.fsencode(os.path.normcase(path))).hexdigest()[:32]]
    try:
        found = os.stat(path)
    except OSError:
        return out
    return [*out, f"folder-{found.st_dev:x}-{found.st_ino:x}"]


def _locks() -> Path:
    try:
        return private_folder(platformdirs.user_state_path("synced-folders") / "locks")
    except Stop:
        user = "user" if sys.platform == "win32" else str(os.getuid())
        return private_folder(Path(tempfile.gettempdir()) / f"synced-folders-locks-{user}")
