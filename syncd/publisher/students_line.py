"""The students' line of commits, made in the instructor's history and never going on from the instructor's commits.

Nothing is moved by making a commit: the line's head is what the remote showed or took last.  What is
pushed in the live way is noted before (`next`), so that after a crash it is known whether it arrived.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from syncd.core.entry import Change, CommitId, RelPath, inside
from syncd.core.errors import NeedsUser
from syncd.git.address import repository
from syncd.git.commits import Author, Commit, History
from syncd.git.trees import Item
from syncd.publisher import words
from syncd.publisher.plans import Plan, shown
from syncd.publisher.registry import Students

Project = Callable[[CommitId], bytes | None]
"""A commit's tree as students may see it; see `projection`."""

_RELEASE, _UNDOES = "Release", "Undoes"
_TRAILER = re.compile(rf"^({_RELEASE}|{_UNDOES}): ([0-9a-f]+)$", re.MULTILINE)
_FURTHEST = 1_000
_MOST_AT_ONCE = 200
"""More commits of the instructor's than this become one for the students."""

Differences = dict[RelPath, tuple[Item | None, Item | None]]


@dataclass(frozen=True, slots=True)
class Release:
    """A commit of the students' line that was published, or that undoes one.  `time` in seconds since 1970."""

    id: str
    commit: CommitId
    time: int
    message: str
    files: int
    undoes: CommitId | None = None


