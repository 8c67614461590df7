"""Times of planned releases: what is clear is understood and said back in full words, all else is refused."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from syncd.core.errors import NeedsUser
from syncd.publisher.planned_time import in_words, planned_time

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 23, 50, tzinfo=BERLIN)

CLEAR = {
    "tomorrow 9:00": "Wednesday 25 November 2026, 09:00 CET",
    "tomorrow at 9": "Wednesday 25 November 2026, 09:00 CET",
    "tomorrow 9.30": "Wednesday 25 November 2026, 09:30 CET",
    "tomorrow noon": "Wednesday 25 November 2026, 12:00 CET",
    "friday 14:00": "Friday 27 November 2026, 14:00 CET",
    "next friday 14:00": "Friday 27 November 2026, 14:00 CET",
    "  friday   at noon ": "Friday 27 November 2026, 12:00 CET",
    "tuesday 8am": "Tuesday 1 December 2026, 08:00 CET",
    "9:00": "Wednesday 25 November 2026, 09:00 CET",
    "2026-12-01 08:00": "Tuesday 1 December 2026, 08:00 CET",
    "2026-12-01T08:00Z": "Tuesday 1 December 2026, 09:00 CET",
    "1.12. 8:00": "Tuesday 1 December 2026, 08:00 CET",
    "01.12.2026 08:00": "Tuesday 1 December 2026, 08:00 CET",
    "Dec 1 8am": "Tuesday 1 December 2026, 08:00 CET",
    "2026/12/20 14:00": "Sunday 20 December 2026, 14:00 CET",
    "in 2 hours": "Wednesday 25 November 2026, 01:50 CET",
    "in 90 minutes": "Wednesday 25 November 2026, 01:20 CET",
    "in 3 days": "Friday 27 November 2026, 23:50 CET",
    "2027-04-01 10:00": "Thursday 1 April 2027, 10:00 CEST",
}


@pytest.mark.parametrize("text", CLEAR)
def test_a_clear_time_is_understood_in_the_zone_of_the_person(text: str) -> None:
    assert in_words(planned_time(text, NOW, BERLIN)) == CLEAR[text]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *((text, "no time of day") for text in ("tomorrow", "monday", "2026-12-01", "next week", "", "garbage", "5")),
        *((text, "two days") for text in ("12/01 8:00", "1/12/2026 8:00")),
        ("yesterday 14:00", "is over"),
        ("2026-01-12 08:00", "is over"),
        ("tonight 8pm", "is over"),
        ("2 hours ago", "no time of day"),
        *((text, "not a time") for text in ("lab 3 9:00", "2026-02-30 10:00", "25:00", "in 99999999 hours")),
        ("friday the 25th 10:00", "not clear"),
    ],
)
def test_a_time_that_is_past_or_not_clear_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(NeedsUser) as refused:
        planned_time(text, NOW, BERLIN)
    assert why in str(refused.value)
