"""Who may have a course: users and groups, by the node's settings or by a file that others keep up to date."""

import grp
import logging
import os
import pwd
import time
from dataclasses import dataclass
from pathlib import Path

from syncd.node.config import Course
from syncd.node.views import Peer

_log = logging.getLogger(__name__)
_KEPT_S = 60.0
"""How long the system's answer about a user's groups is trusted: it may come from a directory in the network."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A members file as it was read last."""

    stamp: tuple[int, int, int]
    names: frozenset[str]


class Members:
    """Answers whether somebody may have a course."""

    def __init__(self, own_uid: int) -> None:
        """`own_uid`: the node's own user may have all, as root may."""
        self._own_uid = own_uid
        self._files: dict[Path, _Listed] = {}
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}

    def has(self, course: Course, peer: Peer) -> bool:
        """Whether the peer is a member.  A file that can't be read has no members."""
        if peer.is_trusted(self._own_uid) or (course.members is None and course.members_file is None):
            return True
        names = self.listed(course)
        if peer.name in names:
            return True
        groups = {name[1:] for name in names if name.startswith("@")}
        return bool(groups) and not groups.isdisjoint(self._groups_of(peer.name))

    def listed(self, course: Course) -> frozenset[str]:
        """The users and @GROUPS that the lists name."""
        names = frozenset(course.members or ())
        return names if course.members_file is None else names | self._of_file(course.members_file)

    def _of_file(self, path: Path) -> frozenset[str]:
        try:
            with open(path, encoding="utf-8") as source:
                found = os.fstat(source.fileno())
                stamp = found.st_ino, found.st_mtime_ns, found.st_size
                known = self._files.get(path)
                if known is not None and known.stamp == stamp:
                    return known.names
                if found.st_mode & 0o002:
                    _log.warning("%s can be written by everybody, so nobody is a member: run `chmod o-w` on it", path)
                    return frozenset()
                names = frozenset(parse_members(source.read()))
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("%s can't be read (%s), so nobody is a member: check path and rights", path, error)
            return frozenset()
        self._files[path] = _Listed(stamp, names)
        return names

    def _groups_of(self, user: str) -> frozenset[str]:
        known = self._groups.get(user)
        if known is not None and time.monotonic() - known[0] < _KEPT_S:
            return known[1]
        names: set[str] = set()
        try:
            for gid in os.getgrouplist(user, pwd.getpwnam(user).pw_gid):
                names.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            pass  # a user or a group without a name is in no list of names
        self._groups[user] = time.monotonic(), frozenset(names)
        return frozenset(names)


def parse_members(text: str) -> list[str]:
    """One user, or @GROUP, a line; what follows a # is for people."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
