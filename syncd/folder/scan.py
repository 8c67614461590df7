"""What lies in a folder, by stat data alone: files and links, folder by folder, nothing read.

Links are never followed, other file systems mounted below are not entered, fifos, sockets and
devices are passed over.  What can't be looked at is reported: it must never pass for deleted.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from syncd.core.entry import Mode, RelPath
from syncd.core.ignore import ASIDE, Ignored
from syncd.core.names import DEEPEST, LONGEST_PATH
from syncd.folder.fingerprint import UNKNOWN
from syncd.folder.root import HAS_DESCRIPTORS, Dir, InTheWay, Root, is_junction


@dataclass(frozen=True, slots=True)
class StatId:
    """A file's identity by stat data: equal means "not touched since", but for `racy` ones.

    On Windows, where they mean something else or nothing, `ctime_ns` and `ino` are 0.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    ino: int

    def same_file(self, other: "StatId") -> bool:
        """Equal but for ctime, which a rename moves on."""
        return (self.size, self.mtime_ns, self.ino) == (other.size, other.mtime_ns, other.ino)


@dataclass(frozen=True, slots=True)
class Seen:
    """One file or link, as looked at."""

    path: RelPath
    mode: Mode
    stat: StatId


@dataclass(frozen=True, slots=True)
class Unread:
    """A file or folder that could not be looked at, and why, in a sentence."""

    path: RelPath
    why: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One folder ('' is the top): its files and links, the names of its folders, and what can't be read."""

    folder: str
    files: list[Seen]
    folders: list[str]
    unread: list[Unread]
    fingerprint: bytes = UNKNOWN
    """As it was just before the rest was looked at; only if asked for."""
    names: bytes = b""
    """By which it can be told again: see `syncd.folder.fingerprint`."""
    changed_ns: int = 0
    """When a name came or went last, or later, by the disk's clock."""


def stat_id(found: os.stat_result) -> StatId:
    """The identity in a stat result."""
    if sys.platform == "win32":
        return StatId(found.st_size, found.st_mtime_ns, 0, 0)
    return StatId(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def mode_of(found: os.stat_result) -> Mode | None:
    """The kind of file; None for what git does not keep (folders, fifos, devices ...)."""
    if stat.S_ISREG(found.st_mode):
        executable = found.st_mode & stat.S_IXUSR and sys.platform != "win32"
        return Mode.EXECUTABLE if executable else Mode.FILE
    return Mode.SYMLINK if stat.S_ISLNK(found.st_mode) else None


def look(root: Root, path: RelPath) -> Seen | None:
    """One path by itself; None if no file or link is there (a folder is none).  OSError if it can't be told."""
    try:
        with root.above(path) as (folder, name):
            found = folder.lstat(name)
    except (FileNotFoundError, InTheWay):
        return None
    mode = mode_of(found)
    return None if mode is None else Seen(path, mode, stat_id(found))


Known = Callable[[str], Sequence[str] | None]
"""The names of a folder's folders if nothing in it needs to be looked at, else None."""


def scan(root: Root, ignored: Ignored, below: str = "", known: Known | None = None) -> Iterator[Listing]:
    """The folder and all folders below it, each once; a folder that vanishes meanwhile is passed over.

    `known` may tell of folders that need not be listed; with it, listings have fingerprints.
    OSError for the top itself: an unreadable top must not look like an empty one.
    """
    device = root.identity[0]
    stack = [below]
    while stack:
        here = stack.pop()
        prefix = here + "/" if here else ""
        if known is not None and (folders := known(here)) is not None:
            stack.extend(prefix + name for name in reversed(folders))
            continue
        try:
            listing = _list(root, here, ignored, device, known is not None)
        except (FileNotFoundError, InTheWay):
            if not here:
                raise
            continue
        except OSError as problem:
            if here == below:
                raise
            why = f"The folder “{here}” can't be read ({problem.strerror}) and is left as it is."
            yield Listing(here, [], [], [Unread(RelPath(here), why)])
            continue
        yield listing
        stack.extend(prefix + name for name in reversed(listing.folders))


def _list(root: Root, here: str, ignored: Ignored, device: int, marked: bool) -> Listing:
    prefix = here + "/" if here else ""
    with root.folder(here) as folder:
        mark, names = next(folder.fingerprints(device, [("", b"")])) if marked and HAS_DESCRIPTORS else (UNKNOWN, b"")
        found = folder.stat()
        changed_ns = max(found.st_mtime_ns, found.st_ctime_ns)
        return _listed(
            folder, Listing(here, [], [], [], mark, names, changed_ns), prefix, ignored, found.st_dev == device
        )


def _listed(folder: Dir, out: Listing, prefix: str, ignored: Ignored, of_our_disk: bool) -> Listing:
    here = out.folder
    asides = False
    with folder.entries() as entries:
        if sys.platform != "win32" and not of_our_disk:
            why = f"Another disk is mounted at “{here}”; what is on it is not synced."
            out.unread.append(Unread(RelPath(here), why))
            return out
        for entry in entries:
            path = RelPath(prefix + entry.name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    if ignored(path, True) or (sys.platform == "win32" and is_junction(entry.stat())):
                        continue
                    if path.count("/") >= DEEPEST or len(os.fsencode(path)) > LONGEST_PATH:
                        why = f"The folder “{path[:80]}…” lies too deep and is not synced."
                        out.unread.append(Unread(path, why))
                    else:
                        out.folders.append(entry.name)
                    continue
                if ignored(path, False):
                    asides |= entry.name.startswith(ASIDE)
                    continue
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as problem:
                why = f"“{path}” can't be looked at ({problem.strerror}) and is left as it is."
                out.unread.append(Unread(path, why))
                continue
            mode = mode_of(found)
            if mode is not None:
                out.files.append(Seen(path, mode, stat_id(found)))
    out.folders.sort()
    # What a crash left must be found again at the next start, so such a folder is never passed over.
    return replace(out, fingerprint=UNKNOWN) if asides else out
