"""Blobs as plain files: content-addressed, uncompressed, immutable, shared by all views of a node."""

from dataclasses import dataclass
from pathlib import Path

from syncd.core.entry import BlobId, CommitId
from syncd.manifest import Manifest


@dataclass(frozen=True, slots=True)
class BlobFolder:
    """The folder `blobs/` of a node's store; a blob lies at `ab/cdef...`, mode 0444."""

    root: Path
    door: int | None = None
    """The descriptor that `root` goes through, where no other path leads there: a child must keep it open."""

    def path(self, blob: BlobId) -> Path:
        """Where a blob lies, whether or not it is there yet."""
        return self.root / blob[:2] / blob[2:]

    def read(self, blob: BlobId) -> bytes:
        """A blob's content.  FileNotFoundError if the store does not hold it."""
        return self.path(blob).read_bytes()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit that is ready on this node: its manifest, and the blobs it names."""

    manifest: Manifest
    blobs: BlobFolder

    @property
    def commit(self) -> CommitId:
        """The commit's id."""
        return self.manifest.commit
