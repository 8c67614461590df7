"""A folder at work without its publisher: for commands while none runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.publisher.one_daemon import FolderLock, lock_state
from syncd.publisher.registry import Folder, Registry
from syncd.publisher.settings import author_of
from syncd.publisher.sizes import limits_of
from syncd.publisher.workspace import Workspace


@contextmanager
def alone(state: Path, folder: Folder) -> Iterator[Workspace]:
    """The folder's workspace.  SecondDaemon if a publisher, or another such command, has it."""
    holding = lock_state(state)
    lock = FolderLock(folder.path)
    try:
        lock.take()
        here = Workspace(
            folder.path,
            Registry(state).own(folder.id),
            folder.branch,
            author_of(state),
            subfolder=folder.subfolder,
            limits=limits_of(state),
        )
        try:
            yield here
        finally:
            here.close()
    finally:
        lock.release()
        holding.release()
