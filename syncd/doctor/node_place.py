"""What the doctor of a node looks at."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.core.errors import Stop, SyncError
from syncd.core.progress import Told, nobody
from syncd.git.mirror import leave_homes_alone
from syncd.node.config import Course, NodeConfig, load_config


@dataclass(frozen=True, slots=True)
class NodeHere:
    """A node's settings and store.  `status` is the running service's; None: none answers."""

    settings: Path | None
    store: Path
    config: NodeConfig | None
    unread: str | None
    """Why the settings can't be read."""
    status: Mapping[str, Any] | None
    ask_to_mend: Callable[[], Mapping[str, int]] | None = None
    """Has the running service make damaged contents again; how many, by course."""
    units: Mapping[Path, str] | None = None
    """The systemd files of this package, by where they belong; None: this machine has no systemd."""
    started: tuple[str, ...] = ()
    no_overlay: str | None = None
    """Why students can't have overlays here."""
    deep: bool = False
    """Read every content and every pack."""
    told: Told = nobody
    homes: tuple[Path, ...] = ()
    """Where people of this machine have theirs."""
    exported: tuple[Path, ...] = ()
    """Folders that this machine gives to others (exports(5))."""

    @property
    def runs(self) -> bool:
        """Whether a service answers, so that the store is not ours to touch."""
        return self.status is not None

    @property
    def courses(self) -> tuple[Course, ...]:
        """Those of the settings."""
        return self.config.courses if self.config else ()

    def holder(self) -> str | None:
        """The process that has the store, in words; None if nobody has."""
        try:
            lock = os.open(self.store / "node.lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            # RACE: a service that starts in this very moment finds the store taken, and is started again by systemd.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        finally:
            os.close(lock)
        return None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the store while it is repaired; what the lock's file says stays.  Stop if a service has it."""
        try:
            lock = os.open(self.store / "node.lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # one that we made would be root's, and keep the service from starting
            raise Stop("No service has ever had this store: start one, it puts right what it finds.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise Stop("A service has the store meanwhile, and puts it right by itself: look again.") from error
        try:
            yield
        finally:
            os.close(lock)


@contextlib.contextmanager
def acting_as_owner(path: Path) -> Iterator[None]:
    """As root, be whom a path belongs to for a while: libgit2 opens no repository of another user's, and rightly so."""
    facts, mine = path.stat(), os.geteuid()
    if mine != 0 or facts.st_uid == 0:
        yield
        return
    leave_homes_alone()
    group = os.getegid()
    os.setegid(facts.st_gid)
    os.seteuid(facts.st_uid)
    try:
        yield
    finally:
        os.seteuid(mine)
        os.setegid(group)


def node_config(settings: Path | None, store: Path) -> tuple[NodeConfig | None, str | None]:
    """The settings, or why they can't be read."""
    if settings is None:
        return NodeConfig(store), None
    try:
        return load_config(settings, store), None
    except SyncError as error:
        return None, str(error)
