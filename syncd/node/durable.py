"""Making files survive a power loss, few of them one by one, many of them in one sweep of the disk."""

import ctypes
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

_FEW = 24
"""Up to here an fsync each is cheaper than having the file system write all it has."""


def sync_files(executor: Executor, paths: Sequence[Path], top: Path) -> None:
    """Make the contents of files (or the entries of folders) below `top` durable."""
    if len(paths) > _FEW and _sync_file_system(top):
        return
    for _ in executor.map(sync_path, paths):
        pass


def sync_path(path: Path) -> None:
    """Flush one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a small file: aside, fsync, rename, fsync of the folder."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, path)
    sync_path(path.parent)


def _sync_file_system(top: Path) -> bool:
    """syncfs(2), which reports write errors since Linux 5.8; False where there is none."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(top, os.O_RDONLY)
    try:
        if libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(top))
    finally:
        os.close(descriptor)
    return True
