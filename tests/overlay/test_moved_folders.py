"""Folders of the course that the student moved, emptied and made again, while versions change what they are made of."""

import errno

import pytest
from made_commits import BareView, Hands, Store

from syncd.core.entry import RelPath
from syncd.view import Take, Update, Wait


def path(text: str) -> RelPath:
    return RelPath(text)


def _remove(hands: Hands, folder: str) -> None:
    for name in hands.names(folder):
        hands.remove(f"{folder}/{name}")
    hands.rmdir(folder)


def test_a_folder_that_holds_a_moved_one_is_not_empty(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"lab/x": b"1", "a": b"1"}), []))
    hands.mkdir("new")
    hands.rename("lab", "new/lab")
    with pytest.raises(OSError) as refused:
        hands.rmdir("new")
    assert refused.value.errno == errno.ENOTEMPTY
    assert hands.tree() == {"a": b"1", "new": None, "new/lab": None, "new/lab/x": b"1"}


def test_a_folder_that_replaces_an_emptied_moved_one_stays_empty(view: BareView, hands: Hands, store: Store) -> None:
    view.apply(Update(store.commit({"lab/x": b"1", "a": b"1"}), []))
    hands.mkdir("new")
    hands.rename("lab", "new/lab")
    hands.remove("new/lab/x")
    hands.mkdir("empty")
    hands.rename("empty", "new/lab")
    assert hands.tree() == {"a": b"1", "new": None, "new/lab": None}


def test_all_folders_left_empty_by_the_course_go(view: BareView, hands: Hands, store: Store) -> None:
    files = {f"lab/{name}": b"1" for name in ("x", "a/x", "b/x", "b/c/x")}
    view.apply(Update(store.commit({**files, "a": b"1"}), []))
    for name in files:
        hands.remove(name)
    view.observe()
    view.apply(Update(store.commit({"a": b"1"}), []))
    assert hands.tree() == {"a": b"1"}


@pytest.mark.parametrize("own", ["made", "moved"])
def test_an_empty_folder_of_the_student_s_stays_when_the_course_s_of_its_name_goes(
    view: BareView, hands: Hands, store: Store, own: str
) -> None:
    view.apply(Update(store.commit({"lab/x": b"1", "work/x": b"1", "a": b"1"}), []))
    _remove(hands, "lab")
    if own == "made":
        hands.mkdir("lab")
    else:
        hands.rename("work", "lab")
        hands.remove("lab/x")
    before = hands.tree()
    assert before["lab"] is None
    view.observe()
    view.apply(Update(store.commit({"work/x": b"1", "a": b"1"}), []))
    assert hands.tree() == before


def test_what_a_moved_folder_lacked_while_it_waited_does_not_come_to_it_later(
    view: BareView, hands: Hands, store: Store
) -> None:
    first, rest = {"lab/x": b"1", "lab/y": b"1"}, {"lab/y": b"1"}
    view.apply(Update(store.commit(first), []))
    hands.write("lab/x", b"mine")
    view.observe()
    view.apply(Update(store.commit(rest), [Wait(path("lab/x"), None)]))
    hands.rename("lab", "mine")
    hands.rename("mine/x", "x")
    stamp = view.observe()[path("lab/x")].stamp
    view.apply(Update(store.commit({"lab/x": b"2", "lab/y": b"1"}), [Take(path("lab/x"), stamp)]))
    assert hands.tree() == {"x": b"mine", "mine": None, "mine/y": b"1", "lab": None, "lab/x": b"2"}


@pytest.mark.parametrize("added", [{}, {"lab/new": b"n"}])
def test_what_is_given_up_in_a_moved_folder_does_not_come_back_through_it(
    view: BareView, hands: Hands, store: Store, added: dict[str, bytes]
) -> None:
    first = {"lab/x": b"1", "work/x": b"2", "work/y": b"2"}
    view.apply(Update(store.commit(first), []))
    _remove(hands, "lab")
    hands.rename("work", "lab")
    hands.write("lab/x", b"mine")
    stamp = view.observe()[path("lab/x")].stamp
    steps = [Take(path("lab/x"), stamp), *(Take(path(name), None) for name in added)]
    view.apply(Update(store.commit({"work/x": b"2", "work/y": b"2", **added}), steps))
    assert hands.tree() == {"lab": None, "lab/y": b"2", **added}


def test_what_is_as_the_course_has_it_goes_from_a_moved_folder_though_it_hides_another_file_there(
    view: BareView, hands: Hands, store: Store
) -> None:
    view.apply(Update(store.commit({"lab/x": b"1", "work/x": b"2", "a": b"1"}), []))
    _remove(hands, "lab")
    hands.rename("work", "lab")
    hands.write("lab/x", b"1")
    assert path("lab/x") not in view.observe()
    view.apply(Update(store.commit({"a": b"1"}), []))
    assert hands.tree() == {"a": b"1", "lab": None}


def test_a_folder_moved_to_a_name_in_a_hidden_one_stays_when_the_course_adds_there(
    view: BareView, hands: Hands, store: Store
) -> None:
    first = {"lab/part/x": b"1", "other/y": b"2"}
    view.apply(Update(store.commit(first), []))
    hands.rename("lab", "kept")
    hands.mkdir("lab")
    hands.rename("other", "lab/part")
    view.observe()
    view.apply(Update(store.commit({**first, "lab/new": b"n"}), []))
    assert hands.tree() == {
        **{"kept": None, "kept/part": None, "kept/part/x": b"1"},
        **{"lab": None, "lab/new": b"n", "lab/part": None, "lab/part/y": b"2"},
    }


def test_a_folder_moved_back_into_one_that_was_made_anew_is_the_course_s_again(
    view: BareView, hands: Hands, store: Store
) -> None:
    first = {"lab/part/x": b"1", "lab/y": b"1", "a": b"1"}
    view.apply(Update(store.commit(first), []))
    hands.rename("lab/part", "kept")
    _remove(hands, "lab")
    hands.mkdir("lab")
    hands.rename("kept", "lab/part")
    view.observe()
    view.apply(Update(store.commit({**first, "lab/new": b"n"}), []))
    assert hands.tree() == {"a": b"1", "lab": None, "lab/new": b"n", "lab/part": None, "lab/part/x": b"1"}
    view.observe()
    view.apply(Update(store.commit({"a": b"1"}), []))
    assert hands.tree() == {"a": b"1"}


def test_what_waits_in_a_moved_folder_shows_nothing_when_another_file_is_added_there(
    view: BareView, hands: Hands, store: Store
) -> None:
    first = {"lab/x": b"1", "work/y": b"2"}
    view.apply(Update(store.commit(first), []))
    _remove(hands, "lab")
    hands.rename("work", "lab")
    view.observe()
    view.apply(Update(store.commit({**first, "lab/new": b"n", "lab/old": b"o"}), [Wait(path("lab/old"), None)]))
    assert hands.tree() == {"lab": None, "lab/y": b"2", "lab/new": b"n"}
    assert view.waiting == {"lab/old": None}


def test_a_folder_that_shows_nothing_stays_in_a_moved_one(view: BareView, hands: Hands, store: Store) -> None:
    first, second = {"lab/x": b"1"}, {"lab/x": b"1", "lab/deep/y": b"1"}
    view.apply(Update(store.commit(first), []))
    view.apply(Update(store.commit(second), [Wait(path("lab/deep/y"), None)]))
    hands.rename("lab", "mine")
    before = hands.tree()
    assert before == {"mine": None, "mine/x": b"1", "mine/deep": None}
    view.observe()
    view.apply(Update(store.commit(first), []))
    assert hands.tree() == before
