"""`syncd students`: a folder gets a branch that students follow; all is checked before anything is noted."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from syncd.core.errors import NeedsUser
from syncd.git.address import check_branch, repository
from syncd.git.remote import Remote
from syncd.publisher.credentials import Credentials
from syncd.publisher.plans import Plans
from syncd.publisher.registry import Folder, Registry, Students

Way = Literal["live", "release"]
_USUAL_BRANCH = "students"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person said; None: as it is, or the usual."""

    branch: str | None = None
    remote: str | None = None
    way: Way | None = None


def set_students(state: Path, what: str, wish: Wish, token: str | None = None) -> str:
    """Note which branch students of a folder (by id or path) follow; what was done, in a sentence.

    Blocks; a SyncError says what is wrong, and then nothing was changed.  A publisher that runs goes on with it by
    itself.  A branch that exists is continued, never replaced.
    """
    registry, credentials = Registry(state), Credentials(state)
    folder = registry.find(what)
    students = _wanted(folder, wish)
    there = Remote(students.remote, (lambda: token) if token else credentials.asker(students.remote))
    branches = there.branches()
    if wish.branch is None and folder.students is None and wish.remote is not None:
        students = Students(students.remote, there.default_branch() or "main", students.way)
    check_branch(students.branch)
    _check_free(registry, folder, students)
    if not there.may_push():
        raise NeedsUser(
            f"The token may read {there.address} but not write to it: make one with the right to write its contents."
        )
    _check_names(students.branch, branches)
    if token:
        credentials.store(students.remote, token)
    registry.set_students(folder.id, students)
    begun = "continued from what it holds" if students.branch in branches else "made at the first publication"
    how = (
        "every save goes there at once"
        if students.way == "live"
        else f"what you choose goes there: syncd publish --folder {folder.path}"
    )
    said = f"Students of {folder.path} follow branch {students.branch} of {there.address} ({begun}); {how}."
    if repository(students.remote) == repository(folder.remote):
        said += " Who can read that repository can read your own branch, too: --remote gives students another one."
    return said


def end_students(state: Path, what: str) -> str:
    """Let students follow the folder's own branch again; a sentence.  The students' branch stays as it is."""
    registry = Registry(state)
    folder = registry.find(what)
    if folder.students is None:
        return f"Students of {folder.path} follow its own branch {folder.branch} already."
    check_nothing_planned(registry, folder)
    registry.set_students(folder.id, None)
    return (
        f"Nothing more goes to branch {folder.students.branch}, which stays as it is; students who shall follow "
        f"branch {folder.branch} need its link."
    )


def check_nothing_planned(registry: Registry, folder: Folder) -> None:
    """NeedsUser while releases of a folder are still to come."""
    planned = len(Plans(registry.own(folder.id)).all())
    if planned:
        raise NeedsUser(
            f"{planned} {'release is' if planned == 1 else 'releases are'} still planned: cancel them first "
            "(syncd publish --list, syncd publish --cancel ID)."
        )


def _wanted(folder: Folder, wish: Wish) -> Students:
    now = folder.students
    remote = repository_url(wish.remote) if wish.remote else now.remote if now else folder.remote
    branch = wish.branch or (now.branch if now else _USUAL_BRANCH)
    return Students(remote, branch, wish.way or (now.way if now else "live"))


def repository_url(text: str) -> str:
    """The address as the registry keeps it.  NeedsUser where we refuse it."""
    return Remote(text, lambda: None).address.url


def _check_free(registry: Registry, folder: Folder, students: Students) -> None:
    for other in registry.folders():
        if (repository(other.remote), other.branch) == (repository(students.remote), students.branch):
            whose = "your own branch" if other.id == folder.id else f"the branch of {other.path}"
            raise NeedsUser(f"“{students.branch}” is {whose}: choose another name for the students' branch.")
        theirs = other.students
        if theirs is None or other.id == folder.id:
            continue
        if (repository(theirs.remote), theirs.branch) == (repository(students.remote), students.branch):
            raise NeedsUser(f"“{students.branch}” is what students of {other.path} follow: choose another name.")


def _check_names(branch: str, branches: Iterable[str]) -> None:
    """Git can't have a branch `a` beside a branch `a/b`."""
    for other in branches:
        if other.startswith(branch + "/") or branch.startswith(other + "/"):
            raise NeedsUser(f"“{branch}” can't be made beside the branch “{other}”: choose another name.")


def way_of(text: str | None) -> Way | None:
    """A way by its name.  NeedsUser if it is none."""
    if text is None:
        return None
    if text == "live":
        return "live"
    if text == "release":
        return "release"
    raise NeedsUser(f"“{text}” is no way to publish: say live or release.")


def folder_of(state: Path, given: str | None) -> tuple[Folder, Path]:
    """The folder that is meant, by default the one that holds the current folder; and where the person stands."""
    registry, here = Registry(state), Path(os.path.realpath("."))
    if given is not None:
        return registry.find(given), here
    for folder in registry.folders():
        if here == folder.path or here.is_relative_to(folder.path):
            return folder, here
    known = registry.folders()
    if len(known) == 1:
        return known[0], here
    raise NeedsUser("Say which folder is meant (FOLDER); `syncd status` lists them.")
