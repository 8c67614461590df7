"""Which lines changed between two contents: git's own line difference, in memory."""

from dataclasses import dataclass

import pygit2
from pygit2.enums import DiffOption


@dataclass(frozen=True, slots=True)
class Hunk:
    """Old lines `[old, old_end)` became new lines `[new, new_end)`; counted from 0, never both empty."""

    old: int
    old_end: int
    new: int
    new_end: int


def changed_lines(old: bytes, new: bytes) -> list[Hunk]:
    """The changes in order, with at least one unchanged line between any two.

    A line ends at LF and nowhere else, and a missing last LF makes another line.  NUL bytes are
    ordinary.  git's heuristics bound the time on hostile input; the result is then not the
    shortest one, but always a right one.
    """
    if old == new:
        return []
    patch = pygit2.Patch.create_from(old, new, context_lines=0, flag=DiffOption.FORCE_TEXT)
    hunks = []
    for hunk in patch.hunks:
        # git names the line before where a side of a hunk is empty
        start = hunk.old_start - (hunk.old_lines > 0)
        new_start = hunk.new_start - (hunk.new_lines > 0)
        hunks.append(Hunk(start, start + hunk.old_lines, new_start, new_start + hunk.new_lines))
    return hunks
