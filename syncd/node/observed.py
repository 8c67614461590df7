"""What monitoring sees of a running node: its metrics, and whether it is ready."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from syncd.metrics.exposition import Registry
from syncd.metrics.node import CourseMeter, NodeMetrics, Seen, Sizes
from syncd.node.course import CourseKeeper, in_thread
from syncd.node.store import Store
from syncd.node.views import Views

_MEASURED_EVERY_S, _FIRST_MEASURED_S = 600.0, 1.0
_HEARD_S = 120.0
"""A view that said nothing for so long (agents do every half minute) is closed, and is not counted."""
_MOST_AT_ONCE = 1_000


class Observed:
    """One service as its monitoring sees it."""

    def __init__(self, store: Store, keepers: Mapping[str, CourseKeeper], views: Views) -> None:
        self._store, self._keepers, self._views = store, keepers, views
        self.metrics = NodeMetrics(self._seen, self._free)

    @property
    def registry(self) -> Registry:
        """All metrics."""
        return self.metrics.registry

    def readiness(self) -> Mapping[str, Any]:
        """Whether students can have every course, in words too."""
        courses = [
            {"name": name, "ready": keeper.kept is not None, "sentence": keeper.status()["sentence"]}
            for name, keeper in self._keepers.items()
        ]
        ready = sum(bool(each["ready"]) for each in courses)
        sentence = f"{ready} of {len(courses)} courses are ready for students."
        return {"ready": ready == len(courses), "sentence": sentence, "courses": courses}

    def reported(self, before: Mapping[str, Any] | None, view: Mapping[str, Any]) -> None:
        """A view said how it is; `before` is what it said last."""
        meter = self.metrics.courses.get(str(view["course"]))
        if meter is None or before is None:
            return  # what it tells may have been counted by a service before this one
        if view["commit"] != before["commit"]:
            meter.shown(view.get("visible_s"))
        more = view.get("beside", 0) - before.get("beside", 0)
        if 0 < more <= _MOST_AT_ONCE:
            meter.conflicts(int(more))

    def settled(self) -> None:
        """The courses may be others than before."""
        for name in self.metrics.courses.keys() - set(self._keepers):
            self.metrics.forget(name)

    async def run(self) -> None:
        """Measure the store now and then, until cancelled."""
        pause = _FIRST_MEASURED_S
        while True:
            await asyncio.sleep(pause)
            self.metrics.measured(await in_thread(self._measure))
            pause = _MEASURED_EVERY_S

    def _measure(self) -> Sizes:
        mirrors = sum(_size_of(self._store.mirror(course)) for course in self._store.courses())
        return Sizes(_size_of(self._store.blobs.root), mirrors)

    def _free(self) -> int:
        facts = os.statvfs(self._store.root)
        return facts.f_bavail * facts.f_frsize

    def _seen(self) -> Iterable[Seen]:
        since = time.time() - _HEARD_S
        by_course: dict[str, list[Mapping[str, Any]]] = {name: [] for name in self.metrics.courses}
        for view in self._views.heard_since(since):
            if view["course"] in by_course:
                by_course[view["course"]].append(view)
        for name, views in by_course.items():
            meter = self.metrics.courses[name]
            behind: Counter[str] = Counter()
            for commit, count in Counter(view["commit"] for view in views).items():
                behind[meter.behind(commit)] += count
            waiting = sum(len(view["waiting"]) for view in views)
            layers = sum(int(view.get("kept_bytes", 0)) for view in views)
            yield Seen(name, {each: behind[each] for each in CourseMeter.DISTANCES}, waiting, layers)


def _size_of(folder: Path) -> int:
    """Bytes of all files in a folder; what goes meanwhile is not counted."""
    size, left = 0, [os.fspath(folder)]
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return size
