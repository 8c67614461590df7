"""Becoming a student: what a process that root forked gives up, for good, before it touches anything of theirs."""

import ctypes
import os
import pwd
import resource
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from syncd.core.errors import NeedsUser

_PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 4, 15, 38  # <linux/prctl.h>
_KEPT = ("SYNCD_BROKER", "SYNCD_DEBUG", "SYNCD_FUSE_ENGINE", "LANG", "LC_ALL", "TZ")
_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Student:
    """A user of this machine, as the system knows them."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: Path


def student(name: str) -> Student:
    """A user by name.  NeedsUser if there is none, or it is the system's own."""
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise NeedsUser(f"This machine has no user named {name[:64]!r}: check the name.") from error
    if found.pw_uid == 0:
        raise NeedsUser("root has no folders of a course: name a student.")
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return Student(found.pw_name, found.pw_uid, found.pw_gid, groups, Path(found.pw_dir))


def become(who: Student, keep: Collection[int], name: bytes = b"syncd-agent") -> None:
    """Turn this process into one of the student's: ids, limits, surroundings; all descriptors but `keep` are closed.

    No way leads back: no capability is left, and no program that it starts can gain any.
    """
    close_all_but(keep)
    libc = ctypes.CDLL(None, use_errno=True)
    os.chdir("/")
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGPIPE else signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setgroups(who.groups)
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    # Its memory began as a copy of root's: nobody but root may look into it, the student neither.
    for option, value in ((_PR_SET_DUMPABLE, 0), (_PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    libc.prctl(_PR_SET_NAME, name, 0, 0, 0)
    kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
    os.environ.clear()
    os.environ.update({**kept, **surroundings(who)})


def surroundings(who: Student) -> Mapping[str, str]:
    """The environment of a student's process."""
    return {"HOME": str(who.home), "USER": who.name, "LOGNAME": who.name, "PATH": _PATH}


def close_all_but(kept: Collection[int]) -> None:
    """Of those above stderr."""
    last = 2  # os.closerange(0, 0) closes everything (CPython hands -1 on as the end)
    for fd in sorted(fd for fd in kept if fd > 2):
        os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, max(map(int, os.listdir("/proc/self/fd"))) + 1)
