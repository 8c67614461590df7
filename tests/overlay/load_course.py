"""A course whose every byte says which version of which path it belongs to."""

import os
from dataclasses import dataclass

from fuse_mount.kernel.opening import LARGE

SMALL, BIG = 24, 4
READ = [f"read/d{n % 4}/f{n}" for n in range(SMALL)]
LARGES = [f"big/b{n}" for n in range(BIG)]
COMING = [f"read/d{n % 4}/come{n}" for n in range(12)]
"""Files that every second commit takes away again."""
EDITED = [f"edit/e{n}" for n in range(120)] + [f"edit/big{n}" for n in range(12)]
REMOVED = [f"del/d{n % 3}/x{n}" for n in range(120)]
MOVED = [f"fold/m{n}" for n in range(40)]
INSIDE = ["a", "b", "deep/c"]
ALWAYS = [*READ, *LARGES, *EDITED, *REMOVED, *(f"{folder}/{name}" for folder in MOVED for name in INSIDE)]


def _turn(path: str) -> int:
    return sum(path.encode()) % 3


def version(path: str, commit: int) -> int:
    """The commit that last changed a path: each third commit does."""
    return max(0, commit - (commit + _turn(path)) % 3)


def is_in(path: str, commit: int) -> bool:
    """Whether a commit has a path at all."""
    return path not in COMING or (commit + int(path.rpartition("come")[2])) % 2 == 0


def size(path: str, of: int) -> int:
    """Of a version of a path."""
    if "big" in path:
        return LARGE + 1000 + (of % 7) * 30_000
    return 20 + sum(path.encode()) % 5000 + (of % 7) * 1000


def content(path: str, of: int) -> bytes:
    """Of a version of a path."""
    word = b"%s@%06d;" % (os.fsencode(path), of)
    length = size(path, of)
    return (word * (length // len(word) + 1))[:length]


def course(commit: int) -> dict[str, bytes]:
    """All files of a commit."""
    return {path: content(path, version(path, commit)) for path in [*ALWAYS, *COMING] if is_in(path, commit)}


@dataclass
class Wrong(Exception):
    """What a disk would not do."""

    what: str


def judged(path: str, data: bytes) -> int:
    """Which version these bytes are, all of them; Wrong if there is none."""
    word = os.fsencode(path) + b"@"
    if data[: len(word)] != word or not data[len(word) : len(word) + 6].isdigit():
        raise Wrong(f"{path} begins with {data[:40]!r}")
    of = int(data[len(word) : len(word) + 6])
    wanted = content(path, of)
    if data != wanted:
        at = next(
            (n for n, (a, b) in enumerate(zip(data, wanted, strict=False)) if a != b), min(len(data), len(wanted))
        )
        raise Wrong(
            f"{path} is version {of} until byte {at} of {len(wanted)}, there are {len(data)}: {data[at:][:30]!r}"
        )
    return of
