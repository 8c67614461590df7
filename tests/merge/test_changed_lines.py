"""The line difference: applying it to the old content gives the new one."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.git import lines
from syncd.git.lines import Hunk, changed_lines

CONTENTS = st.lists(st.sampled_from([b"a", b"b", b"\n", b"\n", b"\r", b"\0", b"\xff"]), max_size=25).map(b"".join)


def applied(old: bytes, new: bytes, hunks: list[Hunk]) -> bytes:
    here, there = list(BytesIO(old)), list(BytesIO(new))
    out: list[bytes] = []
    at = 0
    for hunk in hunks:
        out += here[at : hunk.old]
        assert len(out) == hunk.new
        out += there[hunk.new : hunk.new_end]
        at = hunk.old_end
    return b"".join(out + here[at:])


@settings(max_examples=100, deadline=None)
@given(CONTENTS, CONTENTS)
def test_hunks_lead_from_the_old_content_to_the_new(old: bytes, new: bytes) -> None:
    assert applied(old, new, changed_lines(old, new)) == new


@settings(max_examples=100, deadline=None)
@given(CONTENTS, CONTENTS, CONTENTS, st.sampled_from([1, 3, 8]))
def test_so_they_do_where_the_same_ends_of_large_contents_are_cut_off(
    start: bytes, old: bytes, end: bytes, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_LARGE", 0)
        patch.setattr(lines, "_BLOCK", block)
        before, after = start + old + end, start + old[::-1] + end
        assert applied(before, after, changed_lines(before, after)) == after


def test_an_edit_in_the_middle_of_a_large_content_is_found_where_it_is() -> None:
    rows = [b"row %d of a large table\n" % n for n in range(100_000)]
    changed = [*rows[:50_000], b"new\n", *rows[50_001:]]
    assert changed_lines(b"".join(rows), b"".join(changed)) == [Hunk(50_000, 50_001, 50_000, 50_001)]
