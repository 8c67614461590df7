"""One synced folder with what belongs to it: the open folder, its stat cache, its history."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from syncd.core import ignore
from syncd.core.entry import CommitId, Entry, RelPath
from syncd.core.folding import Folding
from syncd.core.ignore import Ignored, ignored
from syncd.core.left_out import LeftOut
from syncd.core.names import LONGEST_LINK, is_target, path_problem, problem
from syncd.folder.root import InTheWay, Root
from syncd.folder.scan import Seen
from syncd.folder.spelling import folding_of
from syncd.folder.statcache import StatCache
from syncd.git.commits import Author, History
from syncd.publisher.guarding import Guards
from syncd.publisher.memory import trim
from syncd.publisher.sizes import Limits, too_large
from syncd.publisher.words import short

_plain = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_. -]{0,99}/)*[A-Za-z0-9_-][A-Za-z0-9_. -]{0,99}").fullmatch
"""Paths of which none of the rules of `syncd.core.names` can say anything: most of them, told quickly."""
_LONGEST_RULES = 1 << 20
_USUAL = Limits()


class Workspace:
    """The folder at work.  One thread at a time; close it.

    The folder itself is open only within `with workspace:`, so that its disk can be taken out meanwhile.
    """

    def __init__(
        self,
        folder: Path,
        own: Path,
        branch: str,
        author: Author,
        rule: Ignored = ignored,
        subfolder: str = "",
        limits: Limits = _USUAL,
    ) -> None:
        """`own` is the folder's place in the state folder; nothing need be there yet.

        With a `subfolder` the folder is that part of the repository.
        """
        self.folder, self.branch, self.author, self.ignored = folder, branch, author, rule
        self.history = History(own / "history.git", subfolder)
        self.cache = StatCache(own / "files.sqlite")
        self.guards = Guards(self.history, limits)
        self._root: Root | None = None
        self._own = own
        self._tried: tuple[tuple[int, int], Folding] | None = None

    def __enter__(self) -> "Workspace":
        """Open the folder; Gone if it is not there."""
        self._root = Root(self.folder, self._folding())
        return self

    def _folding(self) -> Folding:
        """What the folder's disk does not tell apart."""
        try:
            found = os.stat(self.folder)
            if self._tried is None or self._tried[0] != (found.st_dev, found.st_ino):
                self._tried = (found.st_dev, found.st_ino), folding_of(self.folder, self._own / "disk.json")
        except OSError:
            return Folding.NOTHING  # to open it fails as well, and tells why
        return self._tried[1]

    def __exit__(self, *_: object) -> None:
        if self._root is not None:
            self._root.close()
            self._root = None

    @property
    def root(self) -> Root:
        """The open folder."""
        assert self._root is not None, "use it within `with workspace:`"
        return self._root

    @property
    def head(self) -> CommitId | None:
        """The last commit made here."""
        return self.history.head(self.branch)

    @property
    def theirs(self) -> CommitId | None:
        """A commit of the remote's that was fetched and goes on from what was agreed, but is not part of ours yet."""
        fetched = self.history.fetched(self.branch)
        if fetched is None or self.history.contains(self.head, fetched):
            return None
        return fetched if self.history.contains(fetched, self.history.agreed(self.branch)) else None

    def begin(self, merge: CommitId) -> None:
        """A merge of `head` and `theirs` is about to be put into the folder."""
        self.history.set_ref(f"refs/begun/{self.branch}", merge)

    def cut_short(self) -> Callable[[RelPath, Entry | None], bool]:
        """Whether a merge that was cut short has left a path like this: then it is no save of the person's.

        A copy that it put beside something counts as one, and so keeps its name.
        """
        head, theirs, history = self.head, self.theirs, self.history
        if theirs is None:
            return lambda path, now: False
        base = history.merge_base(head, theirs) if head else None
        begun = history.ref(f"refs/begun/{self.branch}")
        if begun is not None and history.look_up(begun).parents != (head, theirs):
            begun = None

        def is_left(path: RelPath, now: Entry | None) -> bool:
            in_theirs = history.entry(theirs, path)
            if in_theirs == now and history.entry(base, path) != now:
                return True
            if begun is None or history.entry(begun, path) != now:
                return False
            return in_theirs is not None or history.entry(head, path) is not None

        return is_left

    @property
    def rules(self) -> bytes:
        """Bytes that are others whenever what stays out is judged otherwise than before."""
        rules = f"{ignore.RULES} {self.guards.rules} {self.root.folding}"
        return hashlib.sha1(rules.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()[:8]

    def begin_look(self) -> None:
        """The folder is about to be looked at: its own rules are read anew."""
        self.guards.begin(self.head, self._text)

    def passes_over(self, path: RelPath, folder: bool) -> bool:
        """Whether a look leaves a path alone: litter, or what the course's patterns keep out."""
        return self.ignored(path, folder) or self.guards.stays_out(path, folder)

    def left_out(self, seen: Seen) -> LeftOut | None:
        """Why a file stays out of the repository unread; None if it goes in."""
        if seen.stat.size > self.guards.limits.most and not self.guards.allows(seen.path, "size"):
            return too_large(seen.path, seen.stat.size, self.guards.limits)
        return bad_name_left_out(seen)

    def is_there(self, path: RelPath) -> bool:
        """Whether anything is at a path, or can't be told."""
        try:
            with self.root.above(path) as (folder, name):
                folder.lstat(name)
        except (FileNotFoundError, InTheWay, ValueError):
            return False
        except OSError:
            return True
        return True

    def _text(self, path: RelPath) -> str:
        try:
            with self.root.above(path) as (folder, name), os.fdopen(folder.open(name), "rb") as source:
                return source.read(_LONGEST_RULES).decode("utf-8", "replace")
        except (OSError, ValueError, InTheWay):
            return ""

    def syncs(self, path: RelPath, entry: Entry | None) -> bool:
        """Whether what a commit has at a path may lie in the folder: not litter, no dangerous name, no broken link."""
        if self.ignored(path, False) or bad_name(path):
            return False
        if entry is None or not entry.is_link:
            return True
        return self.history.size(entry.blob) <= LONGEST_LINK and is_target(self.history.read(entry.blob))

    def rest(self) -> None:
        """Give memory back to the system, since nothing is going on; to be called from the disk's thread."""
        self.history.rest()
        self.cache.rest()
        trim()

    def close(self) -> None:
        """Let go of everything."""
        self.cache.close()


def bad_name(path: RelPath) -> str | None:
    """Why a path's name can't be kept by git or by us, in a few words."""
    raw = path.encode("utf-8", "surrogateescape")
    if not _plain(path):
        for name in raw.split(b"/"):
            if (why := problem(name)) is not None:
                return why
    return path_problem(raw)


def bad_name_left_out(seen: Seen) -> LeftOut | None:
    """Why a file stays out of the repository for its name; None if it doesn't."""
    why = bad_name(seen.path)
    return LeftOut(f"“{short(seen.path)}” {why} and is not published: give it another name.") if why else None
