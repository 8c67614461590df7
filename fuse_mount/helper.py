"""`syncd-overlay SRC MNT -o lowerdir=..,upperdir=..[,workdir=..]`: the overlay over plain folders, as a mount helper.

Public test-suites of file systems can be run on it so.  Other options: `fsname=`, `engine=kernel|mfusepy`,
`noallow_other`; `-f` stays in the foreground.  What mount(8) adds by itself is taken and passed over.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fuse_mount.handover import Handed, claim
from fuse_mount.kernel.engine import KernelEngine
from fuse_mount.kernel.mount import MountOptions, close_mount, is_dead
from fuse_mount.lower import EmptyLower, Lower
from fuse_mount.lower_folder import FolderLower
from fuse_mount.overlay import Caller, Overlay
from fuse_mount.record_log import RecordLog
from fuse_mount.stand_in import serve_until_relieved
from fuse_mount.successor import go_on
from fuse_mount.upper import Upper

if TYPE_CHECKING:
    from fuse_mount.mfusepy_engine import MfusepyEngine

_OURS = {"lowerdir", "upperdir", "workdir", "fsname", "engine", "noallow_other"}
_PASSED_OVER = {
    *("rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "auto", "noauto", "user", "nouser", "async", "sync"),
    *("atime", "noatime", "relatime", "strictatime", "diratime", "nodiratime", "lazytime", "defaults", "_netdev"),
    *("allow_other", "default_permissions", "subtype", "nofail", "users", "context", "source"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Mount, and serve in the background until it is unmounted."""
    parser = argparse.ArgumentParser(prog="syncd-overlay", description="Mount an overlay over plain folders.")
    parser.add_argument("source")
    parser.add_argument("point", type=Path)
    parser.add_argument("-o", dest="options", action="append", default=[])
    parser.add_argument("-f", dest="foreground", action="store_true")
    said = parser.parse_args(arguments)
    try:
        options = _options(",".join(said.options))
        if said.foreground:
            _serve(said.source, said.point, options, None)
            return 0
        return _in_background(said.source, said.point, options)
    except (OSError, ValueError) as problem:
        print(f"syncd-overlay: {problem}", file=sys.stderr)
        return 1


def _options(words: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for word in filter(None, words.split(",")):
        name, _, value = word.partition("=")
        if name in _OURS:
            out[name] = value
        elif name not in _PASSED_OVER:
            raise ValueError(f"the option {name} is not known here")
    if "upperdir" not in out:
        raise ValueError("the option upperdir= is missing")
    return out


def _in_background(source: str, point: Path, options: Mapping[str, str]) -> int:
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
        _serve(source, point, options, say)
    except (OSError, ValueError) as problem:
        os.write(say, str(problem).encode())
    os._exit(0)


class _Served:
    """One overlay over plain folders, mounted."""

    engine: "KernelEngine | MfusepyEngine"

    def __init__(self, source: str, point: Path, options: Mapping[str, str], handed: Handed | None) -> None:
        self._asked = source, point, options
        upperdir = Path(options["upperdir"]).absolute()
        self._work = Path(options.get("workdir") or upperdir.with_name(f".{upperdir.name}.work")).absolute()
        kernel = options.get("engine", "kernel") == "kernel"
        (self._work / "staging").mkdir(parents=True, exist_ok=True)
        stands_in = handed is not None
        if handed is None and kernel:
            handed = claim(self._work)
        lower: Lower = FolderLower(Path(options["lowerdir"])) if options.get("lowerdir") else EmptyLower()
        upper = Upper(upperdir, self._work / "staging")
        self.log = RecordLog(self._work / "layer.log", upper.real)
        self.overlay = Overlay(lower, upper, self.log, Caller(os.geteuid(), os.getegid()))
        taken = go_on(self.overlay, handed, point) if handed is not None else None
        upper.clean(node.real for node in self.overlay.opened if node.orphan)
        if taken is None and stands_in:
            os._exit(0)  # it was unmounted meanwhile
        if taken is None and is_dead(point):
            close_mount(point)
        if kernel:
            allow = os.geteuid() == 0 and "noallow_other" not in options
            named = MountOptions(options.get("fsname") or source, allow)
            engine = self.engine = KernelEngine(self.overlay, point, named, taken)
            if not stands_in:
                engine.keep_for_successor(self._work, self._stand_in)
        else:
            from fuse_mount.mfusepy_engine import MfusepyEngine

            self.engine = MfusepyEngine(self.overlay, point)

    def _stand_in(self, handed: Handed) -> None:
        served = _Served(*self._asked, handed)
        serve_until_relieved(served.overlay, served.engine)


def _serve(source: str, point: Path, options: Mapping[str, str], say: int | None) -> None:
    if say is not None:
        # First of all: whoever reads our output waits for all our children too.
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
    served = _Served(source, point.absolute(), options, None)
    if say is not None:
        os.write(say, b"ready")
        os.close(say)
    served.engine.wait()
    if isinstance(served.engine, KernelEngine):
        served.engine.let_go()
    served.log.close()


if __name__ == "__main__":
    sys.exit(main())
