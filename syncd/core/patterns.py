"""Files of patterns that lie in folders (`.gitignore` and its like), as one rule.

Semantics of gitignore(5): the last pattern that says anything counts, deeper files count before those
above, and nothing below an excluded folder comes back.  One pattern is `pathspec`'s business.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from syncd.core.entry import RelPath

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

Lines = Callable[[str], str]
"""The text of the pattern file that lies in a folder ('' is the top); empty where there is none."""


@cache
def _spec(text: str) -> GitIgnoreSpec | None:
    """The patterns of one text; a line that is no pattern says nothing, as in git."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return None
    from pathspec import GitIgnoreSpec  # for who has patterns: most folders have none

    good = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        good.append(line)
    return GitIgnoreSpec.from_lines(good)


class Patterns:
    """Whether paths are named by patterns."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._specs: dict[str, GitIgnoreSpec | None] = {}
        self._folders: dict[str, bool] = {"": False}

    def names(self, path: RelPath, folder: bool = False) -> bool:
        """Whether a path, or a folder above it, is named."""
        if folder:
            return self._names_folder(_composed(path))
        text = _composed(path)
        return self._names_folder(text.rpartition("/")[0]) or self._says(text, False)

    def _names_folder(self, path: str) -> bool:
        known = self._folders.get(path)
        if known is None:
            known = self._names_folder(path.rpartition("/")[0]) or self._says(path, True)
            self._folders[path] = known
        return known

    def _says(self, path: str, folder: bool) -> bool:
        shown = path + "/" if folder else path
        at = path
        while at:
            at = at.rpartition("/")[0]
            spec = self._spec_of(at)
            if spec is not None:
                said = spec.check_file(shown[len(at) + 1 if at else 0 :]).include
                if said is not None:
                    return said
        return False

    def _spec_of(self, folder: str) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            self._specs[folder] = _spec(unicodedata.normalize("NFC", self._lines(folder)))
        return self._specs[folder]


def _composed(path: str) -> str:
    """Names are written decomposed by macOS, and people type patterns composed."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)
