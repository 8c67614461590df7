"""One course of a node: looks at the remote, once per hint or poll, and keeps the newest commit ready."""

import asyncio
import contextlib
import errno
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, TypeVar

from syncd.core.delivery import Push
from syncd.core.entry import CommitId
from syncd.core.errors import NeedsUser, SyncError, TryAgain
from syncd.core.transfer import Transfer
from syncd.git.mirror import Mirror, broken_packs, discard, tidy
from syncd.git.remote import Busy, Damaged, NoBranch, Remote
from syncd.log_fields import about
from syncd.metrics.node import CourseMeter
from syncd.node.changes import Changes, changes
from syncd.node.client import Ready
from syncd.node.config import Course, read_secret
from syncd.node.pace import wait_s
from syncd.node.prepare import prepare
from syncd.node.store import Kept, Store
from syncd.node.versions_seen import said

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_GAP_S = 0.2
"""Between two looks of which the first found nothing new, however many hints come."""


class CourseKeeper:
    """Keeps one course ready.  All methods belong to the event loop; the work itself runs in a thread."""

    def __init__(self, course: Course, store: Store, executor: Executor, poll_s: float, meter: CourseMeter) -> None:
        self.course = course
        self.kept: Kept | None = None
        self.changes: Changes | None = None
        """What `kept` has changed."""
        self.changed = asyncio.Event()
        """Set when a commit became ready, and replaced by a fresh one then."""
        self.ended = False
        self._store = store
        self._executor = executor
        self._poll_s = poll_s
        self._meter = meter
        self._log = about(_log, course=course.name)
        self._committed_at = 0.0
        self._wanted = asyncio.Event()
        self._told: str | None = None
        self._damaged = False
        self._looks = self._fetches = self._failures = self._unseen = self._files = 0
        self._state, self._sentence = "starting", "The course is being fetched for the first time."
        self._branch = course.branch
        token = course.token_file
        self._remote = Remote(course.remote, lambda: read_secret(token) if token else None)

    def hint(self) -> None:
        """Look at the remote now; during a look, once more after it."""
        self._wanted.set()

    def pushed(self, push: Push) -> None:
        """A webhook came: a hint, unless it is about another branch or about what is ready already."""
        if push.branch is not None and self._branch is not None and push.branch != self._branch:
            return
        if push.commit is not None and self.kept is not None and push.commit == self.kept.ready.commit:
            return
        self._meter.told(push.commit, time.time())
        self._told, self._unseen = push.commit, 0
        self._wanted.set()

    async def run(self) -> None:
        """Look until cancelled."""
        await self._start()
        checking = asyncio.create_task(self._check_contents()) if self._store.was_killed else None
        try:
            await self._keep_looking()
        finally:
            if checking is not None:
                checking.cancel()

    async def _keep_looking(self) -> None:
        while True:
            self._wanted.clear()
            before = self.kept
            wish_s, passing = await self._look()
            if self.kept is before and not self._failures and not self._wanted.is_set():
                await self._tidy()  # in a quiet moment: nothing came, and nobody hints
            delay = wait_s(self._poll_s, self._failures, passing=passing, wish_s=wish_s, unseen=self._lagging())
            if self.kept is before:
                await asyncio.sleep(min(_GAP_S, delay))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._wanted.wait()

    async def mend(self) -> int:
        """Check each content of the ready commit against its id and make the wrong ones again; how many were wrong.

        Whoever reads a wrong one meanwhile gets an error instead of wrong bytes.
        """
        name = self.course.name
        wrong = await in_thread(lambda: self._store.mend(name))
        if wrong:
            self._log.warning("%s: %d contents were damaged or missing and are made again", name, len(wrong))
            self._damaged = True
            self.hint()
        return len(wrong)

    async def _check_contents(self) -> None:
        """After a kill or a loss of power, beside all else: a file can have its size and not its content then."""
        try:
            await self.mend()
        except OSError as error:
            self._log.warning("%s: contents can't be checked (%s)", self.course.name, error)

    def end(self) -> None:
        """The course is no longer kept here: whoever follows it is told to come again."""
        self.ended = True
        self.changed.set()

    def status(self) -> dict[str, Any]:
        """The course as `GET /v1/status` shows it."""
        return {
            "name": self.course.name,
            "remote": self.course.remote,
            "branch": self._branch,
            "state": self._state,
            "sentence": self._sentence,
            "commit": self.kept.ready.commit if self.kept else None,
            "ready_at": self.kept.ready.ready_at if self.kept else None,
            "looks": self._looks,
            "fetches": self._fetches,
            "files": self._files,
            "left_out": [f"{one.path} {one.why}" for one in self.kept.left_out] if self.kept else [],
            "recent": said(self.kept.seen) if self.kept else [],
        }

    async def _start(self) -> None:
        """Take up what an earlier service left; finish what it had fetched, even without a network."""
        try:
            kept, files = await in_thread(self._taken_up)
        except (SyncError, OSError) as error:
            self._failed(error)
            return
        if kept is not None:
            self._files = files
            await self._announce(kept)

    def _taken_up(self) -> tuple[Kept | None, int]:
        name = self.course.name
        kept = self._store.ready(name)
        files = sum(1 for _ in kept.ready.snapshot().manifest.files()) if kept else 0
        if self._branch is None or not self._store.mirror(name).is_dir():
            return kept, files
        try:
            if self._store.was_killed and (broken := broken_packs(self._store.mirror(name))):
                raise Damaged(f"{broken[0]} is damaged: the mirror is made anew.")
            mirror = Mirror(self._store.mirror(name))
            tip = mirror.tip(self._branch)
            if tip is not None and (kept is None or kept.ready.commit != tip or not kept.reusable):
                return prepare(self._store, name, mirror, tip, kept, self._executor, self._progress)
        except Damaged as error:
            self._log.warning("%s: %s", name, error)
            discard(self._store.mirror(name))
        return kept, files

    async def _look(self) -> tuple[float | None, bool]:
        """One look; the server's wish to be left alone, and whether trouble passes by itself."""
        self._looks += 1
        self._meter.looked()
        if self.kept is None:
            self._state = "starting"
        try:
            kept, files = await in_thread(self._fetched)
        except (SyncError, OSError) as error:
            return self._failed(error)
        self._failures = 0
        self._unseen += 1
        self._meter.well(time.time())
        self._state, self._sentence = "up_to_date", "Up to date."
        if kept is not None:
            self._files = files
            await self._announce(kept)
        return None, True

    def _fetched(self) -> tuple[Kept | None, int]:
        """Fetch, and prepare what is new; in a thread.  (None, 0) if nothing is new."""
        name = self.course.name
        path = self._store.mirror(name)
        if self._branch is None:
            self._branch = self._remote.default_branch()
            if self._branch is None:
                raise NoBranch(f"The repository at {self.course.remote} is still empty: publish something to it first.")
        for attempt in (1, 2):
            try:
                before = Mirror(path).tip(self._branch)
                began, sizes = time.time(), [0]
                tip = self._remote.fetch(  # only trees count here
                    path, self._branch, depth=0 if before else 1, told=_last_size(sizes)
                )
                self._log.info("%s: fetch %.1f ms", name, (time.time() - began) * 1000)
                mirror = Mirror(path)
                if tip != before:
                    self._fetches += 1
                    self._meter.fetched(began, sizes[0])
                mirror.forget_history(tip)
                return self._made_ready(mirror, tip)
            except Damaged as error:
                if attempt == 2:
                    raise
                # Nothing is only here: the remote has it all, and what is ready lies outside the mirror.
                self._log.warning("%s: %s", name, error)
                discard(path)
        raise AssertionError("unreachable")

    async def _tidy(self) -> None:
        try:
            await in_thread(lambda: tidy(self._store.mirror(self.course.name)))
        except (SyncError, OSError) as error:
            self._failed(error)  # what is ready stays so; the next look finds out what is wrong

    def _made_ready(self, mirror: Mirror, tip: CommitId) -> tuple[Kept | None, int]:
        if self.kept is not None and self.kept.ready.commit == tip and self.kept.reusable and not self._damaged:
            return None, 0
        kept = replace(self.kept, rules=-1) if self._damaged and self.kept else self.kept  # nothing is taken over
        self._damaged = False
        self._committed_at = float(mirror.commit(tip).time)
        return prepare(self._store, self.course.name, mirror, tip, kept, self._executor, self._progress)

    def _progress(self, done: int, total: int) -> None:
        if self.kept is None:
            self._sentence = f"The course is being fetched for the first time: {done:,} of {total:,} files."

    async def _announce(self, kept: Kept) -> None:
        before = self.kept.ready if self.kept else None
        found = await in_thread(lambda: _changes(before, kept.ready))
        # What is ready at a start may have been saved at any time.
        saved_at = self._committed_at if self.kept is not None else None
        self._meter.ready(kept.ready.commit, saved_at, kept.ready.ready_at)
        self.kept, self.changes = kept, found
        if kept.ready.commit == self._told:
            self._told = None
        if self._state == "starting":
            self._state, self._sentence = "up_to_date", "Up to date."
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def _lagging(self) -> int | None:
        """How many looks did not show the commit that a webhook named; None if none is awaited."""
        return max(0, self._unseen - 1) if self._told is not None else None

    def _failed(self, error: SyncError | OSError) -> tuple[float | None, bool]:
        self._failures += 1
        self._meter.failed(error)
        if isinstance(error, OSError):
            error = _of_the_disk(error)
        if self._failures == 1:
            self._log.warning("%s: %s", self.course.name, error, exc_info=error.__cause__)
        passing = isinstance(error, TryAgain)
        self._state, self._sentence = ("offline" if passing else "needs_you"), str(error)
        return (error.after_s if isinstance(error, Busy) else None), passing


def _changes(before: Ready | None, now: Ready) -> Changes | None:
    try:
        return changes(before, now)
    except TryAgain:
        return None  # the one before is collected already


def _last_size(sizes: list[int]) -> Callable[[Transfer], None]:
    def told(far: Transfer) -> None:
        sizes[0] = far.bytes

    return told


def _of_the_disk(error: OSError) -> SyncError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NeedsUser("The disk of the node's store is full: free some space, then it goes on by itself.")
    return NeedsUser(f"The node's store can't be written ({error.strerror or error}): check its disk and its rights.")


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run blocking work in a thread that never keeps the process from ending (its steps survive a kill)."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001  (handed to whoever awaits)
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True, name="node-work").start()
    return await future
