"""What a folder holds: each file's entry, read only where the cache can't vouch for it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from syncd.core.entry import BlobId, Entry, RelPath
from syncd.core.ignore import Ignored
from syncd.core.left_out import LeftOut
from syncd.folder.fingerprint import UNKNOWN
from syncd.folder.hash import Hashed, Unsettled, hash_file
from syncd.folder.root import InTheWay, Root
from syncd.folder.scan import Known as KnownFolders
from syncd.folder.scan import Listing, Seen, Unread, look, scan
from syncd.folder.statcache import Known, StatCache, fresh, racy

Keep = Callable[[BinaryIO], BlobId]
"""Stores a content while it is hashed; gives its id."""

Refuse = Callable[[Seen], LeftOut | None]
"""Why a file is not to be read (too large, a name that can't be kept); None: read it."""

_BATCH = 500


def _nothing(seen: Seen) -> None:
    return None


@dataclass(slots=True)
class Observed:
    """Files and links by path, what can't be read, and what is being written at this moment.

    A path that is `unread` (or below an unread folder) or `unsettled` is not known to be gone.
    """

    files: dict[RelPath, Hashed] = field(default_factory=dict)
    unread: dict[RelPath, LeftOut] = field(default_factory=dict)
    unsettled: set[RelPath] = field(default_factory=set)

    def tree(self) -> dict[RelPath, Entry]:
        """The files as a tree."""
        return {path: file.entry for path, file in self.files.items()}

    def knows(self, path: RelPath) -> bool:
        """Whether a path that is not among the files is surely gone."""
        if path in self.unsettled or not self.unread:
            return path not in self.unsettled
        return not any(not bad or path == bad or path.startswith(bad + "/") for bad in self.unread)


@dataclass(frozen=True, slots=True)
class Level:
    """One folder ('' is the top) of a walk; `observed` holds what lies directly in it."""

    folder: str
    observed: Observed
    folders: list[str]
    fingerprint: bytes
    """Of the folder as its files were what they are here; UNKNOWN if one may have been touched since."""
    names: bytes
    """By which the fingerprint can be told again."""
    before: Mapping[str, Known]
    """What the cache knew of its files before, by name."""


def walk(
    root: Root,
    cache: StatCache,
    ignored: Ignored,
    below: str = "",
    keep: Keep | None = None,
    refuse: Refuse = _nothing,
    skip: KnownFolders | None = None,
) -> Iterator[Level]:
    """The folder level by level, but for those that `skip` knows; memory goes with the largest single folder."""
    fresh: list[tuple[Hashed, int]] = []
    asked = cache.now_ns()
    for listing in scan(root, ignored, below, skip):
        known = cache.folder(listing.folder)
        level = Level(listing.folder, Observed(), listing.folders, _lasting(listing, asked), listing.names, known)
        _report(level.observed, listing.unread)
        for seen in listing.files:
            if (why := refuse(seen)) is not None:
                level.observed.unread[seen.path] = why
                continue
            was = known.get(seen.path.rpartition("/")[2])
            if was is not None and was.holds(seen):
                level.observed.files[seen.path] = Hashed(seen, was.entry)
            else:
                began = cache.now_ns()
                file = _hash(root, seen, level.observed, keep)
                if file is not None:
                    fresh.append((file, began))
        if len(fresh) >= _BATCH:
            cache.put(fresh)
            fresh = []
        if not listing.unread:
            prefix = listing.folder + "/" if listing.folder else ""
            there = {seen.path for seen in listing.files}
            gone = [path for path in (RelPath(prefix + name) for name in known) if path not in there]
            if gone:
                cache.forget(gone)
        yield level
        asked = cache.now_ns()
    if fresh:
        cache.put(fresh)


def _lasting(listing: Listing, began_ns: int) -> bytes:
    """A listing's fingerprint, if a later write to one of its files, or a new name, is sure to change it."""
    is_fresh = fresh(listing.changed_ns, began_ns) or any(racy(seen.stat, began_ns) for seen in listing.files)
    return UNKNOWN if is_fresh else listing.fingerprint


def observe(
    root: Root,
    cache: StatCache,
    ignored: Ignored,
    below: str = "",
    keep: Keep | None = None,
    refuse: Refuse = _nothing,
) -> Observed:
    """All of the folder at once."""
    out = Observed()
    for level in walk(root, cache, ignored, below, keep, refuse):
        out.files.update(level.observed.files)
        out.unread.update(level.observed.unread)
        out.unsettled.update(level.observed.unsettled)
    return out


def observe_file(
    root: Root, cache: StatCache, path: RelPath, keep: Keep | None = None, refuse: Refuse = _nothing
) -> Observed:
    """One path by itself: at most one file, or the reason why it can't be told."""
    out = Observed()
    try:
        seen = look(root, path)
    except OSError as problem:
        _report(out, [Unread(path, f"“{path}” can't be looked at ({problem.strerror}) and is left as it is.")])
        return out
    if seen is None:
        return out
    if (why := refuse(seen)) is not None:
        out.unread[path] = why
        return out
    known = cache.get(path)
    if known is not None and known.holds(seen):
        out.files[path] = Hashed(seen, known.entry)
        return out
    began = cache.now_ns()
    file = _hash(root, seen, out, keep)
    if file is not None:
        cache.put([(file, began)])
    return out


def _hash(root: Root, seen: Seen, out: Observed, keep: Keep | None) -> Hashed | None:
    path = seen.path
    try:
        file = hash_file(root, path, keep)
    except (FileNotFoundError, InTheWay):
        return None  # gone, or a folder by now: the next look will tell
    except Unsettled:
        out.unsettled.add(path)
        return None
    except OSError as problem:
        _report(
            out, [Unread(path, f"“{path}” can't be read ({problem.strerror}); give yourself the right to read it.")]
        )
        return None
    out.files[path] = file
    return file


def _report(out: Observed, unread: list[Unread]) -> None:
    out.unread.update((each.path, LeftOut(each.why)) for each in unread)
