"""Events of the file system, by watchdog.  The handler only notes a path; who reads them decides.

Lost events (overflow, a watcher that failed) come out as "look at everything".
"""

import errno
import logging
import os
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable
from pathlib import Path

from watchdog import events
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from syncd.core.entry import RelPath
from syncd.core.names import DEEPEST

_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
    # Changed rights are events of their own since watchdog 7, before that they count as modified.
    *(getattr(events, name) for name in ("FileAttribEvent", "DirAttribEvent") if hasattr(events, name)),
]
_POLL_S = 5.0
# Folders that are renamed make watchdog warn of a watch that it replaces rightly.
warnings.filterwarnings("ignore", category=RuntimeWarning, message="Callback with id")
_MOST = 50_000
"""Paths kept for the reader; more mean "look at everything"."""
_DEEPEST = 5_000
"""Before Python 3.12 watchdog needs a call for each folder above one; a path holds about 2,000 of them."""


class Watch:
    """Watches one folder until `close`.  `wake` is called from another thread when the first event is there."""

    def __init__(self, folder: Path, wake: Callable[[], None]) -> None:
        """Start watching; slow for many folders, so not on the event loop.  FileNotFoundError if it is gone."""
        self._top = os.path.realpath(folder)
        self._wake = wake
        self._lock = threading.Lock()
        self._paths: deque[RelPath] = deque()
        self._lost = False
        self.sentence: str | None = None
        """Why watching is slower than it could be, for people."""
        self._listener = _Listener(self)
        logging.getLogger("watchdog").addHandler(self._listener)
        self._observer = self._start()

    def take(self) -> tuple[list[RelPath], bool]:
        """The paths that had events since the last call, and whether some may be missing."""
        with self._lock:
            paths, lost = list(self._paths), self._lost
            self._paths.clear()
            self._lost = False
        return paths, lost

    @property
    def alive(self) -> bool:
        """Whether events can still come."""
        # watchdog 7 reads in a thread of its own, which nobody else looks after.
        reader = getattr(self._observer, "_inotify_fd", self._observer)
        threads = (self._observer, *self._observer.emitters, reader)
        return all(thread.is_alive() for thread in threads)

    def lose(self) -> None:
        """Some events are missing."""
        with self._lock:
            first = not self._paths and not self._lost
            self._lost = True
            self._paths.clear()
        if first:
            self._wake()

    def note(self, path: str | bytes) -> None:
        """Something happened at an absolute path."""
        text = os.fsdecode(path)
        if text == self._top:  # the folder itself went away, or its rights changed
            self.lose()
            return
        if not text.startswith(self._top + os.sep):
            return
        below = text[len(self._top) + 1 :].replace(os.sep, "/")
        if below.count("/") >= DEEPEST:  # of what lies too deep only the outermost is looked at
            below = "/".join(below.split("/", DEEPEST)[:DEEPEST])
        with self._lock:
            if self._lost:
                return
            first = not self._paths
            self._paths.append(RelPath(below))
            if len(self._paths) > _MOST:
                self._paths.clear()
                self._lost = True
        if first:
            self._wake()

    def close(self) -> None:
        """Stop watching."""
        logging.getLogger("watchdog").removeHandler(self._listener)
        self._observer.stop()
        if self._observer.is_alive():
            self._observer.join(5)

    def _start(self) -> BaseObserver:
        handler = _Handler(self)
        sys.setrecursionlimit(max(sys.getrecursionlimit(), _DEEPEST))
        observer = Observer()
        try:
            observer.schedule(handler, self._top, recursive=True, event_filter=_EVENTS)
            observer.start()
        except OSError as problem:
            _end(observer)
            if problem.errno not in (errno.ENOSPC, errno.EMFILE):
                raise
            self.sentence = (
                "There are more folders than this system watches at once, so changes are noticed some seconds later; "
                "whoever runs it can raise fs.inotify.max_user_watches and max_user_instances."
            )
            slow = PollingObserver(timeout=_POLL_S)
            slow.schedule(handler, self._top, recursive=True, event_filter=_EVENTS)
            slow.start()
            return slow
        return observer


class _Handler(FileSystemEventHandler):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def dispatch(self, event: FileSystemEvent) -> None:
        self._watch.note(event.src_path)
        if event.dest_path:
            self._watch.note(event.dest_path)


class _Listener(logging.Handler):
    """watchdog tells of an overflow in its log only; whatever it warns of, events may be missing."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.WARNING)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        self._watch.lose()


def _end(observer: BaseObserver) -> None:
    observer.unschedule_all()
    if observer.is_alive():
        observer.stop()
        observer.join(5)
