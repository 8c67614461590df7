"""Garbage collection of a node's store: manifests nobody stands on, and blobs that no manifest names.

A manifest's time of change is when it was last known to be needed: each collection touches what is
(the ready commit, and what a view is pinned to).  What was not touched for `keep_s` goes; then the blobs
that no manifest left names, if they too are that old.  A blob that is open somewhere stays readable there.
"""

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from syncd.core.entry import CommitId
from syncd.git.mirror import discard
from syncd.manifest import Manifest
from syncd.node.store import Store

_log = logging.getLogger(__name__)
KEEP_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed."""

    manifests: int = 0
    blobs: int = 0
    bytes: int = 0


def collect(
    store: Store, courses: Collection[str], needed: Mapping[str, set[CommitId]], now: float, keep_s: float = KEEP_S
) -> Collected:
    """Collect; under the gate, and under the store's lock.

    `needed` are the commits that views stand on, by course; the ready ones of `courses`, which are
    followed, are added.  A manifest that can't be read keeps every blob: nobody knows what it names.
    """
    removed, whole = 0, True
    named = {course: set[bytes]() for course in store.courses()}
    for course in named:
        ready = store.ready_commit(course)
        keep = needed.get(course, set()) | ({ready} if ready and course in courses else set())
        left = 0
        for place in store.manifests(course):
            if place.name in keep:
                os.utime(place, (now, now))
            elif place.stat().st_mtime < now - keep_s:
                place.unlink()
                removed += 1
                continue
            left += 1
            try:
                named[course].update(record.id for _, record in Manifest(place).files())
            except (OSError, ValueError):
                _log.warning("%s can't be read; no content is collected until it is made anew", place)
                whole = False
        if not left and course not in courses:
            discard(store.mirror(course).parent)
    if not whole:
        return Collected(removed)
    for course, its in named.items():
        _remove_unnamed(store.course_blobs(course).root, its, now - keep_s)
    blobs, size = _remove_unnamed(store.blobs.root, set().union(*named.values()), now - keep_s)
    return Collected(removed, blobs, size)


def _remove_unnamed(top: Path, named: set[bytes], before: float) -> tuple[int, int]:
    count = size = 0
    if not top.is_dir():
        return 0, 0
    for folder in os.scandir(top):
        if not folder.is_dir(follow_symlinks=False) or len(folder.name) != 2:
            continue
        for file in os.scandir(folder.path):
            try:
                if bytes.fromhex(folder.name + file.name) in named:
                    continue
            except ValueError:
                continue
            facts = file.stat(follow_symlinks=False)
            if facts.st_mtime < before:
                os.unlink(file.path)
                count, size = count + 1, size + facts.st_size
    return count, size
