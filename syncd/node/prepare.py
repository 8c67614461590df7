"""Making a commit of the mirror ready: what is shown of it, its blobs, its manifest, in this order."""

import itertools
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

from syncd.core.entry import BlobId, CommitId
from syncd.git.mirror import Mirror
from syncd.manifest import Manifest, write_manifest
from syncd.node.fill import fill, show
from syncd.node.shown import Previous, drop_bad_links, next_time, shown, sizes
from syncd.node.store import Kept, Store
from syncd.node.versions_seen import with_new

_log = logging.getLogger(__name__)


def prepare(
    store: Store,
    course: str,
    mirror: Mirror,
    commit: CommitId,
    previous: Kept | None,
    executor: Executor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Kept, int]:
    """Make a commit ready; what the store then keeps, and the number of files shown.

    Killed anywhere before the last step, the commit before stays the ready one and running again
    finishes; nothing that is done twice does harm.
    """
    with store.gate.preparing():
        return _prepared(store, course, mirror, commit, previous, executor, progress)


def _prepared(
    store: Store,
    course: str,
    mirror: Mirror,
    commit: CommitId,
    previous: Kept | None,
    executor: Executor,
    progress: Callable[[int, int], None],
) -> tuple[Kept, int]:
    began = time.perf_counter()
    before = Manifest(previous.ready.manifest) if previous else None
    told = mirror.commit(commit)
    time_ns = next_time(told.time, time.time_ns(), before)
    reused = Previous(before, previous.left_out) if previous and before and previous.reusable else None
    found = shown(told.tree, mirror.tree, time_ns, reused)
    walked = time.perf_counter()
    aside = store.incoming / course  # one course, one folder: two may bring the same blob at once
    aside.mkdir(exist_ok=True)
    store.begin(course)
    known = fill(store.blobs, aside, (node.id for node in found.unsized), mirror.blob, executor, progress)
    sizes(found.unsized, known)
    drop_bad_links(found, lambda node: store.blobs.read(BlobId(node.id.hex())))
    show(store.blobs, store.course_blobs(course), known, executor)
    filled = time.perf_counter()
    write_manifest(store.manifest(course, commit), commit, found.top, time_ns)
    listed = time.perf_counter()
    seen = with_new(previous.seen if previous else (), mirror, commit)
    kept = store.publish(course, commit, time.time(), found.left_out, seen)
    _log.info(
        "%s: %s ready, %d files, %d new; tree %.1f ms, blobs %.1f ms, manifest %.1f ms, ready %.1f ms",
        *(course, commit, found.files, len(known), *_ms(began, walked, filled, listed, time.perf_counter())),
        extra={"course": course, "commit": commit},
    )
    return kept, found.files


def _ms(*moments: float) -> list[float]:
    return [(after - before) * 1000 for before, after in itertools.pairwise(moments)]
