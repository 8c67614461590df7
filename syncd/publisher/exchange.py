"""The folder's talk with its remote: ask, fetch, merge and push until both show the same, again and again.

What it finds goes to the status; how long it waits is said by the remote, by what failed, and by the pace.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsToken, NeedsUser, TryAgain
from syncd.core.retry import Again
from syncd.core.transfer import Transfer
from syncd.metrics.publisher import FolderMeter
from syncd.publisher import checkpoints
from syncd.publisher.bring import NoRoom
from syncd.publisher.commit import Held
from syncd.publisher.conversation import Answer, Conversation, Rewritten
from syncd.publisher.in_one import InOne
from syncd.publisher.registry import Folder
from syncd.publisher.status import Situation, asking
from syncd.publisher.timing import Timing
from syncd.publisher.worker import Worker
from syncd.publisher.workspace import Workspace

_ROUNDS = 6


class Home(Protocol):
    """The folder that talks."""

    folder: Folder

    async def refresh(self) -> None: ...  # noqa: D102
    def look_again(self) -> None: ...  # noqa: D102
    def come_again(self, waits: frozenset[RelPath]) -> None: ...  # noqa: D102
    def impatient(self) -> frozenset[RelPath]: ...  # noqa: D102
    def unsettled(self) -> frozenset[RelPath]: ...  # noqa: D102


class Exchange:
    """One folder's; it outlives the work begun anew after an error."""

    def __init__(self, timing: Timing, now: Situation, meter: FolderMeter, home: Home) -> None:
        """`now` is told what happens; nothing is done before `run`."""
        self._timing, self._now, self._meter, self._home = timing, now, meter, home
        self._news = asyncio.Event()
        self._again = Again()
        self._tags: Mapping[str, str] | None = None
        self.answer: Answer | None = None
        """The person's, to a remote that was rewritten."""

    def hint(self) -> None:
        """The remote may have news: ask it now, even if it asked for patience."""
        self._again = self._again.at_once()
        self._news.set()

    def wake(self) -> None:
        """There may be something to publish."""
        self._news.set()

    async def run(self, here: Workspace, disk: Worker, net: Worker, talk: Conversation) -> None:
        """Until cancelled; an error that is nobody's to answer ends it."""
        self._here, self._disk, self._net, self._talk = here, disk, net, talk
        self._tags = None
        self._in_one = InOne(here, disk, lambda commit: self._transfer(talk.push, commit))
        wait_s = 0.0
        await self._home.refresh()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            self._news.clear()
            if (wait_s := self._again.wait_s(time.monotonic(), news=True)) > 0:
                await self._home.refresh()
                continue
            wait_s = self._timing.poll_s
            if self._now.paused or self._now.missing or self._now.held or not self._now.started:
                continue
            try:
                with self._meter.failures():
                    wait_s = min(self._timing.poll_s, await self._exchange())
                self._again = Again()
                self._now.offline = self._now.token = self._now.refused = None
            except TryAgain as problem:
                now = time.monotonic()
                wait_s = self._timing.backoff.wait_s(self._again.failures + 1, random.random())
                self._again = self._again.after_failure(now, wait_s, problem.after_s)
                wait_s = self._again.wait_s(now)
                self._now.offline = str(problem)
            except Rewritten as problem:
                self._now.rewritten = str(problem)
            except Held as problem:
                self._now.held = str(problem)
                self._home.look_again()
            except NeedsUser as problem:
                said, by_token = asking(problem, self._home.folder.remote), isinstance(problem, NeedsToken)
                self._now.token, self._now.refused = (said, None) if by_token else (None, said)
                self._now.offline = None
                wait_s = self._timing.poll_s if isinstance(problem, NoRoom) else self._timing.ask_again_s
            await self._home.refresh()

    async def _exchange(self) -> float:
        """Fetch, merge and push until both sides show the same; how long to wait before the next time."""
        talk = self._talk
        for _ in range(_ROUNDS):
            seen = await self._net.do(talk.ask)
            self._now.shown = shown = seen.branches.get(self._here.branch)
            self._now.asked = True
            answer, self.answer = self.answer, None
            if await self._disk.do(talk.is_news, shown):
                await self._transfer(talk.fetch)
                self._meter.fetched()
            await self._disk.do(self._in_one.go_on, shown)
            home = self._home
            taken = await self._disk.do(talk.take_in, shown, home.impatient(), home.unsettled(), answer)
            self._now.rewritten = None
            self._now.notes += [note.sentence for note in taken.notes]
            self._meter.beside(sum(note.beside is not None for note in taken.notes))
            await self._home.refresh()
            await self._take_checkpoints(seen.tags)
            if taken.waits:
                self._home.come_again(taken.waits)
                return 1.0
            if self._now.head is None or self._now.head == shown:
                self._meter.shown(self._now.head, time.monotonic())
                await self._push_checkpoints(seen.tags)
                return self._timing.poll_s
            pause_s = talk.pace.wait_s(time.monotonic())
            if pause_s > 0:
                return pause_s
            talk.pace.went(time.monotonic())
            head = self._now.head
            try:
                await self._in_one.push(shown, head)
                self._meter.pushed()
            except TryAgain as problem:
                if not talk.is_behind(problem):
                    raise
        raise TryAgain("The remote does not show yet what was published; it is asked again.")

    async def _transfer(self, work: Callable[..., None], *what: CommitId) -> None:
        """Send or receive, and let the status show how far that is."""

        def told(far: Transfer) -> None:
            self._now.transfer = far

        try:
            await self._net.do(work, *what, told)
        finally:
            self._meter.moved(self._now.transfer)
            self._now.transfer = None

    async def _take_checkpoints(self, tags: Mapping[str, str]) -> None:
        if tags == self._tags:
            return
        history = self._here.history
        if news := await self._disk.do(checkpoints.news, history, tags):
            await self._net.do(self._talk.fetch_checkpoints, news)
            await self._disk.do(checkpoints.took, history)
        self._tags = tags

    async def _push_checkpoints(self, tags: Mapping[str, str]) -> None:
        history = self._here.history
        for name in await self._disk.do(checkpoints.unpublished, history):
            if why := await self._disk.do(checkpoints.clashes, history, name, tags):
                self._now.notes.append(why)
            else:
                await self._net.do(self._talk.push_checkpoint, name)
            await self._disk.do(checkpoints.published, history, name)
