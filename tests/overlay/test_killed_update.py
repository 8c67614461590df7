"""An update or an operation is killed before each of its changes of the disk; opening again finishes or undoes it."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from made_commits import BareView, Hands, Store, real_tree

from fuse_mount import record_log, upper
from fuse_mount.syscalls import Rename
from syncd.blobs import Snapshot
from syncd.core.entry import Mode, RelPath
from syncd.view import MoveBeside, PutBeside, Step, Take, Update, Wait, Write

OLD = {
    "edited": b"base",
    "merged": b"base",
    "deleted": b"base",
    "waits": b"base",
    "gone": b"base",
    "plain": b"base",
    "lab/x": b"base",
    "lab/y": b"base",
    "moved/a": b"base a",
    "moved/b": b"base b",
}
NEW = {
    "edited": b"theirs",
    "merged": b"theirs",
    "deleted": b"theirs",
    "waits": b"theirs",
    "plain": b"theirs",
    "created": b"theirs",
    "folder": b"a file now",
    "lab/x": b"theirs",
    "lab/new": b"theirs",
    "moved/a": b"theirs a",
    "moved/b": b"base b",
    "moved/new": b"theirs",
}
BEFORE = {
    "edited": b"mine",
    "merged": b"mine",
    "waits": b"base",
    "gone": b"base",
    "plain": b"base",
    "created": b"mine",
    "folder/mine": b"in my folder",
    "own": b"mine",
    "renamed/a": b"base a",
    "renamed/b": b"base b",
}
AFTER = {
    "edited": b"theirs",
    "edited (my copy)": b"mine",
    "merged": b"both",
    "deleted": b"theirs",
    "waits": b"base",
    "plain": b"theirs",
    "created": b"theirs",
    "created (my copy)": b"mine",
    "folder": b"a file now",
    "folder (my copy)/mine": b"in my folder",
    "own": b"mine",
    "lab/new": b"theirs",
    "renamed/a": b"base a",
    "renamed/b": b"base b",
    "moved/new": b"theirs",
}

pytestmark = pytest.mark.slow


class Killer:
    """Counts changes of the disk, and kills this process before the n-th."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        known: list[tuple[Any, str, Any]] = []
        names = ("rename", "replace", "link", "symlink", "unlink", "mkdir", "rmdir", "write", "fsync", "chmod", "utime")
        for owner, name in [*((os, name) for name in names), (upper, "renameat2")]:
            known.append((owner, name, getattr(owner, name)))
            setattr(owner, name, self._counted(known[-1][2]))
        try:
            yield
        finally:
            for owner, name, call in known:
                setattr(owner, name, call)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counted


