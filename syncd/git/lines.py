"""Which lines changed between two contents: git's own line difference, in memory."""

from dataclasses import dataclass


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
    start, end = _common_ends(old, new) if len(old) > _LARGE < len(new) else (0, 0)
    skipped = old.count(b"\n", 0, start)
    return _hunks(old[start : len(old) - end], new[start : len(new) - end], skipped)


def _hunks(old: bytes, new: bytes, skipped: int) -> list[Hunk]:
    # Loaded with the first merge: a student's server waits for the agent's start, and this is a seventh of it.
    import pygit2
    from pygit2.enums import DiffOption

    patch = pygit2.Patch.create_from(old, new, context_lines=0, flag=DiffOption.FORCE_TEXT)
    hunks = []
    for hunk in patch.hunks:
        # git names the line before where a side of a hunk is empty
        start = skipped + hunk.old_start - (hunk.old_lines > 0)
        new_start = skipped + hunk.new_start - (hunk.new_lines > 0)
        hunks.append(Hunk(start, start + hunk.old_lines, new_start, new_start + hunk.new_lines))
    return hunks


_LARGE = 1 << 20
_BLOCK = 1 << 16


def _common_ends(old: bytes, new: bytes) -> tuple[int, int]:
    """How many bytes of whole lines are the same at the start and at the end.

    git's difference needs about a hundred bytes of memory for each line, and few lines of a large file change.
    """
    most = min(len(old), len(new))
    start = 0
    while start < most and old[start : start + _BLOCK] == new[start : start + _BLOCK]:
        start += _BLOCK
    start = old.rfind(b"\n", 0, min(start, most)) + 1
    end = 0
    while end < most - start:
        block = min(_BLOCK, most - start - end)
        if old[len(old) - end - block : len(old) - end] != new[len(new) - end - block : len(new) - end]:
            break
        end += block
    first = old.find(b"\n", len(old) - end) + 1  # a line that ends in the common part may begin before it
    return start, len(old) - first if first else 0
