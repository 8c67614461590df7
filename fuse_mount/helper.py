"""`syncd-overlay SRC MNT -o lowerdir=..,upperdir=..[,workdir=..]`: the overlay over plain folders, as a mount helper.

Public test-suites of file systems can be run on it so.  Other options: `fsname=`, `engine=kernel|mfusepy`,
`noallow_other`, and those of mount(8) in `_FLAGS`, which the engine `kernel` honours; `-f` stays in the foreground.
What mount(8) adds by itself besides is taken and passed over.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuse_mount.handover import Handed, claim
from fuse_mount.kernel.engine import KernelEngine
from fuse_mount.kernel.mount import MountOptions, close_mount, is_dead, is_mounted
from fuse_mount.lower import EmptyLower, Lower
from fuse_mount.lower_folder import FolderLower
from fuse_mount.overlay import Caller, Overlay
from fuse_mount.record_log import RecordLog
from fuse_mount.stand_in import serve_until_relieved
from fuse_mount.state_lock import DYING_S, lock
from fuse_mount.successor import go_on
from fuse_mount.syscalls import AccessTimes, MountFlag, private_mount
from fuse_mount.upper import Upper
from syncd.core.errors import Stop

if TYPE_CHECKING:
    from fuse_mount.mfusepy_engine import MfusepyEngine

_ENDING_S = 1.5
"""For how long a process whose mount was just taken away may still have the layers."""
_OURS = {"lowerdir", "upperdir", "workdir", "fsname", "engine", "noallow_other"}
_PASSED_OVER = {
    *("suid", "nosuid", "dev", "nodev", "auto", "noauto", "user", "nouser", "users", "async", "sync", "lazytime"),
    *("allow_other", "default_permissions", "subtype", "nofail", "context", "source", "defaults", "_netdev"),
}
_FLAGS = {
    "ro": (MountFlag.READ_ONLY, MountFlag.NONE),
    "rw": (MountFlag.NONE, MountFlag.READ_ONLY),
    "noexec": (MountFlag.NOEXEC, MountFlag.NONE),
    "exec": (MountFlag.NONE, MountFlag.NOEXEC),
    "noatime": (MountFlag.NOATIME, MountFlag.STRICTATIME),
    "strictatime": (MountFlag.STRICTATIME, MountFlag.NOATIME),
    "atime": (MountFlag.NONE, MountFlag.NOATIME),
    "relatime": (MountFlag.NONE, MountFlag.NOATIME | MountFlag.STRICTATIME),
    "nodiratime": (MountFlag.NODIRATIME, MountFlag.NONE),
    "diratime": (MountFlag.NONE, MountFlag.NODIRATIME),
}
"""What a word sets and what it takes away; the last word counts."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be mounted, and how."""

    source: str
    point: Path
    options: Mapping[str, str]
    flags: MountFlag

    @property
    def upper(self) -> Path:
        return Path(self.options["upperdir"]).absolute()

    @property
    def work(self) -> Path:
        return Path(self.options.get("workdir") or self.upper.with_name(f".{self.upper.name}.work")).absolute()


def main(arguments: Sequence[str] | None = None) -> int:
    """Mount, and serve in the background until it is unmounted."""
    parser = argparse.ArgumentParser(prog="syncd-overlay", description="Mount an overlay over plain folders.")
    parser.add_argument("source")
    parser.add_argument("point", type=Path)
    parser.add_argument("-o", dest="options", action="append", default=[])
    parser.add_argument("-f", dest="foreground", action="store_true")
    said = parser.parse_args(arguments)
    try:
        asked = _asked(said.source, said.point.absolute(), ",".join(said.options))
        if said.foreground:
            _serve(asked, None)
            return 0
        return _in_background(asked)
    except (OSError, ValueError, Stop) as problem:
        print(f"syncd-overlay: {problem}", file=sys.stderr)
        return 1


def _asked(source: str, point: Path, words: str) -> _Asked:
    options: dict[str, str] = {}
    flags = MountFlag.NONE
    for word in filter(None, words.split(",")):
        name, _, value = word.partition("=")
        if name in _OURS:
            options[name] = value
        elif name in _FLAGS:
            more, less = _FLAGS[name]
            flags = flags & ~less | more
        elif name not in _PASSED_OVER:
            raise ValueError(f"the option {name} is not known here")
    if "upperdir" not in options:
        raise ValueError("the option upperdir= is missing")
    return _Asked(source, point, options, flags)


