"""What is said between a folder's history and its remote, and what it means (MERGE_SPEC I8, I10).

Commits decide: what the remote shows is news if we don't have it, agreed if it is part of ours,
and rewritten if what was agreed before is no longer part of it.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from syncd.core.entry import CommitId, RelPath
from syncd.core.errors import NeedsUser, SyncError
from syncd.core.retry import Pace
from syncd.core.transfer import Told
from syncd.git.address import Address, repository
from syncd.git.remote import Behind, NoBranch, Remote
from syncd.git.shown import Shown
from syncd.publisher import checkpoints
from syncd.publisher.local import Local, TakenIn
from syncd.publisher.workspace import Workspace

_RECENT = 20


class Answer(Enum):
    """What the person wants where the remote's history was rewritten."""

    BOTH = "both"
    """Merge, so that both sides' files stay."""
    MINE = "mine"
    """Publish this folder again; what the remote has besides is merged in."""
    THEIRS = "theirs"
    """What was taken away there goes here as well; it stays in the history."""


class Rewritten(NeedsUser):
    """The remote forgot commits that it had shown before."""


@dataclass(frozen=True, slots=True)
class Pushes:
    """How often is pushed: `a_minute` to `hosts` that ask for restraint, and at once to all others."""

    a_minute: int = 6
    """What GitHub recommends for one repository."""
    hosts: frozenset[str] = frozenset({"github.com", "gitlab.com"})

    def pace(self, host: str) -> Pace:
        """For one folder's remote."""
        limited = "*" in self.hosts or any(host == name or host.endswith("." + name) for name in self.hosts)
        return Pace(self.a_minute if limited else None)


class Paces:
    """The pace of each repository: a host's limit holds for all its branches together."""

    def __init__(self, pushes: Pushes) -> None:
        self._pushes = pushes
        self._paces: dict[str, Pace] = {}

    def of(self, address: Address) -> Pace:
        """For this remote."""
        return self._paces.setdefault(repository(address.url), self._pushes.pace(address.host))


class Conversation:
    """Each method belongs to a thread: `ask`, `fetch...`, `push...` to the network's, all others to the disk's."""

    def __init__(self, here: Workspace, local: Local, remote: Remote, pace: Pace) -> None:
        self._here, self._local, self._remote = here, local, remote
        self.pace = pace
        self._counted: dict[CommitId, int] = {}
        """How many files each of the last commits changed."""
        self._newest: tuple[CommitId, int] | None = None
        """The newest commit, and the how manieth it is."""

    def ask(self) -> Shown:
        """What the remote shows now."""
        return self._remote.look()

    def fetch(self, told: Told | None = None) -> None:
        """Bring the remote's commits here; a branch that went away meanwhile is noticed the next time."""
        with suppress(NoBranch):
            self._remote.fetch(self._here.history.path, self._here.branch, told=told)

    def fetch_checkpoints(self, tags: Sequence[str]) -> None:
        """Bring colleagues' checkpoints here; one that went away meanwhile is noticed the next time."""
        with suppress(NoBranch):
            self._remote.fetch_tags(self._here.history.path, tags, checkpoints.THEIRS)

    def push_checkpoint(self, name: str) -> None:
        """Publish a checkpoint; never by force."""
        self._remote.push_tag(self._here.history.path, checkpoints.tag_of(name))

    def push(self, commit: CommitId, told: Told | None = None) -> None:
        """Publish a commit; never by force."""
        self._remote.push(self._here.history.path, commit, self._here.branch, told=told)

    @staticmethod
    def is_behind(problem: SyncError) -> bool:
        """Whether a push failed because somebody was faster."""
        return isinstance(problem, Behind)

    def is_news(self, shown: CommitId | None) -> bool:
        """Whether the remote shows a commit that is not here."""
        return shown is not None and not self._here.history.has(shown)

    def take_in(
        self,
        shown: CommitId | None,
        impatient: Collection[RelPath],
        unsettled: Collection[RelPath],
        answer: Answer | None,
    ) -> TakenIn:
        """Make what the remote shows part of ours.  Rewritten if it forgot something, unless there is an `answer`."""
        here, history, branch = self._here, self._here.history, self._here.branch
        agreed = history.agreed(branch)
        if shown is None:
            if agreed is not None and answer is None:
                raise Rewritten(
                    f"The branch {branch} was deleted on the remote; nothing is deleted here. "
                    "Resume this folder to publish it again, or remove it."
                )
            return TakenIn(here.head)
        if not history.has(shown):  # it moved on between asking and fetching: ask again
            return TakenIn(here.head)
        base = None
        if not history.contains(shown, agreed):
            if answer is None:
                raise Rewritten(
                    f"The history of {branch} was rewritten on the remote; nothing was changed here. "
                    "Resume this folder to keep both sides' files, or answer “theirs” to follow the remote."
                )
            base = agreed if answer is Answer.THEIRS else None
        taken = self._local.take_in(shown, impatient, base, unsettled=unsettled)
        if not taken.waits and history.agreed(branch) != shown:
            history.set_agreed(branch, shown)
        return taken

    def where(self) -> tuple[CommitId | None, CommitId | None, list[dict[str, Any]]]:
        """Our head, what is agreed, and the last commits for people."""
        history = self._here.history
        head = self._here.head
        recent = []
        if head is not None:
            self._newest = head, history.count(head, self._newest)
        last = self._newest[1] if self._newest else 0
        for at, commit in enumerate(history.log(head, _RECENT)):
            if commit.id not in self._counted:
                before = commit.parents[0] if commit.parents else None
                # One by one: a first commit of 100,000 files as a whole would stay in the process' memory.
                self._counted[commit.id] = sum(
                    1 for _ in history.differences(*map(history.tree_id, (before, commit.id)))
                )
            recent.append(
                {
                    "commit": commit.id,
                    "time": commit.time,
                    "message": commit.message.strip(),
                    "files": self._counted[commit.id],
                    "number": last - at,
                }
            )
        for old in self._counted.keys() - {each["commit"] for each in recent}:
            del self._counted[old]
        return head, history.agreed(self._here.branch), recent
