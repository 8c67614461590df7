"""A student saves while an update is being carried out, at every point of it: no save is lost."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from classroom import NOON, Course, shown
from due import AFTER, everything, opened, prepared, update
from killing import before_change, changes_of

from syncd.agent.update import bring_up_to_date
from syncd.core.ignore import ASIDE
from syncd.versions import Versions


def in_place(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def by_renaming(path: Path, content: bytes) -> None:
    aside = path.with_name(path.name + ".editor")
    aside.write_bytes(content)
    aside.rename(path)


def after_deleting(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.fixture
def start(memory_path: Path) -> Iterator[tuple[Course, Path]]:
    course = Course(memory_path / "store")
    prepared(memory_path / "start", course)
    yield course, memory_path / "start"


@pytest.mark.slow
@pytest.mark.parametrize("way", [in_place, by_renaming, after_deleting])
def test_a_save_at_any_point_of_an_update_is_kept(
    start: tuple[Course, Path], memory_path: Path, way: Callable[[Path, bytes], None]
) -> None:
    course, prepared_folder = start
    snapshot = course.commit(AFTER)
    counting = memory_path / "counting"
    shutil.copytree(prepared_folder, counting, symlinks=True)
    steps = changes_of(lambda: update(counting, course, snapshot))
    first = 1 + [in_place, by_renaming, after_deleting].index(way) % 2
    for step in range(first, steps + 1, 2):
        where = memory_path / f"raced-{step}"
        shutil.copytree(prepared_folder, where, symlinks=True)
        saved: set[bytes] = set()

        def save(where: Path = where, saved: set[bytes] = saved) -> None:
            for path in shown(where / "folder"):
                if ASIDE not in path:
                    content = f"saved meanwhile, {path}".encode()
                    way(where / "folder" / path, content)
                    saved.add(content)

        with before_change(step, save):
            update(where, course, snapshot)
        assert saved, step
        assert saved <= everything(where), f"a save before change {step} is lost"
        report = update(where, course, snapshot)
        assert saved <= everything(where), f"a save before change {step} is lost by the next update"
        assert report.waiting == () and not [path for path in shown(where / "folder") if ASIDE in path]
        shutil.rmtree(where)


@pytest.mark.slow
def test_a_handle_opened_for_writing_at_any_point_never_writes_into_nothing(
    start: tuple[Course, Path], memory_path: Path
) -> None:
    course, prepared_folder = start
    snapshot = course.commit(AFTER)
    counting = memory_path / "counting"
    shutil.copytree(prepared_folder, counting, symlinks=True)
    steps = changes_of(lambda: update(counting, course, snapshot))
    for step in range(1, steps + 1):
        where = memory_path / f"raced-{step}"
        shutil.copytree(prepared_folder, where, symlinks=True)
        handles = []

        def open_all(where: Path = where, handles: list = handles) -> None:
            for path in shown(where / "folder"):
                if ASIDE not in path:
                    with suppress(FileNotFoundError):
                        handles.append((path, open(where / "folder" / path, "r+b")))  # noqa: SIM115

        with before_change(step, open_all):
            update(where, course, snapshot)
        saved = set()
        for path, handle in handles:
            content = f"written late, {path}".encode()
            handle.truncate(0)
            handle.write(content)
            handle.close()
            saved.add(content)
        assert saved, step
        assert saved <= everything(where), f"what was opened before change {step} was written into nothing"
        update(where, course, snapshot)
        assert saved <= everything(where), f"what was opened before change {step} is lost by the next update"
        shutil.rmtree(where)


def test_a_reader_never_sees_half_a_file(memory_path: Path) -> None:
    course = Course(memory_path / "store")
    view = opened(memory_path, course)
    versions = Versions(memory_path / "versions")
    contents = [bytes([65 + number]) * 300_000 for number in range(25)]
    target = memory_path / "folder" / "a"
    bad: list[bytes] = []

    def look() -> None:
        with suppress(FileNotFoundError):
            found = target.read_bytes()
            if found not in contents:
                bad.append(found[:10])

    for step, content in enumerate(contents):
        snapshot = course.commit({"a": content})
        with before_change(step, look):
            bring_up_to_date(view, snapshot, course.snapshot, versions, lambda: NOON)
        assert target.read_bytes() == content
    view.close()
    assert not bad


@pytest.mark.slow
def test_a_file_that_appears_where_an_edited_one_moves_to_replaces_neither(
    start: tuple[Course, Path], memory_path: Path
) -> None:
    course, prepared_folder = start
    snapshot = course.commit(AFTER)
    counting = memory_path / "counting"
    shutil.copytree(prepared_folder, counting, symlinks=True)
    steps = changes_of(lambda: update(counting, course, snapshot))
    assert shown(counting / "folder")["renamed/s14.txt"].content == b"ALPHA by me\nbeta\ngamma\nDELTA\n"
    for step in range(1, steps + 1, 2):
        where = memory_path / f"raced-{step}"
        shutil.copytree(prepared_folder, where, symlinks=True)
        target = where / "folder" / "renamed" / "s14.txt"

        overwritten: list[bool] = []

        def create(target: Path = target, overwritten: list[bool] = overwritten) -> None:
            overwritten.append(target.exists())
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(b"created meanwhile")

        with before_change(step, create):
            update(where, course, snapshot)
        update(where, course, snapshot)
        found = [file.content for file in shown(where / "folder").values()]
        assert b"created meanwhile" in found, step
        if overwritten == [False]:
            assert any(b"ALPHA by me" in content for content in found), f"the moved file is gone, change {step}"
        shutil.rmtree(where)
