"""The commits that a view needs: found in the node's store, and remembered over restarts of either.

    <folder>/store.json    where the node keeps manifests and blobs
    <folder>/<commit>      a copy of the manifest of the view's base, where the view asks for one

A plain folder keeps a copy: it knows what the student changed even if the node's store was made anew.
An overlay keeps none (it can't show its files without the store anyway, and the node's file is shared by all).
"""

import json
import logging
from pathlib import Path

from syncd.agent.journal import write_durably
from syncd.blobs import BlobFolder, Snapshot
from syncd.core.entry import CommitId
from syncd.manifest import Manifest
from syncd.node.client import Ready

_log = logging.getLogger(__name__)


class Snapshots:
    """Gives the snapshot of a commit; LookupError if neither the node nor we hold it any more."""

    def __init__(self, folder: Path) -> None:
        """Remember in this folder."""
        self._folder = folder
        self._store: tuple[Path, Path] | None = None
        try:
            raw = json.loads((folder / "store.json").read_bytes())
            self._store = Path(raw["manifests"]), Path(raw["blobs"])
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            _log.warning("%s is damaged and is written anew", folder / "store.json")

    def learn(self, ready: Ready) -> None:
        """Remember where the node keeps things."""
        store = ready.manifest.parent, ready.blobs
        if store != self._store:
            self._store = store
            raw = {"manifests": str(store[0]), "blobs": str(store[1])}
            write_durably(self._folder / "store.json", json.dumps(raw).encode())

    def __call__(self, commit: CommitId) -> Snapshot:
        """The snapshot of a commit."""
        if self._store is None:
            raise LookupError(commit)
        manifests, blobs = self._store
        for path in (manifests / commit, self._folder / commit):
            try:
                return Snapshot(Manifest(path), BlobFolder(blobs))
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                _log.warning("%s can't be read", path, exc_info=True)
        raise LookupError(commit)

    def keep_copy(self, commit: CommitId) -> None:
        """Keep a copy of this commit's manifest, and of no other."""
        copy = self._folder / commit
        if not copy.exists() and self._store is not None:
            write_durably(copy, (self._store[0] / commit).read_bytes())
        for other in self._folder.iterdir():
            if other.name not in (commit, "store.json"):
                other.unlink(missing_ok=True)
