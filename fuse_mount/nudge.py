"""Telling programs that watch a folder by inotify: a switch of the lower tree makes no events by itself.

A name that changed is opened for writing through the mount and closed again, which copies nothing up
and gives whoever watches its folder IN_CLOSE_WRITE.  Only folders that somebody watches cost anything.
A process must never open files of a mount that it serves, so a short-lived child does it.
"""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fuse_mount.apart import apart

_WATCH = re.compile(rb"^inotify wd:\S+ ino:([0-9a-f]+) sdev:([0-9a-f]+) ", re.MULTILINE)
_OWNER = re.compile(rb" - fuse\.synced-folders \S+ \S*\buser_id=(\d+)")
_PATIENCE_S = 5
_REMEMBERED_S = 60.0
_MOST = 2000
"""Names told of in one switch; a program that watches so many looks at them all after the first."""


def device_of(point: Path) -> int | None:
    """A mount's device as inotify's records name it, from the kernel's table."""
    wanted = os.fsencode(os.path.realpath(point.parent) + "/" + point.name)
    with open("/proc/self/mountinfo", "rb") as table:
        for line in table:
            _, _, device, _, at, *_ = line.split(b" ")
            if at == wanted:
                major, minor = map(int, device.split(b":"))
                return major << 20 | minor
    return None


class Watchers:
    """Looks for who watches; remembers processes of others, so that a look costs little more than /proc's names."""

    def __init__(self) -> None:
        """Nobody is known yet."""
        self._strangers: set[str] = set()
        self._known_since = time.monotonic()

    def watched(self, device: int) -> set[int]:
        """The inodes of a device that processes of this account watch (of all accounts, for root)."""
        now, found, us = time.monotonic(), set[int](), os.geteuid()
        if now - self._known_since > _REMEMBERED_S:
            self._strangers, self._known_since = set(), now  # their numbers may be others' by now
        running = {name for name in os.listdir("/proc") if name.isdigit()}
        self._strangers &= running
        for name in running - self._strangers:
            with contextlib.suppress(OSError):
                if us in (0, os.stat(f"/proc/{name}").st_uid):
                    found |= _watched_by(f"/proc/{name}", device)
                else:
                    self._strangers.add(name)
        return found


def watching() -> set[int]:
    """The users of whose folders (mounts of this package) programs watch some; for root, who may look at all."""
    owners: dict[int, int] = {}
    with open("/proc/self/mountinfo", "rb") as table:
        for line in table:
            if found := _OWNER.search(line):
                major, minor = map(int, line.split(b" ")[2].split(b":"))
                owners[major << 20 | minor] = int(found[1])
    found_devices: set[int] = set()
    for name in os.listdir("/proc") if owners else ():
        if name.isdigit():
            with contextlib.suppress(OSError):
                found_devices |= {device for _, device in _watches_of(f"/proc/{name}")}
    return {owners[device] for device in found_devices & owners.keys()}


def _watched_by(process: str, device: int) -> set[int]:
    return {ino for ino, at in _watches_of(process) if at == device}


def _watches_of(process: str) -> Iterator[tuple[int, int]]:
    """Inode and device of all that a process watches."""
    for fd in os.listdir(f"{process}/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"{process}/fd/{fd}") == "anon_inode:inotify":
                info = Path(f"{process}/fdinfo/{fd}").read_bytes()
                yield from ((int(ino, 16), int(at, 16)) for ino, at in _WATCH.findall(info))


def nudge(point: Path, names: Mapping[bytes, Iterable[bytes]]) -> None:
    """Have a child open and close these names, given by folder; it ends by itself, and nobody waits for it."""
    paths = [os.fsencode(point) + b"/" + folder + b"/" + name for folder in names for name in names[folder]][:_MOST]

    def touch() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_PATIENCE_S)
        for path in paths:
            with contextlib.suppress(OSError):
                os.close(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK))

    apart(touch)
