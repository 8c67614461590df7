"""The protocol of a view, on the model alone: what is observed, taken, put beside, refused and kept."""

import os
from pathlib import Path

import pytest
from made_commits import BareView, Hands, Opening, Store, link, program

from fuse_mount import content
from fuse_mount.inode import File
from fuse_mount.syscalls import Rename
from syncd.core.entry import Change, Entry, Mode, RelPath
from syncd.view import MoveBeside, PutBeside, Take, Update, Wait, Write


def path(text: str) -> RelPath:
    return RelPath(text)


def test_what_is_observed_is_each_path_against_its_base(view: BareView, hands: Hands, store: Store) -> None:
    first = store.commit({"a": b"1", "b": b"1", "c": b"1", "run": program(b"#!"), "l": link(b"a"), "lab/x": b"1"})
    view.apply(Update(first, []))
    assert view.observe() == {}
    hands.write("a", b"mine")
    hands.write("b", b"1")
    hands.chmod("c", 0o755)
    hands.remove("run")
    hands.remove("l")
    hands.symlink("l", "elsewhere")
    hands.mkdir("empty")
    hands.write("lab/new", b"new")
    manifest = first.manifest

    def was(name: str) -> Entry | None:
        return manifest.entry(path(name))

    assert {where: mine.change for where, mine in view.observe().items()} == {
        "a": Change(was("a"), Entry(store.keep(b"mine"), Mode.FILE)),
        "c": Change(was("c"), Entry(store.keep(b"1"), Mode.EXECUTABLE)),
        "run": Change(was("run"), None),
        "l": Change(was("l"), Entry(store.keep(b"elsewhere"), Mode.SYMLINK)),
        "lab/new": Change(None, Entry(store.keep(b"new"), Mode.FILE)),
    }
    assert view.content(path("l")) == b"elsewhere" and view.content(path("b")) == b"1"
    assert view.names(None) == {"a", "b", "c", "l", "empty", "lab"} and view.names(path("lab")) == {"x", "new"}


def test_a_file_saved_back_to_its_base_follows_the_course(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"a": b"1"}), []))
    hands.write("a", b"2")
    hands.write("a", b"1")
    assert view.apply(Update(store.commit({"a": b"new"}), [])) == []
    assert hands.read("a") == b"new"


def test_a_step_is_refused_when_its_file_was_saved_since(view: BareView, hands: Hands, store: Store) -> None:
    first = store.commit({"a": b"1", "b": b"1", "c": b"1"})
    view.apply(Update(first, []))
    for name in "ab":
        hands.write(name, b"mine")
    mine = view.observe()
    hands.write("a", b"newer")
    hands.write("b", b"newer")
    hands.write("c", b"newer")
    steps = [Take(path("a"), mine[path("a")].stamp), Write(path("b"), b"merged", Mode.FILE, mine[path("b")].stamp)]
    refused = view.apply(Update(store.commit({"a": b"2", "b": b"2", "c": b"2"}), steps))
    assert {step.path for step in refused} == {"a", "b", "c"}
    assert [hands.read(name) for name in "abc"] == [b"newer"] * 3
    assert view.waiting == {path(name): first.manifest.entry(path(name)) for name in "abc"}
    assert view.observe()[path("c")].change == Change(
        first.manifest.entry(path("c")), Entry(store.keep(b"newer"), Mode.FILE)
    )


def test_an_update_changes_nothing_if_what_is_open_cannot_be_kept(view: BareView, hands: Hands, store: Store) -> None:
    first, second = store.commit({"a": b"1", "b": b"1"}), store.commit({"a": b"2", "b": b"1"})
    view.apply(Update(first, []))
    blob = store.blobs.path(store.keep(b"1"))
    with view.overlay.lock, view.overlay.nodes.passing():
        node = view.overlay.at(b"b")
        assert isinstance(node, File)
        content.open_file(view.overlay, node, os.O_RDONLY)
        blob.rename(blob.with_name("elsewhere"))
        with pytest.raises(FileNotFoundError):
            view.apply(Update(second, []))
        blob.with_name("elsewhere").rename(blob)
        assert view.base == first.manifest.commit and hands.read("a") == b"1"
        view.apply(Update(second, []))
        assert view.base == second.manifest.commit and hands.read("a") == b"2"
        content.release(view.overlay, node, os.O_RDONLY)


