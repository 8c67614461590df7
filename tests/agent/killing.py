"""Run something in a child that is killed (SIGKILL) just before its n-th change of the disk."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from syncd.folder import rename

_CALLS: list[tuple[Any, str]] = [
    *((os, name) for name in ("rename", "replace", "link", "symlink", "unlink", "mkdir", "rmdir", "fsync", "fchmod")),
    (rename, "exchange"),
    (rename, "no_replace"),
]


def changes_of(work: Callable[[], object]) -> int:
    """How many changes of the disk the work makes; it is done, in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with _ended():
            count = _patched(None)
            work()
            os.write(writing, b"%d" % count[0])
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        answer = said.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, "the work failed in the child"
    return int(answer)


def killed_before(change: int, work: Callable[[], object]) -> bool:
    """Do the work in a child that is killed before its n-th change (from 1); whether it was."""
    child = os.fork()
    if child == 0:
        with _ended():
            _patched(change)
            work()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, "the work failed in the child"
    return killed


@contextmanager
def before_change(change: int, action: Callable[[], object]) -> Iterator[None]:
    """Do something just before the n-th change of the disk that happens inside: a race, at will."""
    known = [(owner, name, getattr(owner, name)) for owner, name in _CALLS]
    count = [0]

    def racing(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            count[0] += 1
            if count[0] == change:
                restore()
                action()
            return call(*args, **kwargs)

        return wrapper

    def restore() -> None:
        for owner, name, call in known:
            setattr(owner, name, call)

    for owner, name, call in known:
        setattr(owner, name, racing(call))
    try:
        yield
    finally:
        restore()


class _ended:
    """The child never comes back into the tests."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1 if error is not None else 0)


def _patched(kill_before: int | None) -> list[int]:
    count = [0]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            count[0] += 1
            if count[0] == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return wrapper

    for owner, name in _CALLS:
        setattr(owner, name, counted(getattr(owner, name)))
    return count
