"""Times as people write them ("yesterday 14:00", "next friday 9:00", "2026-11-20 14:00"), read by dateparser.

Pure: the clock and the zone are the caller's.
"""

import re
from datetime import datetime, tzinfo
from enum import Enum

from syncd.core.errors import NeedsUser


class Towards(Enum):
    """Which monday "monday" is: the last one, or the next."""

    PAST = "past"
    FUTURE = "future"


_TWO_READINGS = re.compile(r"(?<![\d/])\d{1,2}/\d{1,2}\b")
"""Which of the two is the month depends on where one grew up."""
_CLEAR = re.compile(r"[^\W\d_]|\d\D+\d")
"""A word, or at least two numbers: a bare "3" would be taken for a month."""


def when(text: str, now: datetime, zone: tzinfo | None = None, towards: Towards = Towards.PAST) -> datetime:
    """The moment that a text names, with a zone.  NeedsUser if it names none or two, or is on the wrong side of `now`.

    `zone` is where the person is: None means this machine's own, with its summer time.  `now` must have a zone.
    """
    base = now.astimezone(zone)
    if _TWO_READINGS.search(text):
        raise NeedsUser(
            f"“{_shown(text)}” can mean two days: write it like “{_EXAMPLE[towards]}” or “{base:%Y-%m-%d} 14:00”."
        )
    found = _parsed(text, base, towards) if text.isprintable() and _CLEAR.search(text) else None
    if found is None:
        raise NeedsUser(
            f"“{_shown(text)}” is not a time that we understand: write one like “{_EXAMPLE[towards]}” "
            f"or “{base:%Y-%m-%d} 14:00”."
        )
    if found.tzinfo is not None:
        moment = found
    elif zone is not None:
        moment = found.replace(tzinfo=zone)
    else:
        moment = found.astimezone()  # this machine's offset of that day, not of today
    if towards is Towards.PAST and moment > now:
        raise NeedsUser(f"“{_shown(text)}” is {moment:%Y-%m-%d %H:%M}, which is yet to come: give a time that is past.")
    if towards is Towards.FUTURE and moment < now:
        raise NeedsUser(f"“{_shown(text)}” is {moment:%Y-%m-%d %H:%M}, which is over: give a time that is to come.")
    return moment


_EXAMPLE = {Towards.PAST: "yesterday 14:00", Towards.FUTURE: "tomorrow 9:00"}


def _parsed(text: str, base: datetime, towards: Towards) -> datetime | None:
    import dateparser  # only here: it costs every other command 0.1 s and some MB

    found: datetime | None = dateparser.parse(
        text[:100].strip(),
        languages=["en"],
        settings={
            "RELATIVE_BASE": base.replace(tzinfo=None),
            "PREFER_DATES_FROM": towards.value,
            # ISO dates are year, month, day; others as most of the world writes them
            "DATE_ORDER": "YMD" if re.match(r"\s*\d{4}", text) else "DMY",
            "PREFER_DAY_OF_MONTH": "first",
        },
    )
    return found


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:60])


def in_words(moment: datetime, now: datetime) -> str:
    """A past moment for people, in the zone of `now`: `today 14:03`, `monday 9:00`, `2 Nov 9:00`, `2 Nov 2025`."""
    moment = moment.astimezone(now.tzinfo)
    clock = f"{moment.hour}:{moment:%M}"
    days = (now.date() - moment.date()).days
    if days == 0:
        return f"today {clock}"
    if days == 1:
        return f"yesterday {clock}"
    if 1 < days < 7:
        return f"{_DAYS[moment.weekday()]} {clock}"
    day = f"{moment.day} {_MONTHS[moment.month - 1]}"
    return f"{day} {clock}" if moment.year == now.year else f"{day} {moment.year}"


# Not strftime's: those words are of the person's locale, and the rest of the sentence is not.
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
