"""Bars for long work: how far, sizes, time left.  A module of its own, since it takes a while to load."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from syncd.core.progress import Progress, Told


class _Size(ProgressColumn):
    """The bytes so far, where they are known."""

    def render(self, task: Task) -> Text:
        size = task.fields.get("size")
        return Text("" if size is None else decimal(size), style="dim")


@contextmanager
def bars_on_stderr() -> Iterator[Told]:
    """What long work tells of itself, as one bar for each part of it, on stderr."""
    console = Console(stderr=True)
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Size(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
    known: dict[str, TaskID] = {}

    def told(progress: Progress) -> None:
        if progress.what not in known:
            for other in known.values():
                bars.update(other, visible=False)
            known[progress.what] = bars.add_task(progress.what, total=progress.total)
        bars.update(known[progress.what], completed=progress.done, total=progress.total, size=progress.size)

    with bars:
        yield told
