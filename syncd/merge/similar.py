"""How alike two contents are: enough to tell a file that was renamed and edited from a new one."""

from collections import Counter
from collections.abc import Callable

from syncd.core.entry import Changes, RelPath
from syncd.core.renames import Moves, best, candidates, same_content

_ALIKE = 0.5  # git's own measure for a rename
LARGEST_READ = 4 << 20
"""Bytes; a larger content is known again only if it is the same."""
Read = Callable[[RelPath], bytes | None]


def likeness(one: bytes, other: bytes) -> float:
    """The share, by bytes, of lines that both have; 0 to 1.  Nothing is like an empty content."""
    if not one or not other or min(len(one), len(other)) / max(len(one), len(other)) < _ALIKE / 2:
        return 0.0
    a, b = Counter(one.splitlines(keepends=True)), Counter(other.splitlines(keepends=True))
    shared = sum(len(line) * min(count, b[line]) for line, count in a.items() if line in b)
    return shared / max(len(one), len(other))


def find_moves(changes: Changes, old: Read, new: Read, wanted: Callable[[RelPath], bool]) -> Moves:
    """Which files of one side were renamed: by content, and where `wanted` says of the old name, by likeness.

    `old` and `new` read a content before and after; None for what can't be had.
    """
    found = same_content(changes)
    pairs = candidates(changes, found)
    before: dict[RelPath, bytes | None] = {}
    after: dict[RelPath, bytes | None] = {}

    def scored(path: RelPath, was: RelPath) -> tuple[float, RelPath, RelPath]:
        if was not in before:
            before[was] = _small(old(was))
        if path not in after:
            after[path] = _small(new(path))
        one, other = before[was], after[path]
        return (0.0 if one is None or other is None else likeness(one, other), path, was)

    scores = [scored(path, was) for path, was in pairs if wanted(was)]
    claimed = {path for score, path, _ in scores if score >= _ALIKE}
    # An old name that nobody asked for may still be the one that was renamed: sibling notebooks are much alike.
    scores += [scored(path, was) for path, was in pairs if path in claimed and not wanted(was)]
    return {**found, **{path: was for path, was in best(scores, _ALIKE).items() if wanted(was)}}


def _small(content: bytes | None) -> bytes | None:
    return content if content is None or len(content) <= LARGEST_READ else None
