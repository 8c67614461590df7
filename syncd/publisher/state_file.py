"""Small files of the state folder: for the owner's eyes, written whole or not at all; and locks between processes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from syncd.core.errors import Stop


def private_folder(path: Path) -> Path:
    """A folder that only its owner may enter; made if missing.  Stop if that can't be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise Stop(f"The state folder {path} can't be made ({problem.strerror}); choose another by SYNCD_STATE.") from (
            problem
        )
    return path


def write_private(path: Path, text: str) -> None:
    """Replace a file durably; nobody else may read it, at no moment."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, path)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Taken(Stop):
    """Another process holds a lock; `holder` is what it wrote about itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"Another process holds this lock: {holder or 'unknown'}.")
        self.holder = holder


class Lock:
    """A lock that ends with its process, however that dies.  The file stays: removing it would let two in."""

    def __init__(self, path: Path, holder: str, *, wait: bool = False) -> None:
        """Take it; Taken if another process has it and we don't `wait`."""
        self._file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (held as long as the lock)
        try:
            if not _lock(self._file, wait):
                self._file.seek(0)
                raise Taken(self._file.read(200).strip())
            self._file.seek(0)
            self._file.truncate()
            self._file.write(holder)
            self._file.flush()
        except BaseException:
            self._file.close()
            raise

    def release(self) -> None:
        """Let others have it."""
        self._file.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone for a moment among the processes of this state folder."""
    lock = Lock(path, "", wait=True)
    try:
        yield
    finally:
        lock.release()


def _lock(file: IO[str], wait: bool) -> bool:
    if sys.platform == "win32":
        import msvcrt

        # Far behind the text, so that others can still read who holds it.
        file.seek(1 << 30)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
