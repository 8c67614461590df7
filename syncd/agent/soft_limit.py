"""How much a student may keep in a folder before the folder says so.

Nothing is refused: the limit that holds is the quota of the disk that homes lie on, which counts a
student's layer like any other file of theirs (the agent runs as the student) and whose EDQUOT reaches
whoever writes.  This one is for disks without quotas, and so that a sentence comes before the error.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SoftLimit:
    """Bytes on the disk, and files and folders."""

    bytes: int = 5 << 30
    files: int = 200_000


@dataclass(frozen=True, slots=True)
class Kept:
    """What was counted, in bytes on the disk; `too_much`: a sentence if that is more than the limit."""

    bytes: int
    too_much: str | None = None


def counted(folder: Path, limit: SoftLimit) -> Kept:
    """Count what lies in a folder, no further than the limit."""
    size = count = 0
    left = [os.fspath(folder)]
    while left:
        try:
            entries = os.scandir(left.pop())
        except OSError:
            continue  # it went away, or is closed to its own owner: then it is not counted
        with entries:
            for entry in entries:
                try:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                except OSError:
                    continue
                count += 1
                if size > limit.bytes:
                    sentence = (
                        f"Your own files here take more than {_in_words(limit.bytes)}: delete what you don't need."
                    )
                    return Kept(size, sentence)
                if count > limit.files:
                    sentence = f"You have more than {limit.files:,} files of your own here: delete what you don't need."
                    return Kept(size, sentence)
    return Kept(size)


def _in_words(size: int) -> str:
    return f"{size / (1 << 30):.1f} GB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MB"
