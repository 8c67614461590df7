"""How the folder differs from the last commit: of some paths, or of all."""

import json
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial

from syncd.core.entry import Change, Entry, Mode, RelPath, parents
from syncd.core.left_out import LeftOut
from syncd.core.names import windows_problem
from syncd.folder.hash import Unsettled, hash_file
from syncd.folder.observe import Observed, observe_file, walk
from syncd.folder.root import InTheWay
from syncd.publisher import twins
from syncd.publisher.guarding import LARGEST_SCANNED
from syncd.publisher.sizes import large
from syncd.publisher.untouched import Untouched
from syncd.publisher.workspace import Workspace

_LARGEST_CHECKED = 50 << 20


@dataclass(slots=True)
class Looked:
    """What a look found.  `half` is not whole yet, `left_out` stays out and says why, `warnings` goes in anyway."""

    edits: dict[RelPath, Change] = field(default_factory=dict)
    half: set[RelPath] = field(default_factory=set)
    left_out: dict[RelPath, LeftOut] = field(default_factory=dict)
    warnings: dict[RelPath, str] = field(default_factory=dict)
    free: set[RelPath] = field(default_factory=set)
    """What was hidden by a name of the same spelling that is gone now: see `twins`."""
    also: set[RelPath] = field(default_factory=set)
    """What was looked at besides what was asked for."""

    def found(self) -> int:
        """How much there is to say."""
        return len(self.edits) + len(self.half) + len(self.left_out) + len(self.free)


def look_everywhere(here: Workspace, impatient: Collection[RelPath] = (), untouched: Untouched | None = None) -> Looked:
    """Compare the whole folder by stat data; unchanged files are not read.

    `untouched` is a sweep of a moment ago, after which no event was lost; without it, all is looked at now.
    """
    out = Looked()
    here.begin_look()
    with here.history.bulk():
        _below(here, "", here.history.tree_id(here.head), out, untouched or Untouched(here))
    return _checked(here, out, impatient)


def look_at(here: Workspace, paths: Iterable[RelPath], impatient: Collection[RelPath] = ()) -> Looked:
    """Compare some paths, each with all below it if it is a folder."""
    out, done = Looked(), set[RelPath]()
    here.begin_look()
    with here.history.bulk():
        asked = set(paths)
        if here.root.folding:
            tree = here.history.tree_id(here.head)
            out.also.update(*(twins.also(here, tree, path) for path in asked))
        for path in sorted(asked | out.also):
            if any(above in done for above in parents(path)):
                continue
            if _at(here, path, out):
                done.add(path)
    return _checked(here, out, impatient)


def _at(here: Workspace, path: RelPath, out: Looked) -> bool:
    """Compare one path; whether it was a folder, so that all below it is done."""
    if any(here.passes_over(above, True) for above in parents(path)):
        return False
    if (hides := twins.hides(here, here.history.tree_id(here.head), path)) is not None:
        _hidden(out, *hides)
        return False
    item = here.history.item(here.head, path)
    tree = item.id if item is not None and item.is_folder else None
    base = item.entry if item is not None else None
    try:
        with here.root.above(path) as (folder, name):
            found = folder.lstat(name).st_mode
    except (FileNotFoundError, InTheWay):
        found = 0
    except ValueError:
        return False
    except OSError as problem:
        out.left_out[path] = LeftOut(f"“{path}” can't be looked at ({problem.strerror}) and is left as it is.")
        return False
    if stat.S_ISDIR(found):
        if here.passes_over(path, True):
            return True
        if base is not None:
            out.edits[path] = Change(base, None)
        try:
            _below(here, path, tree, out)
        except (FileNotFoundError, InTheWay):
            return False  # it went away again; another event tells
        except OSError as problem:
            why = f"The folder “{path}” can't be read ({problem.strerror}) and is left as it is."
            out.left_out[path] = LeftOut(why)
        return True
    if tree is not None:
        _gone(here, tree, path + "/", out)
    if here.passes_over(path, False):
        return False
    observed = observe_file(here.root, here.cache, path, here.history.store, here.left_out)
    _compare(here, path, base, observed, out, special=bool(found) and not (stat.S_ISREG(found) or stat.S_ISLNK(found)))
    _report(observed, out)
    return False