def killed(work: Callable[[], None], at: int) -> bool:
    """Run in a child that is killed before its n-th change; False if it came to its end before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Killer(at).watching():
                work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work failed"
    return os.WIFSIGNALED(status)


def files(view: BareView) -> dict[str, bytes]:
    return {path: data for path, data in Hands(view.overlay).tree().items() if data is not None}


@pytest.fixture
def prepared(store: Store, tmp_path: Path) -> Path:
    """The state of a student who did everything at once."""
    view = BareView(tmp_path / "root", tmp_path / "prepared", store.snapshot, 0.0)
    view.apply(Update(store.commit(OLD), []))
    hands = Hands(view.overlay)
    for name in ("edited", "merged", "created", "own"):
        hands.write(name, b"mine")
    hands.remove("deleted")
    hands.mkdir("folder")
    hands.write("folder/mine", b"in my folder")
    hands.remove("lab/x")
    hands.remove("lab/y")
    hands.rmdir("lab")
    hands.rename("moved", "renamed")
    assert files(view) == BEFORE
    view.close()
    return tmp_path / "prepared"


def apply(view: BareView, to: Snapshot) -> list[Step]:
    mine = view.observe()

    def stamp(path: str) -> Any:
        return mine[RelPath(path)].stamp

    steps = [
        Take(RelPath("edited"), stamp("edited")),
        PutBeside(RelPath("edited (my copy)"), Store(to.blobs.root.parent).keep(b"mine"), Mode.FILE),
        Write(RelPath("merged"), b"both", Mode.FILE, stamp("merged")),
        Take(RelPath("deleted"), stamp("deleted")),
        Wait(RelPath("waits"), None),
        MoveBeside(RelPath("created"), RelPath("created (my copy)"), {RelPath("created"): stamp("created")}),
        MoveBeside(RelPath("folder"), RelPath("folder (my copy)"), {RelPath("folder/mine"): stamp("folder/mine")}),
    ]
    return list(view.apply(Update(to, steps)))


@pytest.mark.slow
def test_an_update_killed_anywhere_is_finished_or_undone(store: Store, prepared: Path, tmp_path: Path) -> None:
    to = store.commit(NEW)
    root = tmp_path / "root"
    for at in range(1, 500):
        state = tmp_path / f"state{at}"
        shutil.copytree(prepared, state, symlinks=True)

        def work(state: Path = state) -> None:
            view = BareView(root, state, store.snapshot, 0.0)
            assert apply(view, to) == []
            view.close()

        was_killed = killed(work, at)
        view = BareView(root, state, store.snapshot, 0.0)
        if was_killed and view.base != to.commit:
            assert files(view) == BEFORE
            assert apply(view, to) == []
        assert view.base == to.commit and files(view) == AFTER
        assert view.waiting.keys() == {"waits"}
        assert not (state / "update.json").exists() and not any((state / "staging").iterdir())
        observed = set(view.observe())
        view.close()
        view = BareView(root, state, store.snapshot, 0.0)
        assert files(view) == AFTER and set(view.observe()) == observed
        view.close()
        shutil.rmtree(state)
        if not was_killed:
            assert at > 20
            return
    pytest.fail("the update never came to its end")


OPERATIONS: list[tuple[str, Callable[[Hands], None], dict[str, bytes | None]]] = [
    ("write a lower file", lambda hands: hands.write("plain", b"new"), {"plain": b"new"}),
    ("rename a lower folder", lambda hands: hands.rename("renamed", "again"), {}),
    ("rename a file over another", lambda hands: hands.rename("own", "plain"), {"own": None, "plain": b"mine"}),
    ("rename a lower file", lambda hands: hands.rename("plain", "p2"), {"plain": None, "p2": b"base"}),
    ("remove a lower file", lambda hands: hands.remove("plain"), {"plain": None}),
    ("remove an edited file", lambda hands: hands.remove("edited"), {"edited": None}),
    ("exchange", lambda hands: hands.rename("own", "gone", Rename.EXCHANGE), {"own": b"base", "gone": b"mine"}),
]


@pytest.mark.parametrize(("what", "operate", "result"), OPERATIONS, ids=[what for what, _, _ in OPERATIONS])
def test_an_operation_killed_anywhere_is_done_or_not(
    what: str,
    operate: Callable[[Hands], None],
    result: dict[str, bytes | None],
    store: Store,
    prepared: Path,
    tmp_path: Path,
) -> None:
    root = tmp_path / "root"
    done = {**BEFORE, **{path: data for path, data in result.items() if data is not None}}
    done = {path: data for path, data in done.items() if result.get(path, data) is not None}
    if what == "rename a lower folder":
        done = {path.replace("renamed", "again"): data for path, data in done.items()}
    for at in range(1, 100):
        state = tmp_path / f"state{at}"
        shutil.copytree(prepared, state, symlinks=True)

        def work(state: Path = state) -> None:
            operate(Hands(BareView(root, state, store.snapshot, 0.0).overlay))

        was_killed = killed(work, at)
        view = BareView(root, state, store.snapshot, 0.0)
        # Writing is two steps for whoever writes (cut, then write): killed between them, the file is empty.
        halfway = {**BEFORE, "plain": b""} if what == "write a lower file" else done
        assert files(view) in (BEFORE, done, halfway)
        view.close()
        shutil.rmtree(state)
        if not was_killed:
            assert at > 1
            return
    pytest.fail("the operation never came to its end")


def test_the_students_files_lie_as_they_are(prepared: Path) -> None:
    """A person can take them out by hand."""
    shown = real_tree(prepared / "upper")
    assert shown["edited"] == b"mine" and shown["folder/mine"] == b"in my folder" and shown["own"] == b"mine"


def test_a_full_disk_leaves_everything_as_it_was(
    store: Store, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = BareView(tmp_path / "root", prepared, store.snapshot, 0.0)
    to = store.commit(NEW)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_log.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        apply(view, to)
    monkeypatch.undo()
    assert files(view) == BEFORE
    assert apply(view, to) == [] and files(view) == AFTER
    view.close()
