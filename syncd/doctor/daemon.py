"""The publisher: that one runs, that there is no second, and what it says of its folders."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from syncd.doctor.finding import Finding, good, note, problem, warning
from syncd.doctor.place import Here
from syncd.publisher.one_daemon import FolderLock, SecondDaemon, lock_state

_WELL = ("up_to_date", "settling", "pushing")


def running(at: Here) -> Iterator[Finding]:
    """Invariant 10: one publisher, and not two."""
    if not at.state.exists():
        return
    if at.reports is not None:
        yield good("The publisher runs.")
        for folder in at.folders:
            if folder.id not in at.reports:
                yield problem(f"The publisher runs but does not keep {folder.path}; end it and start it again.")
        return
    try:
        lock_state(at.state).release()
    except SecondDaemon as error:
        yield problem(f"{error} But it does not answer: end that process, then start it again.")
        return
    control = at.state / "control.json"
    if control.exists():
        yield warning(f"{control} was left by a publisher that was killed.", partial(_remove, control))
    if not at.folders:
        yield note("The publisher does not run, and has nothing to do yet.")
        return
    for folder in at.folders:
        lock = FolderLock(folder.path)
        try:
            lock.take()
        except SecondDaemon as error:
            yield problem(str(error))
        lock.release()
    yield problem("The publisher does not run; start it: syncd run, or once and for all: syncd service install")


def reports(at: Here) -> Iterator[Finding]:
    """What the publisher itself says."""
    for report in (at.reports or {}).values():
        words = f"{report['folder']}: {report['sentence']}"
        if report["state"] in _WELL:
            yield good(words)
        elif report["state"] in ("offline", "paused"):
            yield warning(words)
        else:
            yield problem(words)


def _remove(path: Path) -> str:
    path.unlink(missing_ok=True)
    return f"{path} is removed."
