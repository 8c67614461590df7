"""The courses of a running service, each with the task that keeps it; they may change while it runs."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from syncd.node.config import Course
from syncd.node.course import CourseKeeper

_log = logging.getLogger(__name__)
_SECOND_TRY_S = 5.0


class Keepers(Mapping[str, CourseKeeper]):
    """The keepers by their courses' names."""

    def __init__(self, make: Callable[[Course], CourseKeeper]) -> None:
        """`make` makes the keeper of a course that is new or was changed."""
        self._make = make
        self._keepers: dict[str, CourseKeeper] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __getitem__(self, name: str) -> CourseKeeper:
        return self._keepers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keepers)

    def __len__(self) -> int:
        return len(self._keepers)

    async def keep(self, courses: Iterable[Course]) -> None:
        """Keep these from now on: those that did not change go on, others end or begin.  One call at a time."""
        wanted = {course.name: course for course in courses}
        for name in [name for name, keeper in self._keepers.items() if wanted.get(name) != keeper.course]:
            await self._end(name)
        for name, course in wanted.items():
            if name not in self._keepers:
                self._keepers[name] = keeper = self._make(course)
                self._tasks[name] = asyncio.create_task(_supervised(keeper))

    async def close(self) -> None:
        """End all."""
        for name in list(self._keepers):
            await self._end(name)

    async def _end(self, name: str) -> None:
        keeper, task = self._keepers.pop(name), self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        keeper.end()


async def _supervised(keeper: CourseKeeper) -> None:
    """Keep a course going whatever happens to it: a fault of ours in one must not end the others."""
    while True:
        try:
            await keeper.run()
        except Exception:  # noqa: BLE001  (the one supervising loop)
            name = keeper.course.name
            _log.exception("%s: an error of ours; it starts again in %s s", name, _SECOND_TRY_S, extra={"course": name})
            await asyncio.sleep(_SECOND_TRY_S)
