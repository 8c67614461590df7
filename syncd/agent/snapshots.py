"""The commits that a view needs: found in the node's store, and remembered over restarts of either.

    <folder>/store.json    where the node keeps manifests and blobs
    <folder>/<commit>      a copy of the manifest of the view's base, where the view asks for one

A plain folder keeps a copy: it knows what the student changed even if the node's store was made anew.
An overlay keeps none (it can't show its files without the store anyway, and the node's file is shared by all).
"""

import json
import logging
import os
from pathlib import Path

from syncd.agent.journal import write_durably
from syncd.blobs import BlobFolder, Snapshot
from syncd.core.entry import CommitId
from syncd.core.errors import TryAgain
from syncd.manifest import Manifest
from syncd.node.client import Ready, blobs_through, through

_CLOSED = "The course's files are reached as soon as the node's service runs here; your own are safe."
_log = logging.getLogger(__name__)


class Snapshots:
    """Gives the snapshot of a commit; LookupError if neither the node nor we hold it any more."""

    def __init__(self, folder: Path, door: int | None = None) -> None:
        """Remember in this folder.  `door`: a descriptor of the course's content, if we were started with one."""
        self._folder = folder
        self._store: tuple[Path, Path] | None = None
        self._door: int | None = door
        try:
            raw = json.loads((folder / "store.json").read_bytes())
            self._store = Path(raw["manifests"]), Path(raw["blobs"])
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            _log.warning("%s is damaged and is written anew", folder / "store.json")

    def learn(self, ready: Ready) -> None:
        """Remember where the node keeps things."""
        self._door = ready.door
        if ready.door is not None:
            return  # the next process will have to ask again
        store = ready.manifest.parent, ready.blobs
        if store != self._store:
            self._store = store
            raw = {"manifests": str(store[0]), "blobs": str(store[1])}
            write_durably(self._folder / "store.json", json.dumps(raw).encode())

    def check(self) -> None:
        """TryAgain while nobody has opened the course's content for us."""
        if self._door is None and (self._store is None or not os.access(self._store[0], os.R_OK | os.X_OK)):
            raise TryAgain(_CLOSED)

    def __call__(self, commit: CommitId) -> Snapshot:
        """The snapshot of a commit.  TryAgain while it is only the node that can open it for us."""
        if self._door is not None:
            try:
                return through(self._door, commit)
            except FileNotFoundError:
                if not (self._folder / commit).exists():
                    raise LookupError(commit) from None
                return Snapshot(Manifest(self._folder / commit), blobs_through(self._door))
        if self._store is None:
            raise TryAgain(_CLOSED)
        manifests, blobs = self._store
        for path in (manifests / commit, self._folder / commit):
            try:
                return Snapshot(Manifest(path), BlobFolder(blobs))
            except FileNotFoundError:
                continue
            except PermissionError as error:
                raise TryAgain(_CLOSED) from error
            except (OSError, ValueError):
                _log.warning("%s can't be read", path, exc_info=True)
        raise LookupError(commit)

    def keep_copy(self, commit: CommitId) -> None:
        """Keep a copy of this commit's manifest, and of no other."""
        copy = self._folder / commit
        if not copy.exists():
            write_durably(copy, self(commit).manifest.path.read_bytes())
        for other in self._folder.iterdir():
            if other.name not in (commit, "store.json"):
                other.unlink(missing_ok=True)
