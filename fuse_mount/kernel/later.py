"""What a handler must not do itself, because the kernel may be waiting for its answer, or need not do at once."""

import queue
import threading
from collections.abc import Callable

_PATIENCE_S = 2.0


class Later:
    """One thread, begun at the first need, that does what it is given in order."""

    def __init__(self) -> None:
        """Nothing is to be done yet."""
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, job: Callable[[], None]) -> None:
        """Have it done soon, by another thread; it must not raise."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="fuse-later", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def end(self) -> None:
        """Do what is left, and no more: afterwards a descriptor's number may be another's."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while job := self._jobs.get():
            job()
