"""What others said, as it may be shown.

Nothing in a status document is trusted: a student's agent wrote part of it, and file names, commit messages and user
names are anybody's.  A field of the wrong kind counts as missing; text loses what would disturb a page or deceive a
reader (control characters, overrides of the writing direction, lone surrogates) and what is too long.  Escaping for
HTML is the templates' business.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

_DECEIVING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_USER_AND_PASSWORD = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/?#]*@", re.IGNORECASE)
_LINE, PARAGRAPH = 240, 600
_SHOWN = 20
_YEAR_9999 = 253_370_764_800


@dataclass(frozen=True, slots=True)
class Names:
    """The first of a list of names, and how many there are in all."""

    first: tuple[str, ...] = ()
    total: int = 0

    @property
    def more(self) -> int:
        """How many are not among the first."""
        return self.total - len(self.first)


def line_of(text: str) -> str:
    """A line of a file as it may be shown: all of it up to 2,000 characters, tabs as blanks."""
    return text_of(text.rstrip("\r").expandtabs(4), 2_000).replace("\n", "\ufffd")


def items_of(value: object) -> Iterator[Mapping[str, object]]:
    """The objects in a list."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item


def part_of(item: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object in an object; an empty one if there is none."""
    found = item.get(name)
    return found if isinstance(found, Mapping) else {}


def names_of(value: object) -> Names:
    """The first of a list of paths."""
    items = value if isinstance(value, list) else []
    return Names(tuple(name for name in map(path_of, items[:_SHOWN]) if name), len(items))


def sentences_of(value: object) -> Names:
    """The first of a list of sentences."""
    items = value if isinstance(value, list) else []
    return Names(tuple(said for said in map(_sentence, items[:_SHOWN]) if said), len(items))


def newest_sentences_of(value: object) -> Names:
    """Sentences that were added at the end, the last one first."""
    return sentences_of(value[::-1]) if isinstance(value, list) else Names()


def _sentence(item: object) -> str:
    return text_of(item, PARAGRAPH)


def text_of(value: object, limit: int = _LINE) -> str:
    """A text of some length, which may have lines."""
    if not isinstance(value, str):
        return ""
    clean = _DECEIVING.sub("\ufffd", value[: limit + 1])
    return clean if len(value) <= limit else clean[: limit - 1] + "…"


def path_of(value: object) -> str:
    """A path, or another short text, in one line; of a long one the start and the end, which names the file."""
    if not isinstance(value, str):
        return ""
    if len(value) > _LINE:
        value = value[: _LINE // 3] + "…" + value[-_LINE * 2 // 3 + 1 :]
    return text_of(value).replace("\n", "\ufffd")


def remote_without_secrets(value: object) -> str:
    """A remote's address as it may be shown: without user name and password."""
    return _USER_AND_PASSWORD.sub(r"\1", path_of(value))


def time_of(value: object) -> float | None:
    """Seconds since the epoch, from a number or from ISO 8601."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _YEAR_9999 and math.isfinite(value) else None


def count_of(value: object) -> int | None:
    """A number of things, or how many a list holds."""
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else None
