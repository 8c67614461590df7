"""Whether so much vanished at once that it is rather an accident than a wish (MERGE_SPEC I7).

Files that moved elsewhere did not vanish.  A deletion that comes in several batches within the
window counts as one, unless something was saved in between: then somebody is at work.
"""

from collections import Counter, deque
from collections.abc import Iterable

from syncd.core.entry import BlobId, Entry

FEWEST = 10
"""Below this number of files only emptying the folder counts."""


def vanished(gone: Iterable[Entry], new: Iterable[Entry]) -> int:
    """How many contents are gone that did not turn up under another name."""
    lost: Counter[BlobId] = Counter(entry.blob for entry in gone)
    lost.subtract(entry.blob for entry in new)
    return sum(number for number in lost.values() if number > 0)


class Vanishing:
    """Remembers what went in the last `window_s` seconds, which is part of the same "at once"."""

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        self._went: deque[tuple[float, int]] = deque()

    def too_much(self, now: float, total: int, left: int, gone: int) -> bool:
        """Whether to hold: `total` files before, of which `gone` vanished; `left` files would be left."""
        if not gone:
            return False
        while self._went and self._went[0][0] <= now - self._window_s:
            self._went.popleft()
        before = sum(number for _, number in self._went)
        emptied = left == 0 and gone > 0
        return emptied or (total + before >= FEWEST and 2 * (gone + before) > total + before)

    def worth_counting(self, now: float, gone: int) -> bool:
        """Whether `gone` is anywhere near the limit, so that the files need to be counted."""
        return 2 * (gone + sum(number for at, number in self._went if at > now - self._window_s)) >= FEWEST

    def went(self, now: float, gone: int, saved: int = 0) -> None:
        """A commit took this many away, and brought or changed `saved` files."""
        if saved:
            self._went.clear()
        elif gone:
            self._went.append((now, gone))

    def forget(self) -> None:
        """The person has agreed to all that went."""
        self._went.clear()
