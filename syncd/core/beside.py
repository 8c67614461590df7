"""Names of files that are put beside another, so that nothing is replaced."""

import os
from collections.abc import Collection
from datetime import datetime

from syncd.core.entry import RelPath

INSTRUCTORS_VERSION = "instructor's version"
MY_COPY = "my copy"
_LONGEST_NAME = 255  # bytes, on every file system we meet
_LONGEST_WHOSE, _LONGEST_EXTENSION = 60, 40  # bytes; more would leave no room for the name itself
_FORBIDDEN = frozenset('<>:"/\\|?*') | {chr(n) for n in range(32)}


def conflicted_copy(whose: str) -> str:
    """The label of the losing side of two instructors; characters Windows forbids are left out."""
    name = _shortened("".join(c for c in whose if c not in _FORBIDDEN).strip(), _LONGEST_WHOSE)
    return f"conflicted copy, {name.strip() or 'someone else'},"


def beside(path: RelPath, label: str, when: datetime, taken: Collection[str], *, folder: bool = False) -> RelPath:
    """A free name in the same folder: `lab01 (my copy 2026-11-22 1403).ipynb`, then ` 2`, ` 3` ...

    `taken` are the names in that folder.  A folder's name has no extension.  `when` is shown as given: local time.
    """
    above, _, name = path.rpartition("/")
    stem, extension = (name, "") if folder else _split(name)
    number = 1
    while True:
        tail = f" ({label} {when:%Y-%m-%d %H%M}){'' if number == 1 else f' {number}'}{extension}"
        candidate = _shortened(stem, _LONGEST_NAME - len(os.fsencode(tail))) + tail
        if candidate not in taken:
            return RelPath(f"{above}/{candidate}" if above else candidate)
        number += 1


def is_beside(name: str, path: RelPath, label: str) -> bool:
    """Whether `name` is one that `beside` gave, or could have given, for this path and label."""
    stem, extension = _split(path.rpartition("/")[2])
    return name.startswith(f"{stem[:40]}") and f" ({label} " in name and name.endswith(extension)


def may_be_shortened(name: str) -> bool:
    """Whether a name that `beside` gave is so long that something may have been cut off the name it was made of."""
    return len(os.fsencode(name)) > _LONGEST_NAME - 4  # of the longest character


def _split(name: str) -> tuple[str, str]:
    stem, extension = os.path.splitext(name)
    return (name, "") if len(os.fsencode(extension)) > _LONGEST_EXTENSION else (stem, extension)


def _shortened(stem: str, room: int) -> str:
    while len(os.fsencode(stem)) > max(room, 1):
        stem = stem[:-1]
    return stem
