"""When a planned release is due: a time that leaves no room for a guess, and said back in full words."""

import re
from datetime import datetime, tzinfo

from syncd.core.errors import NeedsUser
from syncd.when import Towards, when

_EXAMPLES = "write it like “tomorrow 9:00”, “friday 14:00”, “in 2 hours” or “2026-12-01 08:00”"
_HOUR = re.compile(r"\b\d{1,2}:\d\d\b|\b\d{1,2} ?[ap]\.?m\b|\bnoon\b|\bmidnight\b|T\d\d:\d\d", re.IGNORECASE)
_DISTANCE = re.compile(r"\bin\b.*(?:\b|\d)(?:minutes?|mins?|hours?|hrs?|h|m|days?|weeks?|months?)$", re.IGNORECASE)
_BARE_HOUR = re.compile(r"\bat (\d{1,2})(?![\d:.]| ?[ap]\.?m)", re.IGNORECASE)
_POINTED_HOUR = re.compile(r"(?<![\d.])(\d{1,2})\.(\d\d)$")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY = re.compile(r"\b(mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b", re.IGNORECASE)


def planned_time(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The moment to come that a text names.  NeedsUser unless it is clear, with its time of day.

    `zone` None is this machine's own.
    """
    words = " ".join(text.split())
    # dateparser would skip these hours and take the present one instead.
    words = _POINTED_HOUR.sub(r"\1:\2", _BARE_HOUR.sub(r"at \1:00", words))
    if not _HOUR.search(words) and not _DISTANCE.search(words):
        raise NeedsUser(f"“{words}” says no time of day: {_EXAMPLES}.")
    found = when(words, now, zone, Towards.FUTURE)
    found = found.astimezone(zone)
    named = _WEEKDAY.search(words)
    if named and not _WEEKDAYS[found.weekday()].startswith(named[1].lower()):
        raise NeedsUser(f"“{words}” is not clear: {in_words(found)} is no {named[0]}; {_EXAMPLES}.")
    return found


def in_words(moment: datetime) -> str:
    """`Friday 27 November 2026, 14:00 CET`: so that nobody need guess what was understood."""
    return f"{moment:%A} {moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".rstrip()


def local(seconds: float) -> datetime:
    """Seconds since 1970 as a moment in this machine's time zone."""
    return datetime.fromtimestamp(seconds).astimezone()
