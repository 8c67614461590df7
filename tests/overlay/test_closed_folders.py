"""Folders that a student closed to himself (`chmod 600 *`): the agent has no more rights than he has."""

import os
import stat
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from made_commits import BareView, Hands, Store

from syncd.core.entry import RelPath
from syncd.view import Step, Take, Update, Wait

NOBODY = 65534


def _as_student(story: Callable[[BareView, Hands, Store], None]) -> None:
    """In a child without root's rights, to which nothing is closed."""
    with tempfile.TemporaryDirectory() as where:
        if os.geteuid() == 0:
            os.chown(where, NOBODY, NOBODY)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setresgid(NOBODY, NOBODY, NOBODY)
                    os.setresuid(NOBODY, NOBODY, NOBODY)
                store = Store(Path(where) / "store")
                view = BareView(Path(where) / "view", Path(where) / "state", store.snapshot, 0.0)
                story(view, Hands(view.overlay), store)
                status = 0
            except BaseException:  # noqa: BLE001  (a child of the test: it must not go on into pytest)
                traceback.print_exc()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o500, 0o600])
def test_an_update_comes_into_a_closed_folder_and_what_is_the_student_s_in_it_waits(mode: int) -> None:
    def story(view: BareView, hands: Hands, store: Store) -> None:
        first = store.commit({"lab/a": b"1", "lab/b": b"1", "lab/deep/c": b"1", "lab/gone/d": b"1", "x": b"1"})
        second = store.commit({"lab/a": b"2", "lab/b": b"2", "lab/deep/c": b"2", "x": b"2"})
        view.apply(Update(first, []))
        for name in ("lab/a", "lab/deep/c"):
            hands.write(name, b"mine")
        for folder in ("lab/deep", "lab"):
            hands.chmod(folder, mode)
        for _ in range(2):
            seen = view.observe()
            steps: list[Step] = [Wait(path, None) for path in seen]
            steps += [
                Take(path, None) for path in map(RelPath, ("lab/a", "lab/b", "lab/deep/c", "x")) if path not in seen
            ]
            view.apply(Update(second, steps))
            assert view.base == second.manifest.commit and hands.read("x") == b"2"
            assert set(view.waiting) == {"lab/a", "lab/deep/c"}
        for folder in ("lab", "lab/deep"):
            with view.overlay.lock, view.overlay.nodes.passing():
                node = view.overlay.at(os.fsencode(folder))
                assert node is not None and stat.S_IMODE(view.overlay.attr(node).mode) == mode
            hands.chmod(folder, 0o755)
        assert hands.tree() == {
            **{"lab": None, "lab/a": b"mine", "lab/b": b"2", "lab/deep": None, "lab/deep/c": b"mine"},
            "x": b"2",
        }
        assert set(view.observe()) == {"lab/a", "lab/deep/c"}

    _as_student(story)
