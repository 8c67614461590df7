"""What a person does in a course's folder, as the story needs it; `hub/` has hands that work in Lab."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Files = dict[str, tuple[int, bytes]]
"""Path to mode (git's: executable bit or link) and content."""


class Hands(Protocol):
    """One person's hands in their folder; paths are from there.  OSError if something is not there (yet)."""

    def read(self, path: str) -> bytes:
        """A file's content."""
        ...

    def names(self, folder: str) -> list[str]:
        """What is in a folder."""
        ...

    def save(self, path: str, text: str) -> None:
        """Save a file as Jupyter does; its folder is made if there is none."""
        ...

    def rename(self, path: str, new: str) -> None:
        """Give a file another name."""
        ...

    def remove(self, path: str) -> None:
        """Delete a file."""
        ...

    def restore(self, path: str) -> None:
        """Have the instructor's file back.  Stop, with its sentence, if that is refused."""
        ...

    def files(self) -> Files:
        """All there is, byte by byte."""
        ...


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays the story, and the remote as git itself tells it."""

    instructor: Hands
    students: dict[str, Hands]
    published: Callable[[], Files]


@dataclass(frozen=True, slots=True)
class OwnHands:
    """Plain reads and writes in a folder of this process."""

    folder: Path
    restoring: Callable[[Path], None]

    def read(self, path: str) -> bytes:
        """See `Hands`."""
        return (self.folder / path).read_bytes()

    def names(self, folder: str) -> list[str]:
        """See `Hands`."""
        return os.listdir(self.folder / folder)

    def save(self, path: str, text: str) -> None:
        """See `Hands`: a copy aside, then in place."""
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        aside = file.with_name(f".~{file.name}")
        if file.exists():
            shutil.copy2(file, aside)
        file.write_text(text)
        aside.unlink(missing_ok=True)

    def rename(self, path: str, new: str) -> None:
        """See `Hands`."""
        (self.folder / path).rename(self.folder / new)

    def remove(self, path: str) -> None:
        """See `Hands`."""
        (self.folder / path).unlink()

    def restore(self, path: str) -> None:
        """See `Hands`."""
        self.restoring(self.folder / path)

    def files(self) -> Files:
        """See `Hands`."""
        return files_of(self.folder)


def files_of(folder: Path) -> Files:
    """All files of a folder: executable bit or link, and content."""
    found: Files = {}
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in (*names, *(f for f in folders if os.path.islink(os.path.join(above, f)))):
            path = os.path.join(above, name)
            relative = os.path.relpath(path, folder)
            if name.startswith(".~"):
                continue
            if os.path.islink(path):
                found[relative] = (0o120000, os.fsencode(os.readlink(path)))
            else:
                mode = 0o100755 if os.stat(path).st_mode & 0o100 else 0o100644
                found[relative] = (mode, Path(path).read_bytes())
    return found
