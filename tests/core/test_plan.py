"""MERGE_SPEC's cases, as far as they are decided by trees alone."""

import pytest

from syncd.core.entry import BlobId, Change, Entry, Mode, RelPath, Tree, changes_between
from syncd.core.plan import Action, Decision, Side, follow_folders, plan, take_after


def tree(**files: str) -> Tree:
    return {RelPath(name.replace("__", "/")): Entry(BlobId(content), Mode.FILE) for name, content in files.items()}


def decide(base: Tree, mine: Tree, theirs: Tree, side: Side = Side.STUDENT) -> dict[str, Decision]:
    return {d.path: d for d in plan(changes_between(base, mine), changes_between(base, theirs), side)}


@pytest.mark.parametrize(
    ("case", "action", "base", "mine", "theirs"),
    [
        ("S1", Action.TAKE, tree(f="x"), tree(f="x"), tree(f="y")),
        ("S1", Action.TAKE, tree(), tree(), tree(f="y")),
        ("S3", Action.MERGE, tree(f="x"), tree(f="m"), tree(f="y")),
        ("S3", Action.TAKE, tree(f="x"), tree(f="y"), tree(f="y")),
        ("S6", Action.KEEP, tree(f="x"), tree(f="m"), tree()),
        ("S7", Action.TAKE, tree(f="x"), tree(f="x"), tree()),
        ("S9", Action.TAKE, tree(f="x"), tree(), tree(f="y")),
        ("S10", Action.TAKE, tree(f="x"), tree(), tree()),
        ("S11", Action.TAKE, tree(), tree(f="y"), tree(f="y")),
        ("S12", Action.TAKE_MINE_BESIDE, tree(), tree(f="m"), tree(f="y")),
    ],
)
def test_student_case(case: str, action: Action, base: Tree, mine: Tree, theirs: Tree) -> None:
    decision = decide(base, mine, theirs)["f"]
    assert (decision.case, decision.action) == (case, action)


@pytest.mark.parametrize(
    ("case", "action", "base", "mine", "theirs"),
    [
        ("I1", Action.TAKE, tree(f="x"), tree(f="x"), tree(f="y")),
        ("I2", Action.MERGE, tree(f="x"), tree(f="m"), tree(f="y")),
        ("I4", Action.KEEP, tree(f="x"), tree(f="m"), tree()),
        ("I4", Action.TAKE, tree(f="x"), tree(), tree(f="y")),
        ("I5", Action.NEWER, tree(), tree(f="m"), tree(f="y")),
        ("I5", Action.TAKE, tree(), tree(f="y"), tree(f="y")),
    ],
)
def test_instructor_case(case: str, action: Action, base: Tree, mine: Tree, theirs: Tree) -> None:
    decision = decide(base, mine, theirs, Side.INSTRUCTOR)["f"]
    assert (decision.case, decision.action) == (case, action)


def test_s2_and_s8_what_only_i_changed_is_not_even_named() -> None:
    assert decide(tree(f="x", g="x"), tree(f="m"), tree(f="x", g="x")) == {}


def test_s13_my_file_makes_room_for_their_folder() -> None:
    found = decide(tree(), tree(a="m"), tree(a__b="y"))
    assert found["a"].action is Action.TAKE_MINE_BESIDE
    assert found["a"].moved == ("a",)
    assert found["a/b"].action is Action.TAKE


def test_s13_my_folder_makes_room_for_their_file_at_any_depth() -> None:
    found = decide(tree(), tree(d__a__b="m", d__a__c__e="m"), tree(d__a="y"))
    assert list(found) == ["d/a"]
    assert found["d/a"].moved == ("d/a/b", "d/a/c/e")


def test_s13_my_edit_in_a_folder_that_became_a_file_goes_beside() -> None:
    found = decide(tree(a__b="x", a__c="x"), tree(a__b="m", a__c="x"), tree(a="y"))
    assert found["a"].moved == ("a/b",)
    assert found["a/c"].case == "S7"


