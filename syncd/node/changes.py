"""What a new version changes, found once for all views of a node."""

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.core.entry import CommitId, RelPath
from syncd.manifest import Manifest, difference
from syncd.node.client import Ready

_MOST, _LONGEST = 2_000, 100_000
"""Paths, and characters of all of them; what changes more is found by each view for itself."""


@dataclass(frozen=True, slots=True)
class Changes:
    """From the version before; each path with `+` (new), `-` (gone) or `~` (another content or mode)."""

    since: CommitId
    paths: Mapping[RelPath, str]


def changes(before: Ready | None, now: Ready) -> Changes | None:
    """What differs between two versions that are ready; None if that is not known, or too much to tell."""
    if before is None or before.commit == now.commit:
        return None
    old: Manifest = before.snapshot().manifest
    found = difference(old, now.snapshot().manifest)
    if len(found) > _MOST or sum(map(len, found)) > _LONGEST:
        return None
    kinds = {path: "+" if change.base is None else "-" if change.now is None else "~" for path, change in found.items()}
    return Changes(before.commit, kinds)
