"""Keep one course's folder in step with the node: follow, update, retry what waits, watch over the mount.

The folder's work is done by one thread of its own, one thing after another; the event loop only waits.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from syncd.agent.keeper import Keeper, sentence_of
from syncd.agent.news import News
from syncd.agent.soft_limit import Kept, SoftLimit
from syncd.agent.update import Report, State, gone_over
from syncd.core.errors import NeedsUser, Stop, SyncError, TryAgain
from syncd.log_fields import about
from syncd.node.client import NodeClient, Ready
from syncd.view import Posted

_log = logging.getLogger(__name__)
_FIRST_TRY_S, _LONGEST_TRY_S = 0.2, 15.0
_GUARD_S = 3.0
_SETTLED_WITHIN_S = 10.0
_SHOWN_NOTES = 20
_PAUSED = "Paused: no new versions come until you let them."
_FIRST_MEASURED_S, _MEASURED_EVERY_S = 30.0, 600.0

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Follower:
    """One course.  `run` until cancelled, then `close`; `changed` is set whenever `status` says something new."""

    def __init__(
        self,
        course: str,
        user: str,
        keeper: Keeper,
        node: NodeClient,
        retry_s: float,
        shown: Callable[[], None] | None = None,
        limit: SoftLimit | None = None,
        news: News | None = None,
    ) -> None:
        """A waiting merge is tried again after `retry_s`.

        `shown` is called when the folder is there first; `limit`: what the student may keep before `status` says so;
        `news`: where somebody posts new versions, so that the node need not be asked for them.
        """
        self.course = course
        self.changed = asyncio.Event()
        self._user, self._keeper, self._node = user, keeper, node
        self._log = about(_log, course=course, user=user)
        self._retry_s = max(retry_s, _FIRST_TRY_S)
        self._shown, self._limit, self._news = shown, limit, news
        self._posted: Posted | None = None
        self._told, self._settled_to = asyncio.Event(), asyncio.Event()
        self._told.set()
        self._measured_at = time.monotonic() - _MEASURED_EVERY_S + _FIRST_MEASURED_S
        self._kept: Kept | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"view-{course}")
        self._wake = asyncio.Event()
        self._ready: Ready | None = None
        self._report: Report | None = None
        self._said = ""
        self._trouble: SyncError | None = None
        self._away: str | None = None
        self._updated_at = self._began = time.time()
        self._visible_s: float | None = None
        self._beside = 0
        self.paused = keeper.paused

    @property
    def root(self) -> Path:
        """Where the folder is."""
        return self._keeper.root

    def status(self) -> dict[str, Any]:
        """The view as the node and the commands are told of it."""
        self._switched_by_itself()
        state, sentence = self._standing()
        return {
            "user": self._user,
            "course": self.course,
            "kind": self._keeper.kind,
            "root": str(self._keeper.root),
            "commit": self._keeper.commit,
            "waiting": list(self._report.waiting) if self._report else [],
            "state": state,
            "sentence": sentence,
            "updated_at": self._updated_at,
            "notes": self._keeper.notes[-_SHOWN_NOTES:],
            "visible_s": self._visible_s,
            "beside": self._beside,
            "kept_bytes": self._kept.bytes if self._kept else None,
        }

    def _standing(self) -> tuple[str, str]:
        if isinstance(self._trouble, NeedsUser):
            return State.NEEDS_YOU.value, str(self._trouble)
        if self.paused:
            return "paused", _PAUSED
        if self._away is not None:
            return "offline", self._away
        if self._trouble is not None:
            return State.WAITING.value, str(self._trouble)
        if self._report is None:
            return State.WAITING.value, "The course has not arrived yet; it does as soon as the node has it."
        return self._report.state.value, " ".join(
            filter(None, (self._report.sentence, self._kept.too_much if self._kept else None))
        )

    async def open(self) -> None:
        """Open the folder.  Stop if another agent has it; other trouble is told by `status` and tried again."""
        if self._news is not None:
            loop = asyncio.get_running_loop()
            self._keeper.follow(self._news, lambda: _later(loop, self._told.set))
        await self._attempt(self._keeper.open)
        self._tell_if_shown()

    async def run(self) -> None:
        """Follow and update until cancelled."""
        parts = [asyncio.create_task(self._supervised(part)) for part in (self._follow, self._update, self._guard)]
        try:
            await asyncio.gather(*parts)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def close(self) -> None:
        """Wait for the work at hand and close the view."""
        try:
            await self._on_worker(self._keeper.close)
        finally:
            self._worker.shutdown(wait=False)

    async def restore(self, path: str) -> str:
        """See `Keeper.restore`."""
        sentence = await self._on_worker(self._keeper.restore, path, await self._newest())
        self._wake.set()
        self._tell()
        return sentence

    async def update_now(self) -> str:
        """Update, with the files that wait; in a paused folder this once."""
        self._settled(await self._on_worker(self._keeper.update, await self._newest(), True))
        return self._standing()[1]

    async def pause(self, paused: bool) -> str:
        """Bring no updates until told to go on; a sentence."""
        await self._on_worker(self._keeper.pause, paused)
        self.paused = paused
        self._wake.set()
        self._tell()
        return _PAUSED if paused else "New versions come again."

    async def changes(self) -> dict[str, Any]:
        """See `compare.listed`."""
        return await self._on_worker(self._keeper.changes)

    async def compare(self, path: str, version: str) -> dict[str, Any]:
        """See `compare.compared`."""
        return await self._on_worker(self._keeper.compare, path, version)

    async def settle(self) -> None:
        """Come to the newest version that was posted, as far as open files let it; in a few seconds at most."""
        if self._news is None or self.paused:
            return
        self._settled_to.clear()
        self._told.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_WITHIN_S):
                await self._settled_to.wait()

    async def nudge(self) -> None:
        """See `View.nudge`."""
        await self._on_worker(self._keeper.nudge)

    async def alone(self) -> None:
        """Nobody posts any more: ask the node from now on."""
        self._news = None
        self._told.set()
        await self._on_worker(self._keeper.follow, None, lambda: None)

    async def _hear(self, news: News) -> None:
        """Have the folder brought to what is posted, whenever somebody says that it is time to."""
        while self._news is not None:
            await self._told.wait()
            self._told.clear()
            if news.version == 0 or (self._report is not None and await self._on_worker(self._keeper.at_newest)):
                self._settled_to.set()
            else:
                self._wake.set()

    async def _newest(self) -> Ready | None:
        """The newest version that we know of."""
        posted = self._news.read() if self._news is not None else None
        if posted is not None and (self._ready is None or posted.commit != self._ready.commit):
            try:
                self._ready = await self._node.ready(
                    self.course, posted.commit, posted.manifest, posted.blobs, posted.ready_at
                )
                self._posted, self._away = posted, None
            except SyncError as problem:
                self._away = sentence_of(problem)
                self._tell()
        return self._ready

    async def _follow(self) -> None:
        if self._news is not None:
            await self._hear(self._news)
        pause = _FIRST_TRY_S
        while True:
            try:
                async for ready in self._node.follow(self.course):
                    pause = _FIRST_TRY_S
                    self._ready, self._away = ready, None
                    self._wake.set()
            except SyncError as problem:
                sentence = sentence_of(problem)
                if sentence != self._away:
                    self._away = sentence
                    self._tell()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_TRY_S)

    async def _update(self) -> None:
        pause: float | None = None
        again = _FIRST_TRY_S
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self.paused:
                pause = None
                continue
            began, ready, posted = time.monotonic(), await self._newest(), self._posted
            report = await self._attempt(self._keeper.update, ready)
            took = time.monotonic() - began
            if self._news is not None and posted is not None and report is not None and report.commit == posted.commit:
                self._news.settle(posted, by_itself=False)
            self._settled_to.set()
            if report is None:
                pause, again = again, min(again * 2, _LONGEST_TRY_S)
                continue
            again = _FIRST_TRY_S
            self._settled(report)
            # a folder that takes long to look through is looked at less often
            pause = max(self._retry_s, 5 * took) if report.waiting else None

    async def _guard(self) -> None:
        while True:
            await asyncio.sleep(_GUARD_S)
            if self._limit is not None and time.monotonic() - self._measured_at > _MEASURED_EVERY_S:
                await self._measure(self._limit)
            if self._keeper.is_dead():
                self._log.warning("%s: its mount is dead and is made anew", self._keeper.root)
                await self._attempt(self._keeper.reopen)
                self._wake.set()

    async def _measure(self, limit: SoftLimit) -> None:
        self._measured_at = time.monotonic()
        before, self._kept = self._kept, await self._on_worker(self._keeper.counted, limit)
        if self._kept.too_much != (before and before.too_much):
            self._tell()

    async def _attempt(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        """Do work on the folder; trouble that may pass is told by `status`, and None returned."""
        trouble: SyncError
        try:
            result = await self._on_worker(work, *args, **kwargs)
        except Stop:
            raise
        except SyncError as problem:
            trouble = problem
            sentence_of(problem)
        except OSError as problem:
            self._log.warning("%s: %s", self._keeper.root, problem, exc_info=problem)
            trouble = TryAgain(f"The folder can't be brought up to date ({problem.strerror}); it is tried again.")
        else:
            if self._trouble is not None:
                self._trouble = None
                self._tell()
            return result
        if str(trouble) != str(self._trouble):
            self._trouble = trouble
            self._tell()
        return None

    async def _supervised(self, part: Callable[[], Any]) -> None:
        """Keep a part going whatever happens in it: a fault of ours in one course must not end the others."""
        while True:
            try:
                await part()
            except Stop:
                raise
            except Exception as problem:  # noqa: BLE001  (the one supervising loop)
                self._log.exception("%s: an error of ours; tried again in %s s", self.course, _LONGEST_TRY_S)
                self._trouble = TryAgain(f"Something went wrong in Synced Folders itself ({type(problem).__name__}).")
                self._tell()
                await asyncio.sleep(_LONGEST_TRY_S)
                self._wake.set()

    def _switched_by_itself(self) -> None:
        """Take notice of a version that the view went over to without us."""
        switched = self._news.switched if self._news is not None else None
        if switched is None or switched.posted.commit != self._keeper.commit:
            return
        if self._report is None or self._report.commit != switched.posted.commit:
            self._report = gone_over(switched.posted.commit, len(switched.posted.paths or ()))
            self._updated_at = switched.at
            self._visible_s = max(0.0, switched.at - switched.posted.ready_at)

    def _tell_if_shown(self) -> None:
        if self._shown is not None and self._keeper.commit is not None:
            shown, self._shown = self._shown, None
            shown()

    def _settled(self, report: Report) -> None:
        self._tell_if_shown()
        self._trouble = None
        if report.changed or report.notes or self._report is None or report.commit != self._report.commit:
            self._updated_at = time.time()
        if report != self._report:
            self._observe(report)
            self._report = report
            self._tell()

    def _observe(self, report: Report) -> None:
        """For the node's metrics: how soon a version that came while we followed shows, and what went beside."""
        self._beside += sum(note.beside is not None for note in report.notes)
        if self._report is None or report.commit != self._report.commit:
            ready = self._ready
            came = ready is not None and ready.commit == report.commit and ready.ready_at >= self._began
            self._visible_s = max(0.0, time.time() - ready.ready_at) if ready is not None and came else None

    def _tell(self) -> None:
        state, sentence = self._standing()
        if sentence != self._said:
            self._said = sentence
            urgent = state == State.NEEDS_YOU.value
            commit = {"commit": self._keeper.commit} if self._keeper.commit else {}
            level = logging.WARNING if urgent else logging.INFO
            self._log.log(level, "%s: %s", self.course, sentence, extra=commit)
        self.changed.set()

    async def _on_worker(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, lambda: work(*args, **kwargs))


def _later(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the agent ends
        loop.call_soon_threadsafe(what)
