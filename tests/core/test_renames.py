"""Renames are found again from what is gone and what is new."""

from syncd.core.entry import BlobId, Entry, Mode, RelPath, Tree, changes_between
from syncd.core.renames import best, candidates, folder_moves, same_content


def tree(**files: str) -> Tree:
    return {RelPath(name.replace("__", "/")): Entry(BlobId(content), Mode.FILE) for name, content in files.items()}


def moves(base: Tree, now: Tree) -> dict[RelPath, RelPath]:
    return same_content(changes_between(base, now))


def test_the_same_content_under_a_new_name_was_renamed() -> None:
    assert moves(tree(a="x", b="y"), tree(c="x", b="y")) == {"c": "a"}


def test_a_copy_is_no_rename() -> None:
    assert moves(tree(a="x"), tree(a="x", b="x")) == {}


def test_the_same_last_name_decides_between_equal_contents() -> None:
    assert moves(tree(d__a="x", d__b="x"), tree(e__b="x", e__c="x")) == {"e/b": "d/b", "e/c": "d/a"}


def test_empty_files_are_no_evidence() -> None:
    empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert moves(tree(a=empty), tree(b=empty)) == {}


def test_only_pairs_of_the_same_extension_are_worth_reading() -> None:
    changes = changes_between({RelPath("a.md"): Entry(BlobId("1"), Mode.FILE)}, {
        RelPath("b.md"): Entry(BlobId("2"), Mode.FILE), RelPath("b.csv"): Entry(BlobId("3"), Mode.FILE)
    })  # fmt: skip
    assert candidates(changes, {}) == [("b.md", "a.md")]


def test_a_flood_of_pairs_is_cut_to_those_of_the_same_name() -> None:
    base = {RelPath(f"old/{n}.md"): Entry(BlobId(f"a{n}"), Mode.FILE) for n in range(100)}
    now = {RelPath(f"new/{n}.md"): Entry(BlobId(f"b{n}"), Mode.FILE) for n in range(100)}
    assert len(candidates(changes_between(base, now), {})) == 100


def test_the_most_alike_are_matched_first_and_only_once() -> None:
    a, b, c = RelPath("a"), RelPath("b"), RelPath("c")
    assert best([(0.6, b, a), (0.9, c, a), (0.4, b, c)], least=0.5) == {c: a}


def test_a_folder_that_is_gone_went_where_its_files_went() -> None:
    found = {RelPath("e/x"): RelPath("d/x"), RelPath("e/s/y"): RelPath("d/s/y"), RelPath("other"): RelPath("d/z")}
    assert folder_moves(found, lambda folder: True) == {"d": "e", "d/s": "e/s"}
    assert folder_moves(found, lambda folder: False) == {}
