"""Progress of long work: bars in a terminal, nothing where none is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from syncd.core.progress import Told, nobody


@contextmanager
def progress_bars(quiet: bool = False) -> Iterator[Told]:
    """What long work tells of itself, as one bar for each part of it, on stderr."""
    if quiet or not sys.stderr.isatty():
        yield nobody
        return
    from syncd.cli.bars import bars_on_stderr

    with bars_on_stderr() as told:
        yield told