def _in_background(asked: _Asked) -> int:
    hear, say = os.pipe()
    if os.fork() != 0:
        os.close(say)
        with os.fdopen(hear) as answer:
            problem = answer.read()
        if problem != "ready":
            print(f"syncd-overlay: {problem or 'it ended at once'}", file=sys.stderr)
            return 1
        return 0
    os.close(hear)
    os.setsid()
    try:
        _serve(asked, say)
    except (OSError, ValueError, Stop) as problem:
        os.write(say, str(problem).encode())
    os._exit(0)


class _Served:
    """One overlay over plain folders, mounted."""

    engine: "KernelEngine | MfusepyEngine"

    def __init__(self, asked: _Asked, handed: Handed | None) -> None:
        self._asked = asked
        options, point = asked.options, asked.point
        kernel = options.get("engine", "kernel") == "kernel"
        asked.work.mkdir(parents=True, exist_ok=True)
        stands_in = handed is not None
        if handed is None and kernel:
            handed = claim(asked.work)
        self._lock = _locked(asked, _ENDING_S if handed is None else DYING_S)
        lower: Lower = FolderLower(Path(options["lowerdir"])) if options.get("lowerdir") else EmptyLower()
        upper = _upper(asked)
        self.log = RecordLog(asked.work / "layer.log", upper.real)
        self.overlay = Overlay(lower, upper, self.log, Caller(os.geteuid(), os.getegid()))
        taken = go_on(self.overlay, handed, point) if handed is not None else None
        upper.clean(node.real for node in self.overlay.opened if node.orphan)
        if taken is None and stands_in:
            os._exit(0)  # it was unmounted meanwhile
        if taken is None and is_dead(point):
            close_mount(point)
        if kernel:
            allow = os.geteuid() == 0 and "noallow_other" not in options
            named = MountOptions(options.get("fsname") or asked.source, allow, asked.flags)
            engine = self.engine = KernelEngine(self.overlay, point, named, taken)
            if not stands_in:
                engine.keep_for_successor(asked.work, self._stand_in)
        else:
            from fuse_mount.mfusepy_engine import MfusepyEngine

            self.engine = MfusepyEngine(self.overlay, point)

    def _stand_in(self, handed: Handed) -> None:
        served = _Served(self._asked, handed)
        serve_until_relieved(served.overlay, served.engine)


def _locked(asked: _Asked, patience_s: float) -> int:
    where = asked.work / "mounted-at"
    try:
        locked = lock(asked.work, patience_s)
    except Stop:
        if not where.exists() or is_mounted(Path(os.fsdecode(where.read_bytes()))):
            raise
        # RACE: it is mounted here no more.  What keeps its process is a copy of the mount in another mount namespace.
        return -1
    where.write_bytes(os.fsencode(asked.point))
    return locked


def _upper(asked: _Asked) -> Upper:
    """The upper on a mount of our own, where the disk keeps access times as the mount is to show them."""
    upper, work, wanted = asked.upper, asked.work, AccessTimes(0)
    if asked.flags & (MountFlag.NOATIME | MountFlag.READ_ONLY):
        wanted = AccessTimes.NEVER
    elif asked.flags & MountFlag.STRICTATIME:
        wanted = AccessTimes.ALWAYS
    if asked.flags & MountFlag.NODIRATIME:
        wanted |= AccessTimes.NOT_OF_FOLDERS
    if wanted:
        upper.mkdir(parents=True, exist_ok=True)
        above = os.path.commonpath((upper, work))
        # Without the right to it, or with a mount in between, access times are kept as the disk keeps them.
        with contextlib.suppress(OSError):
            own = Path(f"/proc/self/fd/{private_mount(os.fsencode(above), wanted)}")
            moved = own / upper.relative_to(above), own / work.relative_to(above)
            if all(map(os.path.samefile, moved, (upper, work))):
                upper, work = moved
    return Upper(upper, work / "staging")


def _serve(asked: _Asked, say: int | None) -> None:
    if say is not None:
        # First of all: whoever reads our output waits for all our children too.
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
    served = _Served(asked, None)
    if say is not None:
        os.write(say, b"ready")
        os.close(say)
    served.engine.wait()
    if isinstance(served.engine, KernelEngine):
        served.engine.let_go()
    served.log.close()


if __name__ == "__main__":
    sys.exit(main())
