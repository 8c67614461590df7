"""What the doctor of an instructor's side looks at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.core.errors import SyncError
from syncd.core.progress import Told, nobody
from syncd.publisher.registry import Folder, Registry


@dataclass(frozen=True, slots=True)
class Here:
    """A state folder with its folders.  `reports` are the running publisher's, by id; None: none runs."""

    state: Path
    folders: tuple[Folder, ...]
    reports: Mapping[str, Mapping[str, Any]] | None
    unread: str | None = None
    """Why the list of folders can't be read."""
    api: str | None = None
    told: Told = nobody

    @property
    def runs(self) -> bool:
        """Whether a publisher runs, so that its history and cache are not ours to touch."""
        return self.reports is not None

    def own(self, folder: Folder) -> Path:
        """The folder's own place in the state folder; it need not be there."""
        return self.state / "folders" / folder.id


def here(
    state: Path, reports: Mapping[str, Mapping[str, Any]] | None, api: str | None = None, told: Told = nobody
) -> Here:
    """Read what can be read of a state folder; nothing is made."""
    folders: tuple[Folder, ...] = ()
    unread = None
    if state.is_dir():
        try:
            folders = Registry(state).folders()
        except SyncError as error:
            unread = str(error)
    return Here(state, folders, reports, unread, api, told)
