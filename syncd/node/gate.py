"""Any number of preparations, or one collection: a blob that is found there must still be there when it is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Gate:
    """One per store."""

    def __init__(self) -> None:
        self._free = Condition()
        self._preparing = 0
        self._collecting = False

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Blocks while a collection runs (seconds at most)."""
        with self._free:
            self._free.wait_for(lambda: not self._collecting)
            self._preparing += 1
        try:
            yield
        finally:
            with self._free:
                self._preparing -= 1
                self._free.notify_all()

    @contextmanager
    def collecting(self) -> Iterator[bool]:
        """Whether it may begin; it never waits for a preparation, which may take minutes."""
        with self._free:
            begins = not self._preparing and not self._collecting
            self._collecting = begins or self._collecting
        try:
            yield begins
        finally:
            if begins:
                with self._free:
                    self._collecting = False
                    self._free.notify_all()