class StudentsLine:
    """The students' branch as it is known here.  For the disk's thread."""

    def __init__(self, history: History, students: Students, author: Author, project: Project) -> None:
        self.history, self.students, self._author, self.project = history, students, author, project
        self.key = hashlib.sha1(f"{repository(students.remote)}\0{students.branch}".encode()).hexdigest()[:12]
        self._counted: dict[CommitId, int] = {}

    @property
    def head(self) -> CommitId | None:
        """What the remote showed, or took, last."""
        return self.history.ref(f"refs/remotes/{self.key}/{self.students.branch}")

    def differences(self, source: CommitId, paths: Collection[RelPath] = ()) -> Differences:
        """What students don't have yet of a commit's projection: path to (theirs, to be)."""
        found = self.history.differences(self.history.tree_id(self.head), self.project(source))
        return {path: (was, now) for path, was, now in found if _chosen(path, paths)}

    # the live way

    def behind(self, agreed: CommitId) -> list[CommitId]:
        """The instructor's commits that students don't have, oldest first; only the last one if they are too many."""
        source = self._source()
        if source == agreed:  # what is for staff may have been decided anew since
            mark = self._mark()
            same = mark is not None and self.project(agreed) == self.history.tree_id(mark.id)
            return [] if same else [agreed]
        chain: list[CommitId] = []
        at: CommitId | None = agreed
        while at is not None and len(chain) < _MOST_AT_ONCE:
            if source is None or at == source or self.history.contains(source, at):
                break
            chain.append(at)
            parents = self.history.look_up(at).parents
            at = next((each for each in parents if self.history.contains(each, source)), None)
        if at is None or source is None or at != source:
            return [agreed]
        return chain[::-1]

    def follow(self, agreed: CommitId) -> CommitId | None:
        """Commit what students don't have yet; the commit to push, or None if they have all.

        The tree is the projection, save for what others did to the students' branch and we did not touch since.
        """
        head, mark = self.head, self._mark()
        line = mark.parents[1] if mark else None
        projected = self.history.tree_id(mark.id) if mark and line and self.history.contains(head, line) else None
        if projected is None:
            projected = self.history.tree_id(head)
        at = head
        for source in self.behind(agreed):
            wanted = self.project(source)
            edits = {path: (was, now) for path, was, now in self.history.differences(projected, wanted)}
            made = self._live(at, source, edits, again=mark is not None and mark.parents[0] == source)
            at, projected = made or at, wanted
        if at is None:
            return None
        self.history.set_ref(self._ref("next"), self._marking(agreed, at, projected))
        if at == head:
            self.arrived()
            return None
        return at

    def arrived(self) -> None:
        """Note that the remote shows what was made last, if it does."""
        made = self.history.ref(self._ref("next"))
        if made is not None and self.history.contains(self.head, self.history.look_up(made).parents[1]):
            self.history.set_ref(self._ref("mark"), made)
            self.history.drop_ref(self._ref("next"))

    def released(self) -> None:
        """Forget the live way: what is live again later begins from what students have then."""
        self.history.drop_ref(self._ref("mark"))
        self.history.drop_ref(self._ref("next"))

    def _live(
        self, at: CommitId | None, source: CommitId, edits: Differences, *, again: bool = False
    ) -> CommitId | None:
        tree = self._edited(at, edits)
        if tree == self.history.tree_id(at):
            return None
        commit = self.history.look_up(source)
        if at is None:  # else it could be the instructor's first commit itself, byte by byte
            return self.history.commit([], tree, self._author, f"Begin with {words.files(len(edits))}", commit.time)
        said = words.message(_changes(edits)) if again else self._said(commit, edits)
        return self.history.commit([at], tree, commit.author, said, commit.time)

    def _said(self, commit: Commit, edits: Differences) -> str:
        """The commit's message, unless it names what is for staff alone: then what students see of it."""
        before = commit.parents[0] if commit.parents else None
        for path in self.history.changes(before, commit.id):
            if path not in edits and any(name in commit.message for name in words.names(path)):
                return words.message(_changes(edits))
        return commit.message

    def _source(self) -> CommitId | None:
        mark = self._mark()
        if mark is None or not self.history.contains(self.head, mark.parents[1]):
            return None
        return mark.parents[0]

    def _mark(self) -> Commit | None:
        mark = self.history.ref(self._ref("mark"))
        return None if mark is None else self.history.look_up(mark)

    def _marking(self, source: CommitId, line: CommitId, projected: bytes | None) -> CommitId:
        """One object for all three, so that one ref moves them together; it never leaves this machine."""
        return self.history.commit([source, line], projected, self._author, "Where students are", 0)

    def _ref(self, name: str) -> str:
        return f"refs/students/{self.key}/{name}"

    # releases

    def releases(self, limit: int = 50) -> list[Release]:
        """What was published here, newest first."""
        found: list[Release] = []
        for commit in self._line():
            trailers = dict(_TRAILER.findall(commit.message))
            if _RELEASE in trailers:
                if commit.id not in self._counted:
                    self._counted[commit.id] = len(self._did(commit))
                said, files = commit.message.partition("\n")[0], self._counted[commit.id]
                undoes = CommitId(trailers[_UNDOES]) if _UNDOES in trailers else None
                found.append(Release(trailers[_RELEASE], commit.id, commit.time, said, files, undoes))
            if len(found) == limit:
                break
        return found

    def published(self, plan: Plan) -> CommitId | None:
        """The commit that did this plan."""
        wanted = f"{_RELEASE}: {plan.id}"
        return next((each.id for each in self._line() if wanted in each.message.splitlines()), None)

    def publish(self, plan: Plan, present: CommitId | None) -> tuple[CommitId, Differences] | None:
        """Commit the plan's paths as the projection has them; None if students have all that.

        What is for staff in the folder's `present` commit is so in every older one.
        """
        assert plan.commit is not None
        edits = self.differences(plan.commit, plan.paths)
        if present is not None and present != plan.commit:
            edits = self._without_staff(edits, present)
        if not edits:
            return None
        message = plan.message or words.message(_changes(edits))
        return self._commit(edits, message, f"{_RELEASE}: {plan.id}"), edits

    def _without_staff(self, edits: Differences, present: CommitId) -> Differences:
        projected, history = self.project(present), self.history
        out: Differences = {}
        for path, (was, now) in edits.items():
            if history.item(present, path) is not None and history.below(projected, path) is None:
                now = None
            if was != now:
                out[path] = (was, now)
        return out

    def undo(self, plan: Plan) -> tuple[CommitId, Differences]:
        """Commit the former state of exactly what a release changed.  NeedsUser if that was changed again since."""
        assert plan.commit is not None
        undone = self.history.look_up(plan.commit)
        subject = undone.message.partition("\n")[0]
        edits: Differences = {}
        for path, (was, now) in self._did(undone).items():
            here = self.history.item(self.head, path)
            if (None if here is not None and here.is_folder else here) != now:
                raise NeedsUser(
                    f"“{shown(path)}” was changed on the students' branch after “{subject}”, which can't be undone "
                    "therefore: undo what came later first, or publish what you want students to have."
                )
            edits[path] = (now, was)
        trailers = f"{_RELEASE}: {plan.id}\n{_UNDOES}: {undone.id}"
        return self._commit(edits, plan.message or words.undoing(subject), trailers), edits

    def to_undo(self, which: str | None) -> Release:
        """The release with this id, or the last one.  NeedsUser if there is none."""
        known = self.releases()
        found = [each for each in known if which in (None, each.id) or (which and each.commit.startswith(which))]
        if not found:
            what = f"There is no release {which}" if which else "Nothing was published to the students' branch yet"
            raise NeedsUser(f"{what}; `syncd publish --list` lists what was.")
        return found[0]

    def _commit(self, edits: Differences, message: str, trailers: str) -> CommitId:
        head = self.head
        text = f"{message.strip()}\n\n{trailers}\n"
        return self.history.commit([head] if head else [], self._edited(head, edits), self._author, text)

    def _edited(self, at: CommitId | None, edits: Differences) -> bytes | None:
        return self.history.edited(self.history.tree_id(at), {path: now for path, (_, now) in edits.items()})

    def _did(self, commit: Commit) -> Differences:
        before = self.history.tree_id(commit.parents[0] if commit.parents else None)
        found = self.history.differences(before, self.history.tree_id(commit.id))
        return {path: (was, now) for path, was, now in found}

    def _line(self) -> Iterator[Commit]:
        at = self.head
        for _ in range(_FURTHEST):
            if at is None:
                return
            commit = self.history.look_up(at)
            yield commit
            at = commit.parents[0] if commit.parents else None


def _chosen(path: RelPath, paths: Collection[RelPath]) -> bool:
    return not paths or any(path == each or inside(path, each) for each in paths)


def _changes(edits: Differences) -> dict[RelPath, Change]:
    return {path: Change(was.entry if was else None, now.entry if now else None) for path, (was, now) in edits.items()}