def test_what_waits_is_taken_later(view: BareView, hands: Hands, store: Store, opened: Opening) -> None:
    view.apply(Update(store.commit({"a": b"1"}), []))
    hands.write("a", b"mine")
    view.observe()
    second = store.commit({"a": b"2"})
    view.apply(Update(second, [Wait(path("a"), None)]))
    view = opened()
    assert set(view.waiting) == {"a"} and Hands(view.overlay).read("a") == b"mine"
    stamp = view.observe()[path("a")].stamp
    assert view.apply(Update(second, [Write(path("a"), b"merged", Mode.FILE, stamp)])) == []
    assert view.waiting == {} and Hands(view.overlay).read("a") == b"merged"
    assert set(view.observe()) == {"a"}


def test_nothing_is_put_over_a_file_that_came_meanwhile(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"a": b"1"}), []))
    blob = store.keep(b"theirs")
    hands.write("beside", b"mine")
    refused = view.apply(Update(store.commit({"a": b"2"}), [PutBeside(path("beside"), blob, Mode.FILE)]))
    assert [step.path for step in refused] == ["beside"] and hands.read("beside") == b"mine"
    assert view.apply(Update(store.commit({"a": b"3"}), [PutBeside(path("x/beside"), blob, Mode.EXECUTABLE)])) == []
    assert hands.read("x/beside") == b"theirs"


def test_what_the_student_put_in_a_folder_since_moves_along(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"a": b"1"}), []))
    hands.mkdir("lab")
    hands.write("lab/x", b"mine")
    stamp = view.observe()[path("lab/x")].stamp
    hands.write("lab/y", b"newer")
    move = MoveBeside(path("lab"), path("lab (my copy)"), {path("lab/x"): stamp})
    assert view.apply(Update(store.commit({"a": b"1", "lab": b"a file"}), [move])) == []
    assert hands.tree() == {
        "a": b"1",
        "lab": b"a file",
        "lab (my copy)": None,
        "lab (my copy)/x": b"mine",
        "lab (my copy)/y": b"newer",
    }


def test_a_commit_adds_to_a_folder_that_the_student_removed(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"lab/x": b"1", "lab/deep/y": b"1", "a": b"1"}), []))
    hands.remove("lab/x")
    hands.remove("lab/deep/y")
    hands.rmdir("lab/deep")
    hands.rmdir("lab")
    view.observe()
    view.apply(Update(store.commit({"lab/x": b"1", "lab/deep/y": b"1", "lab/deep/new": b"n", "a": b"1"}), []))
    assert hands.tree() == {"a": b"1", "lab": None, "lab/deep": None, "lab/deep/new": b"n"}
    assert set(view.observe()) == {"lab/x", "lab/deep/y"}


def test_a_renamed_folder_keeps_its_files_when_the_course_changes(view: BareView, hands: Hands, store: Store) -> None:
    first = {"lab/x": b"1", "lab/y": b"1", "a": b"1"}
    view.apply(Update(store.commit(first), []))
    hands.rename("lab", "mine")
    assert view.origins() == {"mine/x": "lab/x", "mine/y": "lab/y"}
    view.observe()
    view.apply(Update(store.commit({"lab/x": b"2", "lab/y": b"1", "lab/z": b"1", "a": b"1"}), []))
    assert hands.tree() == {"a": b"1", "lab": None, "lab/z": b"1", "mine": None, "mine/x": b"1", "mine/y": b"1"}
    assert view.origins()[path("mine/x")] == "lab/x"


