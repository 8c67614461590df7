"""Folders in which nothing was touched since they equalled a commit: a look at everything passes over them.

What such a folder held then is in the cache as one fingerprint and the id of the tree that it
equalled; a folder whose tree is another by now, or that is judged by other rules, is looked at.
"""

from collections.abc import Sequence

from syncd.folder.fingerprint import UNKNOWN
from syncd.folder.observe import Level
from syncd.folder.statcache import Summary
from syncd.folder.sweep import untouched
from syncd.publisher.workspace import Workspace

_BATCH = 2_000


class Untouched:
    """For one look at everything."""

    def __init__(self, here: Workspace) -> None:
        """Look at all folders that have a fingerprint."""
        self._here, self._rules = here, here.rules
        self._known = here.cache.summaries()
        self._same = untouched(here.root, self._known)
        self._new: dict[str, Summary | None] = {}
        self._met: set[str] = set()

    def folders(self) -> dict[str, tuple[str, ...]]:
        """The folders without a change, each with the names of the folders in it."""
        return {folder: summary.folders for folder, summary in self._same.items()}

    def skip(self, trees: dict[str, bytes], folder: str) -> Sequence[str] | None:
        """The folders in one that need not be looked at, whose trees go to `trees`; None: look at it."""
        self._met.add(folder)
        summary = self._same.get(folder)
        if summary is None or summary.tree != self._tree(trees.get(folder)):
            return None
        tree = trees.pop(folder, None)
        if summary.folders and tree is not None:
            items = self._here.history.items(tree)
            prefix = folder + "/" if folder else ""
            for name in summary.folders:
                item = items.get(name.encode("utf-8", "surrogateescape"))
                if item is not None and item.is_folder:
                    trees[prefix + name] = item.id
        return summary.folders

    def note(self, level: Level, tree: bytes | None, *, clean: bool) -> None:
        """A folder was looked at; `clean` if all in it is as in the tree, and nothing is to be said of it."""
        folder = level.folder
        if clean and level.fingerprint != UNKNOWN:
            files = len(level.observed.files)
            self._new[folder] = Summary(level.fingerprint, level.names, self._tree(tree), tuple(level.folders), files)
        elif folder in self._known:
            self._new[folder] = None
        if len(self._new) >= _BATCH:
            self._here.cache.summarize(self._new)
            self._new = {}

    def keep(self) -> None:
        """The look is over: what is no longer there is forgotten."""
        gone: dict[str, Summary | None] = dict.fromkeys(self._known.keys() - self._met)
        self._here.cache.summarize({**self._new, **gone})

    def _tree(self, tree: bytes | None) -> bytes:
        return (tree or b"") + self._rules
