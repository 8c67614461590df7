"""One synced folder kept in step, by two loops: one takes up what is saved, one talks with the remote.

What they agree on is in the history's refs and in the folder itself; all that is kept here is
recomputed after a crash.  Blocking work goes to two threads of this folder: one for its disk, where
folder, history and cache are used, and one for the network.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from syncd.core.entry import CommitId, RelPath, inside, parents
from syncd.core.errors import NeedsUser, Stop, SyncError, TryAgain, first_of
from syncd.core.progress import Progress
from syncd.core.retry import Backoff
from syncd.core.settle import Due, Settle
from syncd.git.commits import Author
from syncd.git.integrity import is_spoiled
from syncd.git.remote import Remote
from syncd.log_fields import about
from syncd.metrics.publisher import FolderMeter
from syncd.publisher import past
from syncd.publisher.asked import Asked
from syncd.publisher.commit import Held
from syncd.publisher.conversation import Answer, Conversation, Paces
from syncd.publisher.exchange import Exchange
from syncd.publisher.guarding import RULE_FILES
from syncd.publisher.local import Local, TakenUp
from syncd.publisher.network import Surroundings
from syncd.publisher.past import Deed, Listed, Past
from syncd.publisher.projection import Projection
from syncd.publisher.registry import Folder
from syncd.publisher.sizes import Limits
from syncd.publisher.status import Situation, report
from syncd.publisher.students_sync import StudentsSync
from syncd.publisher.timing import Timing as Timing
from syncd.publisher.watch import Watch
from syncd.publisher.worker import Worker
from syncd.publisher.workspace import Workspace

_log = logging.getLogger(__name__)

_SPOILED = (
    "The history of this folder is damaged, so nothing is published; your files are untouched. End the publisher and "
    "run `syncd doctor --fix`, which gets the history again from the remote and from the folder."
)
_UNEXPECTED = "Something unexpected went wrong; it is tried again, and the log says more."
_REST_AFTER_S = 3.0
_T = TypeVar("_T")


class FolderSync:
    """Keeps one folder in step while `run` runs."""

    def __init__(
        self,
        folder: Folder,
        own: Path,
        remotes: Callable[[str], Remote],
        author: Author,
        limits: Limits,
        timing: Timing,
        meter: FolderMeter,
    ) -> None:
        """`remotes` makes a remote with its credentials."""
        self.folder = folder
        self._log, self._meter = about(_log, folder=str(folder.path)), meter
        remote = remotes(folder.remote)
        self._own, self._remote, self._author, self._timing = own, remote, author, timing
        self._limits = limits
        self._now = Situation(paused=folder.paused)
        self._settle = Settle(quiet_s=timing.quiet_s, longest_s=timing.longest_s, patience_s=timing.patience_s)
        self._events = asyncio.Event()
        self._meant = False
        self._here: Workspace | None = None
        self._watch: Watch | None = None
        self._watched = (0, 0)
        self._surroundings = Surroundings()
        self._much_is_new = False
        self._worked_at: float | None = None
        self._paces = Paces(timing.pushes)  # outlive the work begun anew after an error
        self.students = StudentsSync(folder, own, remotes, self._paces, self._now, self, timing)
        self._exchange = Exchange(timing, self._now, meter, self)
        self.asked = Asked(self)

    def status(self) -> Mapping[str, Any]:
        """The folder as `GET /v1/status` shows it."""
        return report(self.folder, self._now, self.students)

    def hint(self) -> None:
        """The remote may have news: ask it now, even if it asked for patience."""
        self._exchange.hint()
        self.students.hint()

    def pause(self) -> None:
        """Publish nothing and take nothing in until `resume`."""
        self._now.paused = True

    def resume(self, answer: Answer = Answer.BOTH) -> None:
        """Go on; what was held is meant, and a rewritten remote is answered."""
        self._now.paused = False
        if self._now.held:
            self._meant = True
            self.look_again()
        if self._now.rewritten:
            self._exchange.answer = answer
        self.hint()

    async def log(self, path: RelPath | None, limit: int) -> list[Deed]:
        """What was done, newest first.  NeedsUser while the folder can't be opened."""
        here = self._opened()
        return await self._disk.do(past.log, here, path, limit)

    async def versions(self, path: RelPath) -> list[Past]:
        """The commits that changed a file, newest first.  NeedsUser while the folder can't be opened."""
        here = self._opened()
        return await self._disk.do(past.versions, here, path)

    async def listing(self, path: RelPath) -> list[Listed]:
        """What a folder held at the last save.  NeedsUser while the folder can't be opened."""
        here = self._opened()
        return await self._disk.do(past.listing, here, path)

    async def restore(self, path: RelPath | None, version: str | None) -> str:
        """See `past.restore`; a sentence."""
        here = self._opened()
        try:
            return await self._disk.do(past.restore, here, self._local, path, version, self._tell)
        finally:
            self._now.restoring = None
            self.look_again()

    def _tell(self, progress: Progress) -> None:
        self._now.restoring = progress

    def follow(self, folder: Folder) -> None:
        """Go on with these settings."""
        was, self.folder = self.folder, folder
        self.students.follow(folder)
        if self._here is not None and (was.allowed, was.students) != (folder.allowed, folder.students):
            self._here.guards.follow(folder.allowed, folder.students is not None)
            self.look_again()

    def guards_of(self, path: RelPath) -> list[str]:
        """Which guards hold a file, or files in a folder, back now."""
        held = {why.guard for each, why in self._now.left_out.items() if each == path or inside(each, path)}
        return sorted(guard for guard in held if guard)

    def left_out(self) -> Counter[str | None]:
        """How many files are left out, by guard; None: for another reason."""
        return Counter(why.guard for why in self._now.left_out.values())

    # for `asked` and the students' side

    def opened(self) -> Workspace:
        """The folder at work.  NeedsUser while it can't be opened."""
        return self._opened()

    async def on_disk(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Do something in the thread that folder and history belong to."""
        self._opened()
        return await self._disk.do(work, *arguments)

    async def moved(self) -> None:
        """Something was committed, or named, that is to be published."""
        await self.refresh()
        self.look_again()
        self._exchange.wake()

    async def caught_up(self) -> CommitId | None:
        """Take up what is saved, as far as it is whole; the last commit."""
        here = self._opened()
        with contextlib.suppress(SyncError, OSError):  # the loop of the folder meets it too, and says it
            await self._disk.do(lambda: self._local.take_up(Due(frozenset(), True, frozenset())))
        await self.moved()
        return await self._disk.do(lambda: here.head)

    def _opened(self) -> Workspace:
        if self._here is None:
            raise NeedsUser(self._now.missing or "The folder is just being opened; try again in a moment.")
        return self._here

    async def run(self) -> None:
        """Until cancelled.  The one place where an unexpected error is logged and the work begun anew."""
        backoff, failures = Backoff(first_s=2.0), 0
        while True:
            try:
                await self._run_once()
            except* Stop as stopped:
                self._now.missing = str(first_of(stopped))
                self._log.error("%s: %s", self.folder.path, self._now.missing)
            except* Exception as problems:  # noqa: BLE001
                self._log.exception("%s: an unexpected error; beginning anew", self.folder.path)
                self._now.missing = _SPOILED if is_spoiled(problems) else _UNEXPECTED
            failures += 1
            await asyncio.sleep(backoff.wait_s(failures, random.random()))

    async def _run_once(self) -> None:
        self._disk, self._net = Worker(f"disk-{self.folder.id}"), Worker(f"net-{self.folder.id}")
        here: Workspace | None = None
        try:
            here = await self._disk.do(self._workspace)
            self._local, self._here = Local(here), here
            here.guards.follow(self.folder.allowed, self.folder.students is not None)
            pace = self._paces.of(self._remote.address)
            self._conversation = Conversation(here, self._local, self._remote, pace)
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._take_up_saves())
                loops.create_task(self._exchange.run(here, self._disk, self._net, self._conversation))
                projection = await self._disk.do(Projection, here.history, self._own / "projection.json")
                loops.create_task(self.students.run(here, self._disk, projection))
        finally:
            self._here = None
            self._net.close()
            if self._watch is not None:
                await asyncio.to_thread(self._watch.close)
                self._watch = None
            if here is not None:  # after what the disk's thread is at: nobody else may begin before
                await self._disk.do(here.close)
            self._disk.close()

    def _workspace(self) -> Workspace:
        folder = self.folder
        return Workspace(
            folder.path, self._own, folder.branch, self._author, subfolder=folder.subfolder, limits=self._limits
        )

    # the folder

    async def _take_up_saves(self) -> None:
        reconciled = -self._timing.reconcile_s
        while True:
            if not await self._open():
                await asyncio.sleep(self._timing.presence_s)
                reconciled = -self._timing.reconcile_s
                continue
            now = time.monotonic()
            if now - reconciled >= self._timing.reconcile_s:
                self._settle.rescan(now - 60)
                reconciled = now
            self._notice(now)
            self._collect(now)
            self._now.much = self._settle.much
            due = self._settle.due(now)
            if due:
                await self._take_up(due)
            elif self._now.started:
                self._now.waiting = self._settle.waiting
                if self._much_is_new and self._now.head == self._now.agreed:
                    self._much_is_new = False
                    with contextlib.suppress(SyncError, OSError):  # it only saves time later
                        await self._disk.do(self._local.remember)
                if self._worked_at is not None and now - self._worked_at >= _REST_AFTER_S:
                    self._worked_at = None
                    await self._disk.do(self._local.here.rest)
                await self._sleep(reconciled + self._timing.reconcile_s)

    async def _open(self) -> bool:
        """Whether the folder is there and watched; watches it anew if it is another than before."""
        try:
            identity = await self._disk.do(self._identity)
            if self._watch is None or not self._watch.alive or identity != self._watched:
                if self._watch is not None:
                    await asyncio.to_thread(self._watch.close)
                self._watch = await self._start_watching()
                self._watched = identity
                self._now.slow_watch = self._watch.sentence
                began = time.monotonic()
                await self._disk.do(self._local.recover)
                self._log.debug(
                    "%s: looked for what a crash left in %.3f s", self.folder.path, time.monotonic() - began
                )
                self.look_again()
        except (SyncError, OSError) as problem:
            self._now.missing = str(problem) if isinstance(problem, SyncError) else f"{self.folder.path}: {problem}"
            return False
        self._now.missing = None
        return True

    async def _start_watching(self) -> Watch:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._events.set)

        starting = asyncio.create_task(asyncio.to_thread(Watch, self.folder.path, wake))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.to_thread((await starting).close)
            raise

    def _identity(self) -> tuple[int, int]:
        with self._local.here as here:
            return here.root.identity

    def _notice(self, now: float) -> None:
        """A machine that woke up looks at its files, and one that is somewhere else now asks the remote at once."""
        if self._surroundings.slept(now):
            self.look_again()
            self.hint()
        if (self._now.offline or self._now.token or self._now.refused) and self._surroundings.moved():
            self.hint()

    def _collect(self, now: float) -> None:
        assert self._watch is not None
        self._events.clear()
        paths, lost = self._watch.take()
        if lost:
            self._local.mistrust()
            self._settle.rescan(now, lost=True)
        for path in paths:
            if not self._local.here.ignored(path, False):
                self._settle.event(path, now)
                self._meter.saved(path, now)
            if path.rpartition("/")[2] in RULE_FILES:
                self._settle.rescan(now)  # what stayed out may come in, wherever it lies

    def look_again(self) -> None:
        """Look at everything, now."""
        self._settle.rescan(time.monotonic() - 60)
        self._events.set()

    async def _sleep(self, reconcile_at: float) -> None:
        """Until an event, the next path that is due, or the next full look; the folder is looked for now and then."""
        now = time.monotonic()
        next_at = self._settle.next_at()
        until = min(reconcile_at, now + self._timing.presence_s, next_at if next_at is not None else reconcile_at)
        with contextlib.suppress(TimeoutError):
            # Not wait_for: until Python 3.12 it swallows a cancellation that comes together with the event.
            async with asyncio.timeout(max(0.0, until - now)):
                await self._events.wait()

    async def _take_up(self, due: Due) -> None:
        if self._now.held and not due.everything:
            due = Due(frozenset(), True, due.impatient)  # what was held back is part of every later look
        meant, self._meant = self._meant, False
        began = time.monotonic()
        try:
            with self._meter.failures():
                due = await self._whole_deletion(due)
                found = await self._disk.do(lambda: self._local.take_up(due, agreed=meant))
        except Held as problem:
            self._now.held, self._now.started = str(problem), True
            return
        except (TryAgain, NeedsUser, OSError) as problem:
            self._meant = meant
            self._now.trouble = str(problem)
            await asyncio.sleep(self._timing.presence_s)
            self.look_again()
            return
        self._meter.taken_up(None if due.everything else due.paths, found.commit, time.monotonic())
        what = "everything" if due.everything else f"{len(due.paths)} paths"
        commit = {"commit": found.commit} if found.commit else {}
        self._log.debug("%s: looked at %s in %.4f s", self.folder.path, what, time.monotonic() - began, extra=commit)
        self._much_is_new |= due.everything and found.commit is not None
        was_held = self._now.held is not None
        self._now.held = self._now.trouble = None
        self._note(due, found)
        self._now.much = self._settle.much
        if found.commit is not None:
            self._now.head = found.commit
        if found.commit is not None or was_held or not self._now.started:
            self._exchange.wake()
        self._now.started = True

    async def _whole_deletion(self, due: Due) -> Due:
        """With a deletion all else that is gone or moved, whichever would settle later: I7 judges it as a whole."""
        later = self._settle.unsettled
        if not later or not due.paths or not await self._disk.do(self._local.gone, due.paths | later):
            return due
        return self._settle.taken_with(due, await self._disk.do(self._local.moved, later), time.monotonic())

    def _note(self, due: Due, found: TakenUp) -> None:
        looked, now = found.looked, time.monotonic()
        self._settle.whole(self._settle.half - looked.half if due.everything else due.paths - looked.half)
        self._settle.half_written(looked.half, now)
        self._now.waiting = self._settle.waiting
        for kept in (self._now.left_out, self._now.warnings):
            for path in list(kept):
                if due.everything or path in looked.also or not due.paths.isdisjoint((path, *parents(path))):
                    del kept[path]
        self._now.left_out.update(looked.left_out)
        self._now.warnings.update(looked.warnings)

    async def refresh(self) -> None:
        """Let the status tell where folder and remote stand."""
        self._worked_at = time.monotonic()
        before = self._now.head, self._now.agreed
        self._now.head, self._now.agreed, self._now.recent = await self._disk.do(self._conversation.where)
        if before != (self._now.head, self._now.agreed):
            self.students.wake()

    # for the exchange with the remote

    def impatient(self) -> frozenset[RelPath]:
        """The half-written files whose time to become whole is over."""
        return self._settle.impatient(time.monotonic())

    def unsettled(self) -> frozenset[RelPath]:
        """The paths that had events and were not looked at yet."""
        return self._settle.unsettled

    def come_again(self, waits: frozenset[RelPath]) -> None:
        """These files must be whole before a merge: look at them again soon."""
        self._settle.half_written(waits, time.monotonic())
        self._events.set()
