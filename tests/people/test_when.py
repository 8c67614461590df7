"""Times as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncd.core.errors import NeedsUser
from syncd.when import Towards, in_words, when

ZONE = ZoneInfo("America/Los_Angeles")
NOW = datetime(2026, 11, 24, 15, 30, tzinfo=ZONE)  # a tuesday

PAST = [
    ("yesterday 14:00", "2026-11-23 14:00"),
    ("yesterday at 2pm", "2026-11-23 14:00"),
    ("2 hours ago", "2026-11-24 13:30"),
    ("two weeks ago", "2026-11-10 15:30"),
    ("monday 9:00", "2026-11-23 09:00"),
    ("friday 10am", "2026-11-20 10:00"),
    ("last monday", "2026-11-23 00:00"),
    ("9am", "2026-11-24 09:00"),
    ("2026-11-02", "2026-11-02 00:00"),
    ("2026-11-02 14:00", "2026-11-02 14:00"),
    ("02.11.2026 14:00", "2026-11-02 14:00"),
    ("2026-10-30T14:00:00+00:00", "2026-10-30 07:00"),
    ("today 8:00", "2026-11-24 08:00"),
    ("2026/11/20 14:00", "2026-11-20 14:00"),
    ("2026/9/3 14:00", "2026-09-03 14:00"),
]
FUTURE = [
    ("tomorrow 9:00", "2026-11-25 09:00"),
    ("friday 10am", "2026-11-27 10:00"),
    ("next friday 9:00", "2026-11-27 09:00"),
    ("in 2 hours", "2026-11-24 17:30"),
    ("20:00", "2026-11-24 20:00"),
    ("9:00", "2026-11-25 09:00"),
    ("2026-12-01 8:00", "2026-12-01 08:00"),
    ("2026/12/20 14:00", "2026-12-20 14:00"),
]


@pytest.mark.parametrize(("text", "expected"), PAST)
def test_a_time_that_is_past_is_understood(text: str, expected: str) -> None:
    assert when(text, NOW, ZONE).astimezone(ZONE).strftime("%Y-%m-%d %H:%M") == expected


@pytest.mark.parametrize(("text", "expected"), FUTURE)
def test_a_time_to_come_is_understood(text: str, expected: str) -> None:
    found = when(text, NOW, ZONE, Towards.FUTURE)
    assert found.astimezone(ZONE).strftime("%Y-%m-%d %H:%M") == expected


@pytest.mark.parametrize("text", ["", "3", "garbage", "\x1b[31m", "1 2 3 4 5", "x" * 5000, "99:99", "tomorrow 9:00"])
def test_what_is_no_past_time_gets_one_sentence(text: str) -> None:
    with pytest.raises(NeedsUser) as problem:
        when(text, NOW, ZONE)
    assert len(str(problem.value)) < 300 and str(problem.value).isprintable()


@pytest.mark.parametrize("text", ["12/01", "12/01 8:00", "1/12/2026", "on 3/4 at 9:00", "12/01/26 8am"])
@pytest.mark.parametrize("towards", Towards)
def test_a_date_that_can_be_read_in_two_ways_is_refused_either_way(text: str, towards: Towards) -> None:
    with pytest.raises(NeedsUser, match="two days"):
        when(text, NOW, ZONE, towards)


def test_a_planned_time_that_is_over_is_refused() -> None:
    with pytest.raises(NeedsUser, match="which is over"):
        when("yesterday 9:00", NOW, ZONE, Towards.FUTURE)


def test_the_hour_is_that_of_the_day_it_names() -> None:
    """The clocks went back on 1 November."""
    assert when("2026-10-20 14:00", NOW, ZONE) == datetime(2026, 10, 20, 21, 0, tzinfo=UTC)
    assert when("2026-11-20 14:00", NOW, ZONE) == datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def test_without_a_zone_it_is_this_machines() -> None:
    found = when("1 hour ago", NOW)
    assert found == NOW - timedelta(hours=1) and found.tzinfo is not None


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ((2026, 11, 24, 9, 5), "today 9:05"),
        ((2026, 11, 23, 23, 59), "yesterday 23:59"),
        ((2026, 11, 18, 9, 0), "wednesday 9:00"),
        ((2026, 11, 17, 9, 0), "17 Nov 9:00"),
        ((2025, 12, 31, 9, 0), "31 Dec 2025"),
        ((2026, 11, 25, 9, 0), "25 Nov 9:00"),
    ],
)
def test_a_moment_is_said_as_people_do(moment: tuple[int, int, int, int, int], words: str) -> None:
    assert in_words(datetime(*moment, tzinfo=ZONE).astimezone(UTC), NOW) == words