def test_a_renamed_file_is_known_as_the_courses(view: BareView, hands: Hands, store: Store, opened: Opening) -> None:
    view.apply(Update(store.commit({"a": b"1", "b": b"1", "c": b"1"}), []))
    hands.rename("a", "mine")
    hands.append("mine", b" edited")
    hands.rename("mine", "again")
    hands.rename("b", "b~")
    hands.write("b", b"saved by an editor")
    hands.rename("c", "b2", Rename.NOREPLACE)
    hands.rename("b2", "c")
    assert view.origins() == {"again": "a"}
    assert opened().origins() == {"again": "a"}


def test_busy_is_what_was_saved_or_removed_a_moment_ago(opened: Opening, store: Store) -> None:
    view = opened(quiet_s=60.0)
    hands = Hands(view.overlay)
    view.apply(Update(store.commit({"a": b"1", "b": b"1", "c": b"1"}), []))
    hands.write("a", b"mine")
    hands.remove("b")
    paths = [path("a"), path("b"), path("c"), path("new")]
    assert view.busy(paths) == {"a", "b"}
    stamp = view.observe()[path("a")].stamp
    view.apply(Update(store.commit({"a": b"2", "b": b"1"}), [Write(path("a"), b"ours", Mode.FILE, stamp)]))
    assert view.busy([path("a")]) == set(), "what an update wrote is nobody's saving"


def test_folders_left_empty_by_the_course_go(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"lab/deep/x": b"1", "lab/deep/y": b"1", "a": b"1"}), []))
    hands.write("lab/deep/x", b"mine")
    hands.mkdir("own")
    stamp = view.observe()[path("lab/deep/x")].stamp
    view.apply(Update(store.commit({"a": b"1"}), [Take(path("lab/deep/x"), stamp)]))
    assert hands.tree() == {"a": b"1", "own": None}


def test_a_removed_file_that_returns_unchanged_stays_removed(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"a": b"1", "b": b"1"}), []))
    hands.remove("a")
    view.observe()
    view.apply(Update(store.commit({"a": b"1", "b": b"2"}), []))
    assert hands.names("") == {"b"}
    view.observe()
    view.apply(Update(store.commit({"b": b"2"}), []))
    assert view.observe() == {} and view.overlay.layer.hidden == set()


def test_nobody_is_made_to_hold_nodes(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({f"d{n}/f": b"%d" % n for n in range(50)}), []))
    hands.tree()
    hands.write("d1/f", b"mine")
    hands.rename("d2", "d1/d2")
    view.observe()
    view.apply(Update(store.commit({f"d{n}/f": b"new" for n in range(50)}), []))
    hands.tree()
    assert len(view.overlay.nodes.by_ino) == 1 and not view.overlay.nodes.by_real
    assert not view.overlay.opened and not view.overlay.writing


def test_a_file_that_cannot_be_read_is_still_observed(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"a": b"1"}), []))
    hands.write("a", b"mine")
    hands.chmod("a", 0)
    assert set(view.observe()) == {"a"}


def test_the_state_is_the_students_alone(view: BareView, tmp_path: Path) -> None:
    assert os.stat(tmp_path / "state").st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["a\udcff", "Ä", "line\nbreak", "n" * 255, ' "quoted"'])
def test_any_name_is_kept_over_a_restart(
    name: str, view: BareView, hands: Hands, store: Store, opened: Opening
) -> None:
    view.apply(Update(store.commit({name: b"1", f"d/{name}": b"1"}), []))
    hands.remove(name)
    hands.rename("d", "e")
    again = Hands(opened().overlay)
    assert again.tree() == {"e": None, f"e/{name}": b"1"}


@pytest.mark.parametrize("target", ["lab", "a"])
def test_a_folder_that_became_a_link_is_not_looked_through(
    target: str, view: BareView, hands: Hands, store: Store
) -> None:
    view.apply(Update(store.commit({"a/b": b"1", "lab/b": b"1"}), []))
    hands.write("lab/b", b"mine")
    hands.remove("a/b")
    hands.rmdir("a")
    hands.symlink("a", target)
    for _ in range(2):
        seen = view.observe()
        assert set(seen) == {"a", "a/b", "lab/b"}
        assert seen[RelPath("a/b")].change.now is None