def test_i6_a_folder_keeps_its_name_against_a_file() -> None:
    assert decide(tree(), tree(a="m"), tree(a__b="y"), Side.INSTRUCTOR)["a"].action is Action.TAKE_MINE_BESIDE
    assert decide(tree(), tree(a__b="m"), tree(a="y"), Side.INSTRUCTOR)["a"].action is Action.KEEP_THEIRS_BESIDE


def test_sides_with_different_bases_are_refused() -> None:
    one, other = Entry(BlobId("1"), Mode.FILE), Entry(BlobId("2"), Mode.FILE)
    with pytest.raises(ValueError, match="different bases"):
        plan({RelPath("f"): Change(one, None)}, {RelPath("f"): Change(other, None)}, Side.STUDENT)


def decide_moves(base: Tree, mine: Tree, theirs: Tree, side: Side = Side.STUDENT) -> dict[str, Decision]:
    my, their = changes_between(base, mine), changes_between(base, theirs)
    moves = {RelPath("m"): RelPath("a")} if "m" in mine else {}
    their_moves = {RelPath("n"): RelPath("a")} if "n" in theirs else {}
    return {d.path: d for d in plan(my, their, side, moves, their_moves)}


def test_s14_my_edit_goes_where_they_renamed_the_file() -> None:
    found = decide_moves(tree(a="x"), tree(a="m"), tree(n="y"))
    assert list(found) == ["n"]
    decision = found["n"]
    assert (decision.case, decision.action, decision.source, decision.base) == (
        "S14",
        Action.MERGE,
        "a",
        tree(a="x")["a"],
    )


def test_s14_needs_a_free_name() -> None:
    found = decide_moves(tree(a="x"), tree(a="m", n="mine too"), tree(n="y"))
    assert {path: d.case for path, d in found.items()} == {"a": "S6", "n": "S12"}


def test_s15_their_edit_goes_where_i_renamed_the_file() -> None:
    found = decide_moves(tree(a="x"), tree(m="x"), tree(a="y"))
    assert list(found) == ["m"]
    assert (found["m"].case, found["m"].action, found["m"].source) == ("S15", Action.MERGE, "m")


def test_s15_a_file_that_i_renamed_stays_when_they_delete_it() -> None:
    found = decide_moves(tree(a="x"), tree(m="x"), tree())
    assert {path: d.action for path, d in found.items()} == {"a": Action.TAKE}


def test_s16_my_name_wins_and_theirs_does_not_appear() -> None:
    found = decide_moves(tree(a="x"), tree(m="x"), tree(n="y"))
    assert (found["m"].case, found["m"].theirs_at) == ("S16", "n")
    assert found["a"].action is Action.TAKE
    assert "n" not in found


@pytest.mark.parametrize(
    ("case", "mine", "theirs", "path", "mine_at", "theirs_at"),
    [
        ("I11", tree(a="m"), tree(n="x"), "n", "a", "n"),
        ("I11", tree(m="x"), tree(a="y"), "m", "m", "a"),
        ("I12", tree(m="x"), tree(n="y"), "m", "m", "n"),
    ],
)
def test_instructor_renames(case: str, mine: Tree, theirs: Tree, path: str, mine_at: str, theirs_at: str) -> None:
    found = decide_moves(tree(a="x"), mine, theirs, Side.INSTRUCTOR)[path]
    assert (found.case, found.action, found.mine_at, found.theirs_at) == (case, Action.MERGE, mine_at, theirs_at)


def test_i13_their_new_files_come_to_where_i_moved_the_folder() -> None:
    theirs = changes_between(tree(d__x="1"), tree(d__x="2", d__own="2", other="4"))
    found = take_after(theirs, {RelPath("d"): RelPath("e")})
    assert [(d.theirs_at, d.path, d.action) for d in found] == [("d/own", "e/own", Action.TAKE_AFTER)]


def test_s17_my_new_files_follow_the_folder() -> None:
    mine = changes_between(tree(d__x="1"), tree(d__x="1", d__own="2", d__s__own="3", other="4"))
    found = follow_folders(mine, {RelPath("d"): RelPath("e")}, Side.STUDENT)
    assert {(d.source, d.path) for d in found} == {("d/own", "e/own"), ("d/s/own", "e/s/own")}
