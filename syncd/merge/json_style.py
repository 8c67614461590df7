"""How a JSON text is laid out, and how to write other values the same way."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_blanks = r"[ \t\r\n]*"
_opening = re.compile(rf'{_blanks}\{{({_blanks})"[^"\\]*(?:\\.[^"\\]*)*"({_blanks}:{_blanks})')
_after_comma = re.compile(r'(?:[\d"el\]}]),([ \t]*)["\[{\d]')
_token = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_wide = re.compile(r"[^\x00-\x7f]")
_lone = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Style:
    """Layout as json.dump and its like make it: one member a line, or all on one line."""

    newline: str
    """LF or CRLF; empty if everything stands on one line."""
    indent: str
    comma: str
    colon: str

    @staticmethod
    def of(text: str) -> "Style":
        """The layout of a text that is an object, read off its first members."""
        found = _opening.match(text)
        if not found:
            return Style("\n", " ", ",", ": ")
        lead, colon = found.groups()
        line, _, indent = lead.rpartition("\n")
        if "\n" in lead:
            return Style("\r\n" if line.endswith("\r") else "\n", indent, ",", colon)
        comma = _after_comma.search(text, 0, 4096)
        return Style("", "", "," + (comma.group(1) if comma else " "), colon)

    def lead(self, depth: int) -> str:
        """What stands before a value on its own line."""
        return self.newline + self.indent * depth if self.newline else ""

    def item(self, depth: int) -> str:
        """What stands between two items of an array or object."""
        return self.comma + self.lead(depth)

    def object(self, members: Iterable[tuple[str, str]], depth: int) -> str:
        """An object from keys and written values that stand one level deeper than `depth`."""
        inside = self.item(depth + 1).join(quote(key) + self.colon + value for key, value in members)
        return "{" + self.lead(depth + 1) + inside + self.lead(depth) + "}" if inside else "{}"

    def strings(self, items: Sequence[str], depth: int) -> str:
        """An array of strings, in one go: a cell may have a hundred thousand lines."""
        if not items:
            return "[]"
        encoder = json.JSONEncoder(ensure_ascii=False, separators=(self.item(depth + 1), self.colon))
        return "[" + self.lead(depth + 1) + in_raw(encoder.encode(items)[1:-1]) + self.lead(depth) + "]"

    def lay_out(self, text: str, depth: int) -> str:
        """A written value moved into this layout; strings and numbers stay as they are written."""
        out: list[str] = []
        opened = False  # the last token opened a block, which stays closed up if it is empty
        for token in _token.findall(text):
            if token in "}]":
                depth -= 1
                out.append(token if opened else self.lead(depth) + token)
                opened = False
                continue
            if opened:
                out.append(self.lead(depth))
                opened = False
            if token in "{[":
                depth += 1
                opened = True
                out.append(token)
            elif token == ",":
                out.append(self.item(depth))
            else:
                out.append(self.colon if token == ":" else token)
        return "".join(out)


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def quote(text: str) -> str:
    """A string as Jupyter writes it: not ASCII only, but never a lone surrogate in the raw."""
    return in_raw(_quoted(text))


def in_raw(written: str) -> str:
    """Written values with lone surrogates, which UTF-8 can't hold, escaped."""
    return written if written.isascii() else _lone.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def writes_ascii(text: str) -> bool | None:
    """Whether a text escapes all that is not ASCII; None if it never had to choose."""
    if not text.isascii():
        return False
    at = text.find("\\u")
    while at >= 0:
        # control characters are escaped by everybody; after an odd backslash it is one of the text's own
        slashes = at - len(text[max(0, at - 64) : at].rstrip("\\")) - max(0, at - 64)
        if slashes % 2 == 0 and text[at + 2 : at + 5] not in ("000", "001"):
            return True
        at = text.find("\\u", at + 2)
    return None


def to_ascii(text: str) -> str:
    """Written values with everything beyond ASCII escaped (it can only stand in strings)."""
    return _wide.sub(lambda found: json.dumps(found[0])[1:-1], text)


def from_ascii(text: str) -> str:
    """Written values with escaped characters beyond ASCII in the raw."""
    return _token.sub(lambda found: quote(json.loads(found[0])) if "\\u" in found[0] else found[0], text)