def _below(here: Workspace, below: str, tree: bytes | None, out: Looked, untouched: "Untouched | None" = None) -> None:
    trees: dict[str, bytes] = {below: tree} if tree is not None else {}
    skip = partial(untouched.skip, trees) if untouched is not None else None
    for level in walk(here.root, here.cache, here.passes_over, below, here.history.store, here.left_out, skip):
        before, at = out.found(), trees.get(level.folder)
        prefix = level.folder + "/" if level.folder else ""
        files = level.observed.files
        folders = set(level.folders)
        known: set[RelPath] = set()
        items = here.history.items(trees.pop(level.folder, None))
        there = here.root.names(level.folder) if here.root.folding else ()
        hidden = twins.hidden_in(here, level.folder, items, there, level.before)
        for raw, item in items.items():
            name = raw.decode("utf-8", "surrogateescape")
            path = RelPath(prefix + name)
            if name in hidden:
                holder = hidden[name]
                _hidden(out, path, None if holder is None else RelPath(prefix + holder))
            elif item.is_folder:
                if name in folders:
                    trees[path] = item.id
                elif not here.ignored(path, True) and level.observed.knows(path):
                    _gone(here, item.id, path + "/", out)
            elif (base := item.entry) is not None:
                known.add(path)
                _compare(here, path, base, level.observed, out)
        for path, file in files.items():
            if path not in known:
                out.edits[path] = Change(None, file.entry)
        _report(level.observed, out)
        if untouched is not None:
            untouched.note(level, at, clean=out.found() == before and level.folder not in here.guards.passed)
    if untouched is not None:
        untouched.keep()


def _hidden(out: Looked, path: RelPath, holder: RelPath | None) -> None:
    if holder is None:
        out.free.add(path)
    else:
        out.left_out[path] = LeftOut(twins.sentence(path, holder))


def _gone(here: Workspace, tree: bytes, prefix: str, out: Looked) -> None:
    for path, entry in here.history.files(tree, prefix):
        if here.syncs(path, entry) and not any(here.ignored(above, True) for above in parents(path)):
            out.edits[path] = Change(entry, None)


def _compare(
    here: Workspace, path: RelPath, base: Entry | None, observed: Observed, out: Looked, *, special: bool = False
) -> None:
    file = observed.files.get(path)
    if file is not None:
        if file.entry != base:
            out.edits[path] = Change(base, file.entry)
    elif base is not None and not special and observed.knows(path) and here.syncs(path, base):
        out.edits[path] = Change(base, None)


def _report(observed: Observed, out: Looked) -> None:
    out.left_out.update(observed.unread)
    out.half.update(observed.unsettled)


def _checked(here: Workspace, out: Looked, impatient: Collection[RelPath]) -> Looked:
    """Hold back what is not whole yet, unless its time is over (I9)."""
    with here.history.bulk():
        for path, change in list(out.edits.items()):
            entry = change.now
            if entry is not None and not here.history.has(entry.blob) and not _stored(here, path, entry):
                del out.edits[path]
                out.half.add(path)
    for path, change in list(out.edits.items()):
        entry = change.now
        if change.base is None and entry is not None:
            why = next(filter(None, map(windows_problem, path.split("/"))), None)
            if why:
                out.warnings[path] = f"“{path}” {why}: colleagues and students with Windows won't get it."
        if entry is None or entry.is_link or not path.endswith(".ipynb") or _is_json(here, entry):
            continue
        if path in impatient:
            out.warnings[path] = f"“{path}” is not a complete notebook; it is published as it is."
        else:
            del out.edits[path]
            out.half.add(path)
    for path in [path for path in out.half if path in impatient and path not in out.edits]:
        entry = _snapshot(here, path)
        if entry is not None:
            out.half.discard(path)
            base = here.history.entry(here.head, path)
            if entry != base:
                out.edits[path] = Change(base, entry)
            out.warnings[path] = f"“{path}” is being written all the time; it is published as it was at one moment."
    _guard(here, out)
    return out


def _guard(here: Workspace, out: Looked) -> None:
    """Hold what must not leave the machine, and warn of what is large."""
    sizes = {path: known.stat.size for path in out.edits if (known := here.cache.get(path)) is not None}
    for path, size in sizes.items():
        if size > here.guards.limits.warn:
            out.warnings[path] = large(path, size, here.guards.limits)
    for path, held in here.guards.hold(
        out.edits, {path for path, size in sizes.items() if size > LARGEST_SCANNED}
    ).items():
        out.left_out[path] = held
        out.warnings.pop(path, None)


def _stored(here: Workspace, path: RelPath, entry: Entry) -> bool:
    """Store a content that the cache knows and the history lost; False if it is no longer that content."""
    try:
        return hash_file(here.root, path, here.history.store).entry == entry
    except (OSError, Unsettled, InTheWay):
        return False


def _is_json(here: Workspace, entry: Entry) -> bool:
    if here.history.size(entry.blob) > _LARGEST_CHECKED:
        return True
    try:
        return isinstance(json.loads(here.history.read(entry.blob)), dict)
    except (ValueError, RecursionError):
        return False


def _snapshot(here: Workspace, path: RelPath) -> Entry | None:
    """A file that never comes to rest, as one reading finds it."""
    try:
        with here.root.above(path) as (folder, name), os.fdopen(folder.open(name), "rb") as source:
            executable = os.fstat(source.fileno()).st_mode & stat.S_IXUSR
            blob = here.history.store(source)
    except (OSError, ValueError, InTheWay):
        return None
    return Entry(blob, Mode.EXECUTABLE if executable and os.name != "nt" else Mode.FILE)
