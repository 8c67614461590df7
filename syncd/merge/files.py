"""Merge the contents of one file: notebooks by cells, other text by lines, anything else not at all."""

from dataclasses import dataclass

from syncd.core.entry import RelPath
from syncd.merge.json_text import BrokenJson
from syncd.merge.notebook import read_notebook, same_notebook
from syncd.merge.notebooks import merge_notebooks
from syncd.merge.text import Lines, merge_text

LARGEST = 50 * 1024 * 1024
"""Above so many bytes a file counts as binary."""

MOST_LINES = 4_000_000
"""So many lines as well: the line difference needs some hundred bytes of memory for each."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged content.  If `kept` is not empty, theirs is to be put beside the file, whole."""

    content: bytes
    kept: tuple[str, ...]
    """Where both changed and mine stayed, in plain words; empty: no conflict."""
    taken: tuple[str, ...]
    """What of theirs went in, in plain words."""


def merge_file(path: RelPath, base: bytes, mine: bytes, theirs: bytes) -> Merged | None:
    """Merge two versions of a file, of which `base` was the last common one (empty: there was none).

    None: this can't be merged (binary, too large, a notebook that is broken on one side); mine then
    stays and theirs goes beside it.
    """
    if mine == theirs or base == theirs:
        return Merged(mine, (), ())
    if base == mine:
        return Merged(theirs, (), ("everything",))
    if any(_too_large(side) for side in (base, mine, theirs)):
        return None
    if _is_notebook(path):
        return _merge_notebook(base, mine, theirs)
    if any(b"\0" in side for side in (base, mine, theirs)):
        return None
    merged = merge_text(base, mine, theirs)
    return Merged(merged.content, tuple(map(_words, merged.kept)), tuple(map(_words, merged.taken)))


def same_work(path: RelPath, base: bytes, mine: bytes) -> bool:
    """Whether mine is base, apart from what Jupyter changes by itself when it saves.

    That is: the minor version, ids, indentation, the order of keys, source as string or list.
    """
    if base == mine:
        return True
    if not _is_notebook(path) or _too_large(base) or _too_large(mine):
        return False
    try:
        return same_notebook(read_notebook(base), read_notebook(mine))
    except (BrokenJson, RecursionError):
        return False


def _too_large(content: bytes) -> bool:
    return len(content) > LARGEST or (len(content) > MOST_LINES and content.count(b"\n") > MOST_LINES)


def _is_notebook(path: RelPath) -> bool:
    return path.lower().endswith(".ipynb")


def _merge_notebook(base: bytes, mine: bytes, theirs: bytes) -> Merged | None:
    try:
        before = read_notebook(base) if base.strip() else None
        here, there = read_notebook(mine), read_notebook(theirs)
        if before and same_notebook(before, there):
            return Merged(mine, (), ())
        if before and same_notebook(before, here):
            return Merged(theirs, (), ("everything",))
        merged = merge_notebooks(before, here, there)
    except (BrokenJson, RecursionError):
        return None
    content = mine if merged.text is None else merged.text.encode()
    return Merged(content, merged.kept, merged.taken)


def _words(lines: Lines) -> str:
    if lines.end - lines.first > 1:
        return f"lines {lines.first + 1}-{lines.end}"
    return f"line {lines.first + 1}" if lines.end > lines.first else f"lines deleted before line {lines.first + 1}"
