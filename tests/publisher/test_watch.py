"""Watching a folder: every kind of change wakes us, and what can't be seen comes out as "look at everything"."""

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify import InotifyObserver

from syncd.core.names import DEEPEST
from syncd.publisher import watch as watching
from syncd.publisher.watch import Watch


class Seen:
    """A watch and all that came out of it."""

    def __init__(self, folder: Path) -> None:
        self._woken = threading.Event()
        self.watch = Watch(folder, self._woken.set)

    def after(self, change: Callable[[], object], *expected: str) -> set[str]:
        """Make a change, and wait until these paths were named (or all may be)."""
        change()
        named: set[str] = set()
        while not set(expected) <= named:
            assert self._woken.wait(8), f"{expected} expected, {named} named"
            self._woken.clear()
            paths, lost = self.watch.take()
            named |= set(paths) | ({"EVERYTHING"} if lost else set())
        return named


@pytest.fixture
def seen(folder: Path) -> Iterator[Seen]:
    (folder / "sub").mkdir()
    (folder / "a").write_text("a")
    seen = Seen(folder)
    yield seen
    seen.watch.close()


def test_of_what_is_too_deep_only_the_outermost_folder_is_named(folder: Path, seen: Seen) -> None:
    deep = "/".join(["d"] * (DEEPEST + 20))
    (folder / deep).mkdir(parents=True)
    outermost = "/".join(["d"] * DEEPEST)
    found = seen.after(lambda: (folder / deep / "file").write_text("x"), outermost)
    assert max(each.count("/") for each in found) == DEEPEST - 1


def test_a_watch_whose_reader_died_is_not_alive(seen: Seen) -> None:
    """As when a tree is so deep that watchdog can't go down: then a new watch is begun."""
    assert seen.watch.alive
    reader = getattr(seen.watch._observer, "_inotify_fd", None)
    if reader is None:
        pytest.skip("this watchdog reads in the threads that it looks after")
    reader.stop()
    reader.join(5)
    assert not seen.watch.alive


def test_every_kind_of_change_is_named(folder: Path, seen: Seen, tmp_path: Path) -> None:
    seen.after(lambda: (folder / "a").write_text("b"), "a")
    seen.after(lambda: (folder / "a").chmod(0o755), "a")
    seen.after(lambda: (folder / "sub/new").write_text("n"), "sub/new")
    seen.after(lambda: os.rename(folder / "a", folder / "sub/b"), "a", "sub/b")
    seen.after(lambda: (folder / "link").symlink_to("x"), "link")
    seen.after(lambda: os.rename(folder / "sub", folder / "sub2"), "sub", "sub2")
    seen.after(lambda: (folder / "sub2/new").unlink(), "sub2/new")
    seen.after(lambda: os.rename(folder / "sub2", tmp_path / "away"), "sub2")
    seen.after(lambda: os.rename(tmp_path / "away", folder / "back"), "back")
    seen.after(lambda: (folder / "back/deep/er").mkdir(parents=True), "back/deep")
    assert seen.watch.alive


def test_a_warning_of_watchdog_means_that_anything_may_have_happened(folder: Path, seen: Seen) -> None:
    (folder / "a").write_text("b")
    seen.after(lambda: logging.getLogger("watchdog.x").warning("Inotify queue overflowed"), "EVERYTHING")


def test_more_paths_than_are_kept_mean_everything(seen: Seen, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(watching, "_MOST", 10)
    named = seen.after(lambda: [seen.watch.note(str(folder / str(n))) for n in range(30)], "EVERYTHING")
    assert len(named) < 30


def test_the_folder_itself_going_away_is_noticed(folder: Path, seen: Seen) -> None:
    (folder / "a").unlink()
    (folder / "sub").rmdir()
    seen.after(folder.rmdir, "EVERYTHING")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_where_the_system_cannot_watch_enough_it_looks_now_and_then(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Full(InotifyObserver):
        def start(self) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(watching, "Observer", Full)
    monkeypatch.setattr(watching, "_POLL_S", 0.05)
    (folder / "a").write_text("a")
    seen = Seen(folder)
    try:
        assert "inotify" in (seen.watch.sentence or "")
        seen.after(lambda: (folder / "a").write_text("longer"), "a")
        seen.after(lambda: (folder / "b").write_text("b"), "b")
    finally:
        seen.watch.close()


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Watch(tmp_path / "none", lambda: None)


def test_nothing_listens_after_a_watch_is_closed(folder: Path) -> None:
    handlers = list(logging.getLogger("watchdog").handlers)
    watch = Watch(folder, lambda: pytest.fail("woken after it was closed"))
    watch.close()
    (folder / "a").write_text("a")
    assert not watch.alive and logging.getLogger("watchdog").handlers == handlers
