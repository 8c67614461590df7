"""JSON values where they stand in their text, so that what a merge keeps is kept byte for byte.

Parsing is the json module's C scanner; only the levels that a merge looks into are walked here.
Numbers, escapes and duplicate keys survive because a kept value is copied as text, never written
anew from what it was parsed to.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from syncd.merge.json_style import Style, writes_ascii

_decoder = json.JSONDecoder()
_BLANKS = {"", " ", "\t", "\n", "\r"}
_blank = re.compile(r"[ \t\n\r]*")


class BrokenJson(ValueError):
    """The text is not the JSON we need; the message is for the log."""


@dataclass(frozen=True, eq=False)
class Page:
    """A whole JSON text and how it is laid out."""

    text: str

    @cached_property
    def style(self) -> Style:
        """How this text is indented and spaced."""
        return Style.of(self.text)

    @cached_property
    def ascii(self) -> bool | None:
        """Whether it escapes all that is not ASCII; None if it never had to choose."""
        return writes_ascii(self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One JSON value: where it stands, how deep, and what it means.

    `value` is not to be changed.  Of an object with a key twice the last one counts.
    """

    page: Page
    start: int
    end: int
    depth: int
    value: Any

    @property
    def text(self) -> str:
        """The value as it is written."""
        return self.page.text[self.start : self.end]

    def members(self) -> dict[str, "Piece"]:
        """The values of an object by key, in the order of the text."""
        text, at = self.page.text, self.start + 1
        found: dict[str, Piece] = {}
        at = _skip(text, at)
        while text[at] != "}":
            key, at = _decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
            value, end = _decoder.raw_decode(text, at)
            found[key] = Piece(self.page, at, end, self.depth + 1, value)
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
        return found

    def elements(self) -> list["Piece"]:
        """The values of an array."""
        return _elements(self.page, self.start, self.depth)[0]


@dataclass(frozen=True, slots=True)
class Root:
    """The outermost object of a text; the elements of one long array in it parsed once only."""

    members: dict[str, Piece]
    elements: list[Piece]


def read_root(page: Page, array: str) -> Root:
    """Read a whole text that is one object; `array` names the member to read element by element.

    Raises BrokenJson for anything that json.loads refuses, too.
    """
    text = page.text
    members: dict[str, Piece] = {}
    elements: list[Piece] = []
    try:
        at = _skip(text, _expect(text, _skip(text, 0), "{"))
        while text[at] != "}":
            if text[at] != '"':
                raise BrokenJson(f"no key at {at}")
            key, at = _decoder.raw_decode(text, at)
            at = _skip(text, _expect(text, _skip(text, at), ":"))
            if key == array and text[at] == "[":
                elements, end = _elements(page, at, 1)
                value: Any = [element.value for element in elements]
            else:
                value, end = _decoder.raw_decode(text, at)
            members[key] = Piece(page, at, end, 1, value)
            at = _skip(text, end)
            if text[at] != "}":
                at = _skip(text, _expect(text, at, ","))
                if text[at] == "}":
                    raise BrokenJson(f"a comma too many at {at}")
        if _skip(text, at + 1) != len(text):
            raise BrokenJson(f"something follows the end at {at + 1}")
    except BrokenJson:
        raise
    except (ValueError, IndexError, RecursionError) as error:
        raise BrokenJson(str(error)) from error
    return Root(members, elements)


def _elements(page: Page, at: int, depth: int) -> tuple[list[Piece], int]:
    text = page.text
    found: list[Piece] = []
    at = _skip(text, at + 1)
    if text[at] == "]":
        return found, at + 1
    while True:
        value, end = _decoder.raw_decode(text, at)
        found.append(Piece(page, at, end, depth + 1, value))
        at = _skip(text, end)
        if text[at] == "]":
            return found, at + 1
        at = _skip(text, _expect(text, at, ","))


def _skip(text: str, at: int) -> int:
    if text[at : at + 1] not in _BLANKS:
        return at
    found = _blank.match(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, char: str) -> int:
    if text[at] != char:
        raise BrokenJson(f"{char} expected at {at}")
    return at + 1


def same_value(a: Piece | None, b: Piece | None) -> bool:
    """Whether two values mean the same, however they are written; 1, 1.0 and true are three things."""
    if a is None or b is None:
        return a is b
    if [a.value] != [b.value]:
        return False
    if a.text == b.text:
        return True
    return json.dumps(a.value, sort_keys=True) == json.dumps(b.value, sort_keys=True)
