"""What is held back of a folder's saves before they become a commit, unless the person allowed it by name.

A held file stays as it is in the folder; on the remote its former version stays, if there is one.
Where students follow the folder's own branch, what is for staff is held as well.
"""

from collections.abc import Callable, Collection, MutableMapping
from functools import partial

from syncd.core.entry import BlobId, Change, CommitId, RelPath
from syncd.core.left_out import LeftOut
from syncd.core.patterns import Patterns
from syncd.core.staff import STAFF_FILE, Allowed, Staff, is_allowed
from syncd.git.commits import History
from syncd.guards.secrets import secret_in
from syncd.guards.solutions import CannotStrip, strip
from syncd.publisher.sizes import MEGABYTE, Limits
from syncd.publisher.words import short

GUARDS = ("size", "secret", "staff", "solution", "ignored")
"""By these names they are overridden."""

RULE_FILES = (".gitignore", ".syncignore")
"""Patterns of files that stay out; what the second says counts before the first."""

RULES = 3
"""To be raised when a guard judges otherwise than in the version before, so that all is looked at once more."""

_MOST_READ = 64 * MEGABYTE
LARGEST_SCANNED = 50 * MEGABYTE
"""Files above this size (bytes) are not looked into."""
_MOST_REMEMBERED = 5_000


ReadFile = Callable[[RelPath], str]
"""The text of a file of the folder; empty if there is none."""


class Guards:
    """The guards of one folder.  For the thread of its disk, but for `follow`."""

    def __init__(self, history: History, limits: Limits) -> None:
        self._history, self.limits = history, limits
        self._allowed: tuple[Allowed, ...] = ()
        self._has_students_branch = False
        self._verdicts: dict[tuple[BlobId, str], tuple[str | None, str | None]] = {}
        self._head: CommitId | None = None
        self._patterns = Patterns(lambda _: "")
        self._staff = Staff(lambda _: "")
        self.passed: set[str] = set()
        """Folders in which something stays out by patterns, so that they are looked at again each time."""

    def follow(self, allowed: tuple[Allowed, ...], has_students_branch: bool) -> None:
        """Go on with these settings."""
        self._allowed, self._has_students_branch = allowed, has_students_branch

    @property
    def rules(self) -> str:
        """Other text whenever the settings, or this version, judge otherwise than before.

        Files of patterns are not part of it: where they keep something out is looked at each time (`passed`).
        """
        return repr((RULES, self.limits, self._allowed, self._has_students_branch))

    def begin(self, head: CommitId | None, read: ReadFile) -> None:
        """A look begins: the files of patterns are read anew, each when it is first needed."""
        self._head = head
        self.passed = set()

        def lines(names: tuple[str, ...], folder: str) -> str:
            return "\n".join(read(RelPath(f"{folder}/{name}" if folder else name)) for name in names)

        self._patterns = Patterns(partial(lines, RULE_FILES))
        self._staff = Staff(partial(lines, (STAFF_FILE,)), allowed=self._allowed)

    def stays_out(self, path: RelPath, folder: bool) -> bool:
        """Whether a path is none of the course's by its patterns.  As in git, what is in a commit is not ignored."""
        if not self._patterns.names(path, folder):
            return False
        if self._history.item(self._head, path) is not None or is_allowed(self._allowed, path, "ignored"):
            return False
        if folder and any(each.guard == "ignored" and each.path.startswith(path + "/") for each in self._allowed):
            return False
        self.passed.add(path.rpartition("/")[0])
        return True

    def allows(self, path: RelPath, guard: str) -> bool:
        """Whether the person overrode a guard for a path."""
        return is_allowed(self._allowed, path, guard)

    def is_staff(self, path: RelPath) -> bool:
        """Whether a file is for staff, as of the last look."""
        return self._staff.is_staff(path)

    def hold(self, edits: MutableMapping[RelPath, Change], large: Collection[RelPath]) -> dict[RelPath, LeftOut]:
        """Take out of `edits` what must not go; `large` are those too large to be read."""
        held: dict[RelPath, LeftOut] = {}
        for path, change in list(edits.items()):
            if change.now is None:
                continue
            found = self._guarded(path, change, path in large)
            if found is not None:
                del edits[path]
                held[path] = found
        return held

    def _guarded(self, path: RelPath, change: Change, large: bool) -> LeftOut | None:
        entry = change.now
        if entry is None:
            return None
        # The patterns themselves go out: colleagues' computers must hold by them as well.
        patterns = path.rpartition("/")[2] == STAFF_FILE
        if not self._has_students_branch and not patterns and self._staff.is_staff(path):
            return LeftOut(f"“{short(path)}” is for staff and stays on this computer{_until_students()}", "staff")
        if entry.is_link or large:
            return None
        secret, solution = self._verdict(path, entry.blob)
        if secret is not None and not self.allows(path, "secret"):
            return LeftOut(
                f"“{short(path)}” holds a key or token ({secret}) and is not published: take it out, "
                "or allow the file if it is none.",
                "secret",
            )
        if solution is not None and not self._has_students_branch and not self.allows(path, "solution"):
            return LeftOut(f"“{short(path)}” {solution} and stays on this computer{_until_students()}", "solution")
        return None

    def _verdict(self, path: RelPath, blob: BlobId) -> tuple[str | None, str | None]:
        key = (blob, path.rpartition(".")[2].lower())
        known = self._verdicts.get(key)
        if known is None:
            content = self._history.read(blob)
            known = (None, None) if len(content) > _MOST_READ else (secret_in(content), _solution_in(path, content))
            if len(self._verdicts) >= _MOST_REMEMBERED:
                self._verdicts.clear()
            self._verdicts[key] = known
        return known


def _solution_in(path: RelPath, content: bytes) -> str | None:
    try:
        return None if strip(path, content) == content else "holds solutions"
    except CannotStrip as problem:
        return str(problem)


def _until_students() -> str:
    return ": give students a branch of their own (`syncd students`), and it is published to colleagues only."
