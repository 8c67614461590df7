"""The node's lists of members, kept as the hub's groups are: `<folder>/COURSE.members`, a course's `members_file`.

A list is replaced in one step, so that the node never reads half of one.  It belongs to the folder's group, with which
the node reads it, and nobody else does.  While the hub is away the lists stay as they are.
"""

import asyncio
import fcntl
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hub_plugin import words
from hub_plugin.courses import Course
from hub_plugin.rosters import INTERVAL_S, Groups
from syncd.core.errors import NeedsUser, SyncError

_log = logging.getLogger("hub_plugin")
# Of what else a name may hold, the node would read a part as somebody else's name, as a group or as a remark.
_ACCOUNT = re.compile(r"[^\s#@,:/\x00-\x1f\x7f][^\s#,:/\x00-\x1f\x7f]{0,254}")


class MembersFiles:
    """Keeps a list for each course that not everybody has."""

    def __init__(self, folder: Path, courses: Sequence[Course], account: Callable[[str], str], groups: Groups) -> None:
        """`account` is a hub user's account on this machine."""
        self._folder, self._account, self._groups = folder, account, groups
        self._courses = [course for course in courses if not course.open_to_all]
        self._said = ""

    async def run(self) -> None:
        """Until cancelled; what goes wrong is said once and tried again."""
        while True:
            look = await self._groups.look()
            said = look.problem or ""
            if not said and self._groups.known is not None:
                try:
                    await asyncio.to_thread(self.keep, self._groups.known)
                except SyncError as problem:
                    said = str(problem)
            if said and said != self._said:
                _log.warning("%s", said)
            self._said = said
            await asyncio.sleep(INTERVAL_S)

    def keep(self, groups: Mapping[str, Sequence[str]]) -> None:
        """Have the lists hold who is in the groups, and nobody else.  NeedsUser if they can't be written."""
        with _changing(self._folder):
            for course in self._courses:
                names = (*course.groups, *course.staff_groups)
                users = {self._account(user) for group in names for user in groups.get(group, ())}
                _write(self._folder, course, users)


def let_in(folder: Path, account: str, courses: Sequence[Course]) -> None:
    """Have somebody be in some courses' lists now: a login may bring groups a moment before the server starts.

    NeedsUser if the lists can't be written.
    """
    # RACE: the service may have asked for the groups before; it puts this right when it asks again.
    with _changing(folder):
        for course in courses:
            if not course.open_to_all and account not in (users := _read(folder, course)):
                _write(folder, course, users | {account})


def _path(folder: Path, course: Course) -> Path:
    return folder / f"{course.name}.members"


def _read(folder: Path, course: Course) -> frozenset[str]:
    with suppress(FileNotFoundError):
        lines = _path(folder, course).read_text("utf-8", "replace").splitlines()
        return frozenset(line for line in lines if _ACCOUNT.fullmatch(line))
    return frozenset()


def _write(folder: Path, course: Course, users: set[str] | frozenset[str]) -> None:
    path = _path(folder, course)
    lines = sorted(user for user in users if _ACCOUNT.fullmatch(user))
    text = "".join(f"{line}\n" for line in ("# " + words.members_file(course.name), *lines))
    with suppress(OSError, UnicodeDecodeError):
        if path.read_text("utf-8") == text:
            return
    handle, aside = tempfile.mkstemp(dir=folder, prefix=f".{course.name}-")
    try:
        with open(handle, "w", encoding="utf-8") as out:
            os.fchown(handle, -1, folder.stat().st_gid)
            os.fchmod(handle, 0o640)
            out.write(text)
            out.flush()
            os.fsync(handle)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


@contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """The folder, made if it is missing, for one at a time: hub and service both change lists."""
    handle = -1
    try:
        with suppress(FileExistsError):
            os.mkdir(folder, 0o750)
            os.chown(folder, -1, folder.parent.stat().st_gid)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        if os.fstat(handle).st_mode & 0o002:
            raise NeedsUser(words.members_unsafe(str(folder)))
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise NeedsUser(words.members_unwritable(str(folder), error.strerror or str(error))) from error
    finally:
        if handle >= 0:
            os.close(handle)
