"""Filling a folder, and reading it back whole."""

import os
from pathlib import Path


def fill(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def everything(folder: Path) -> dict[str, bytes]:
    """All files below a folder, litter and asides included."""
    out = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = Path(at, name)
            content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
            out[path.relative_to(folder).as_posix()] = content
    return out


def make_deep(folder: Path, name: str, levels: int) -> None:
    """Folders in folders, deeper than a path could say."""
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
