"""When paths are due, when too much vanished, when to try again: tables and properties."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.entry import BlobId, Entry, Mode, RelPath
from syncd.core.retry import Again, Backoff, Pace, SleepWatch
from syncd.core.safety import Vanishing, vanished
from syncd.core.settle import Settle

A, B, C = RelPath("a"), RelPath("b"), RelPath("c")


def test_a_save_is_due_after_the_quiet_time_and_once() -> None:
    settle = Settle()
    settle.event(A, 10.0)
    assert not settle.due(10.19) and settle.next_at() == pytest.approx(10.2)
    assert settle.due(10.2).paths == {A}
    assert not settle.due(11) and settle.idle and settle.next_at() is None


def test_a_burst_is_one_batch() -> None:
    settle = Settle()
    for n, path in enumerate([A, B, A, C]):
        settle.event(path, 10 + n * 0.1)
        assert not settle.due(10 + n * 0.1)
    assert settle.due(10.5).paths == {A, B, C}


def test_nobody_waits_longer_than_the_longest_wait() -> None:
    settle = Settle()
    settle.event(A, 0.0)
    now = 0.0
    while not (due := settle.due(now)):
        now += 0.1
        settle.event(B, now)
    assert now == pytest.approx(3.0)
    assert due.paths == {A}  # b had an event just now, and its own wait has not been the longest
    while not (due := settle.due(now)):
        now += 0.1
        settle.event(B, now)
    assert now == pytest.approx(3.1) and due.paths == {B}


def test_autosaves_every_second_for_a_minute_are_taken_a_few_times_and_others_do_not_wait() -> None:
    settle = Settle()
    now, taken, other = 0.0, list[float](), list[float]()
    while now < 80:
        if now < 60 and now == int(now):
            settle.event(A, now)
        if now == 31.5:
            settle.event(B, now)
        due = settle.due(now)
        taken += [now] if A in due.paths else []
        other += [now] if B in due.paths else []
        now = round(now + 0.1, 1)
    assert len(taken) <= 12 and taken[0] == 0.2 and taken[-1] >= 59
    assert all(later - earlier <= 11.5 for earlier, later in itertools.pairwise(taken))
    assert other == [31.7]
    settle.event(A, 90.0)
    assert settle.due(90.2).paths == {A}, "after a rest it is taken at once again"


def test_too_many_paths_become_the_whole_folder() -> None:
    settle = Settle(many=10)
    for n in range(30):
        settle.event(RelPath(str(n)), 1.0)
    due = settle.due(1.8)
    assert due.everything and not due.paths and settle.idle


def test_what_is_no_longer_told_apart_still_counts_as_waiting() -> None:
    settle = Settle(many=10)
    settle.rescan(0.0)
    assert not settle.much  # only a look now and then
    settle.due(10.0)
    for n in range(30):
        settle.event(RelPath(str(n)), 20.0)
    assert settle.much and not settle.waiting
    assert settle.due(25.0).everything and not settle.much
    settle.rescan(30.0, lost=True)
    assert settle.much
    settle.due(40.0)
    settle.event(A, 50.0)
    settle.rescan(50.0)
    assert settle.much


def test_a_rescan_swallows_what_was_waiting() -> None:
    settle = Settle()
    settle.event(A, 1.0)
    settle.rescan(1.1)
    settle.event(B, 1.2)
    due = settle.due(2.0)
    assert due.everything and settle.idle


def test_many_files_at_once_wait_for_a_pause_of_the_program_that_writes_them() -> None:
    settle = Settle()
    for n in range(12):
        settle.event(RelPath(f"first {n}"), 1.0)
    assert not settle.due(1.5) and settle.next_at() == pytest.approx(1.8)
    for n in range(12):
        settle.event(RelPath(f"second {n}"), 1.7)
    assert len(settle.due(2.5).paths) == 24


def test_a_half_written_file_comes_again_and_is_forced_after_sixty_seconds() -> None:
    settle = Settle()
    settle.event(A, 0.0)
    assert settle.due(0.2).paths == {A}
    settle.half_written([A], 0.2)
    assert settle.waiting == [A] and not settle.idle
    now, looks = 0.2, 0
    while True:
        at = settle.next_at()
        assert at is not None and at > now
        now, due = at, settle.due(at)
        assert due.paths == {A}
        if due.impatient:
            break
        looks += 1
        settle.half_written([A], now)
    assert now == pytest.approx(60.2) and 50 <= looks <= 60
    settle.whole([A])
    assert settle.idle and settle.next_at() is None


def test_a_file_that_becomes_whole_starts_afresh() -> None:
    settle = Settle()
    settle.half_written([A], 0.0)
    settle.whole([A])
    settle.half_written([A], 59.0)
    assert not settle.due(61.0).impatient


def test_half_written_files_do_not_hold_others_up() -> None:
    settle = Settle()
    settle.half_written([A], 0.0)
    settle.event(B, 0.1)
    assert settle.due(0.31).paths == {B}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 1)), max_size=60), st.integers(2, 6))
def test_every_event_is_followed_by_a_look(events: list[tuple[str, float]], many: int) -> None:
    settle = Settle(many=many)
    now = 0.0
    owed: set[str] = set()
    for path, gap in events:
        now += gap
        due = settle.due(now)
        owed = set() if due.everything else owed - due.paths
        settle.event(RelPath(path), now)
        owed.add(path)
    while (at := settle.next_at()) is not None:
        assert at <= now + 10.0
        due = settle.due(max(at, now))
        owed = set() if due.everything else owed - due.paths
        now = max(at, now) + 1e-6
    assert not owed and settle.idle


def _entries(text: str) -> list[Entry]:
    return [Entry(BlobId(c * 40), Mode.FILE) for c in text]


@pytest.mark.parametrize(
    ("gone", "new", "expected"), [("abc", "", 3), ("abc", "cba", 0), ("aab", "ab", 1), ("", "abc", 0), ("ab", "bbb", 1)]
)
def test_moved_files_did_not_vanish(gone: str, new: str, expected: int) -> None:
    assert vanished(_entries(gone), _entries(new)) == expected


@pytest.mark.parametrize(
    ("total", "left", "gone", "hold"),
    [
        (9, 1, 8, False),  # fewer than ten files: only emptying counts
        (9, 0, 9, True),
        (1, 0, 1, True),
        (10, 5, 5, False),  # half is not more than half
        (10, 4, 6, True),
        (1000, 499, 501, True),
        (1000, 500, 500, False),
        (10, 10, 0, False),
    ],
)
def test_i7_more_than_half_of_at_least_ten_is_held(total: int, left: int, gone: int, hold: bool) -> None:
    assert Vanishing().too_much(0.0, total, left, gone) is hold


def test_i7_a_deletion_in_batches_is_one_deletion() -> None:
    vanishing = Vanishing(window_s=30)
    assert not vanishing.too_much(0, 100, 60, 40)
    vanishing.went(0, 40)
    assert vanishing.too_much(3, 60, 45, 15)
    assert not vanishing.too_much(31, 60, 45, 15)


def test_i7_what_deletes_nothing_is_no_part_of_a_deletion() -> None:
    vanishing = Vanishing()
    vanishing.went(0, 40)
    assert not vanishing.too_much(1, 1, 41, 0)


def test_i7_who_saves_between_deletions_is_at_work() -> None:
    vanishing = Vanishing()
    vanishing.went(0, 40)
    vanishing.went(1, 3, saved=2)
    assert not vanishing.too_much(2, 60, 45, 15)


def test_a_deletion_takes_along_what_else_is_gone() -> None:
    settle = Settle()
    for start in (0.0, 1.0):  # taken twice, so that it is taken more slowly
        settle.event(A, start)
        assert settle.due(start + 0.9).paths == {A}
    for path in (A, B, C):
        settle.event(path, 2.0)
    due = settle.due(2.3)
    assert due.paths == {B, C} and settle.unsettled == {A}
    assert settle.taken_with(due, {A}, 2.3).paths == {A, B, C}
    assert settle.idle and settle.taken_with(due, {A}, 2.3) == due


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_i7_what_is_not_worth_counting_is_never_held(total: int, gone: int, before: int) -> None:
    vanishing = Vanishing()
    vanishing.went(0.0, before)
    gone = min(gone, total)
    if gone < total and not vanishing.worth_counting(1.0, gone):
        assert not vanishing.too_much(1.0, total, total - gone, gone)


def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    backoff = Backoff()
    assert [backoff.wait_s(n, 1.0) for n in (1, 2, 3, 7, 100)] == [1, 2, 4, 60, 60]
    assert backoff.wait_s(3, 0.0) == 2


def test_news_shorten_our_own_wait_and_never_the_one_that_a_server_asked_for() -> None:
    again = Again().after_failure(100.0, 4.0)
    assert (again.wait_s(101.0), again.wait_s(101.0, news=True), again.wait_s(105.0)) == (3, 0, 0)
    asked = again.after_failure(101.0, 4.0, 30.0)
    assert asked.failures == 2 and asked.wait_s(111.0) == asked.wait_s(111.0, news=True) == 20
    assert asked.after_failure(111.0, 1.0).wait_s(111.0, news=True) == 20, "its wish holds on"
    assert asked.at_once().wait_s(101.0) == 0 and asked.at_once().failures == 2
    assert Again().after_failure(0.0, 4.0, 1e9).wait_s(0.0) == 3600 and Again().wait_s(0.0) == 0
    assert Again().after_failure(0.0, 4.0, 1.0).wait_s(0.0, news=True) == 4, "nor sooner than we would"


def test_a_machine_that_slept_is_noticed_once_and_one_that_worked_is_not() -> None:
    watch = SleepWatch()
    clocks = [
        (0, 1000, False),
        (5, 1005, False),
        (6, 1009.9, False),
        (7, 5000, True),
        (12, 5005, False),
        (13, 4000, False),
    ]
    assert [watch.slept(monotonic, wall) for monotonic, wall, _ in clocks] == [slept for _, _, slept in clocks]


def test_six_pushes_a_minute_go_at_once_and_the_seventh_waits() -> None:
    pace = Pace(6)
    for n in range(6):
        assert pace.wait_s(n) == 0
        pace.went(n)
    assert pace.wait_s(6.0) == 54
    assert pace.wait_s(60.0) == 0
    assert Pace(None).wait_s(0) == 0
