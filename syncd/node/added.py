"""Courses that the hub added while the node ran, because somebody followed a link to a repository that it allows.

    <store>/added/NAME.json      remote and branch
    <store>/added/NAME.members   who followed such a link, one a line; they alone have it

Settings come first: a name that they take is theirs.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

from syncd.core.errors import NeedsUser, TryAgain
from syncd.git.address import Kind, parse_address, repository
from syncd.node.config import Course, NodeConfig
from syncd.node.durable import write_durably

MOST, MOST_OF_ONE = 500, 30
_MEMBER = re.compile(r"[^\s#@,:/\x00-\x1f][^\s#,:/\x00-\x1f]{0,254}")


def with_added(config: NodeConfig) -> NodeConfig:
    """The settings, and the courses that were added to them."""
    known = {course.name for course in config.courses}
    added = (course for course in _all(config.store) if course.name not in known)
    return replace(config, courses=(*config.courses, *added))


def stamp(store: Path) -> int:
    """Another number whenever a course was added; 0 if none ever was."""
    try:
        return _folder(store).stat().st_mtime_ns
    except OSError:
        return 0


def add(config: NodeConfig, name: str, remote: str, branch: str | None, member: str) -> bool:
    """Have a course, for one more member; whether it is a new one.

    `config` are the settings without what was added.  NeedsUser if it can't be, or if the name is another course's.
    """
    course = Course(name, remote, branch, members_file=_folder(config.store) / f"{name}.members")
    if parse_address(remote).kind is not Kind.HTTP:
        raise NeedsUser("Only repositories at http addresses can be added by a link.")
    if not _MEMBER.fullmatch(member):
        raise NeedsUser(f"{member!r} is no user's name.")
    before = {each.name: each for each in (*_all(config.store), *config.courses)}
    other = before.get(name)
    if other is not None and (repository(other.remote), other.branch) != (repository(remote), branch):
        raise NeedsUser(f"The node has another course named {name}: give this one another name.")
    if other is None and len(of_member(config.store, member)) >= MOST_OF_ONE:
        raise TryAgain(f"Links have added {MOST_OF_ONE} courses for {member}, which is enough for one.")
    if other is None and len(before) >= MOST:
        raise TryAgain(f"The node follows {len(before)} courses already: take some out of {_folder(config.store)}.")
    if other is None or other.members_file == course.members_file:
        _let_in(course, member)
    if other is None:
        said = {"remote": remote, "branch": branch}
        write_durably(_folder(config.store) / f"{name}.json", json.dumps(said).encode())
    return other is None


def is_added(config: NodeConfig, course: Course) -> bool:
    """Whether a course was added, and is not one of the settings."""
    return course.members_file is not None and course.members_file.parent == _folder(config.store)


def of_member(store: Path, member: str) -> list[Course]:
    """The courses that were added for somebody."""
    return [course for course in _all(store) if course.members_file and member in _lines(course.members_file)]


def _let_in(course: Course, member: str) -> None:
    assert course.members_file is not None
    names = _lines(course.members_file)
    if member not in names:
        course.members_file.parent.mkdir(mode=0o755, exist_ok=True)
        write_durably(course.members_file, "".join(f"{name}\n" for name in [*names, member]).encode())


def _all(store: Path) -> list[Course]:
    found = []
    for path in sorted(_folder(store).glob("*.json")):
        try:
            said = json.loads(path.read_bytes())
            found.append(Course(path.stem, said["remote"], said["branch"], members_file=path.with_suffix(".members")))
        except (OSError, ValueError, KeyError, TypeError, NeedsUser):
            continue  # spoiled by hand: it is added anew by the next link
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _folder(store: Path) -> Path:
    return store / "added"
