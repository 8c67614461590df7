"""What a student had before a merge is listed and put back."""

from pathlib import Path

import pytest
from classroom import Student

from syncd.agent.past import put_back
from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser

LINES = b"one\ntwo\nthree\nfour\nfive\n"
MINE = LINES.replace(b"two", b"TWO")
THEIRS = LINES.replace(b"five", b"FIVE")


def test_what_a_merge_replaced_is_put_back_and_the_merge_is_kept(student: Student) -> None:
    student.update({"a.md": LINES})
    student.write("a.md", MINE)
    student.update({"a.md": THEIRS})
    merged = student.read("a.md")
    (kept,) = student.versions.list(RelPath("a.md"))
    said = put_back(student.versions, student.path("a.md"), RelPath("a.md"), kept.id[:10])
    assert student.read("a.md") == MINE
    assert "a.md" in said
    assert {student.versions.read(each.id) for each in student.versions.list(RelPath("a.md"))} == {MINE, merged}
    student.update({"a.md": THEIRS})
    assert student.read("a.md") == MINE, "what the student brought back is the student's edit"


def test_a_version_that_never_was_changes_nothing(student: Student) -> None:
    student.update({"a.md": LINES})
    student.write("a.md", MINE)
    with pytest.raises(NeedsUser, match="no single version"):
        put_back(student.versions, Path(student.path("a.md")), RelPath("a.md"), "0123abcd")
    assert student.read("a.md") == MINE
