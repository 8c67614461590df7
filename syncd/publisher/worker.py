"""A thread of one's own for blocking work, which does not keep the process from ending."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Worker:
    """Does jobs one after the other.  A daemon thread: what it does must bear being killed, as ours does."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def do(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """The work's result.  Cancelled while it waits or runs, the work is done all the same."""
        future: asyncio.Future[_T] = self._loop.create_future()
        self._jobs.put((lambda: work(*arguments), future))
        return await future

    def close(self) -> None:
        """End after the jobs that are there; does not wait for that."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, future = job
            try:
                result = work()
            except BaseException as problem:  # noqa: BLE001  (handed to whoever waits)
                self._tell(future, None, problem)
            else:
                self._tell(future, result, None)

    def _tell(self, future: "asyncio.Future[Any]", result: object, problem: BaseException | None) -> None:
        def tell() -> None:
            if future.done():
                return
            if problem is not None:
                future.set_exception(problem)
            else:
                future.set_result(result)

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return
