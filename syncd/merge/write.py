"""Write a merged notebook in mine's layout: mine's text with only what changed cut in."""

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.merge.fields import Object, Strings, Value
from syncd.merge.json_style import from_ascii, quote, to_ascii
from syncd.merge.json_text import Page, Piece
from syncd.merge.notebook import Notebook


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes values as they would stand in one text."""

    page: Page

    def write(self, value: Value, depth: int) -> str:
        """A value at a depth of nesting; what stands in this text already is copied byte for byte."""
        style = self.page.style
        if isinstance(value, Piece):
            return self._fit(value, depth)
        if isinstance(value, Object):
            return style.object(((key, self.write(item, depth + 1)) for key, item in value.members.items()), depth)
        if isinstance(value, Strings):
            return self._alphabet(style.strings(value.items, depth))
        return self._alphabet(quote(value)) if isinstance(value, str) else str(value)

    def _fit(self, piece: Piece, depth: int) -> str:
        text = piece.text
        if piece.page is self.page:
            return text if piece.depth == depth else self.page.style.lay_out(text, depth)
        if piece.depth != depth or piece.page.style != self.page.style:
            text = self.page.style.lay_out(text, depth)
        return self._alphabet(text)

    def _alphabet(self, text: str) -> str:
        if text.isascii() and "\\u" not in text:
            return text
        ascii_only = self.page.ascii
        if ascii_only and not text.isascii():
            return to_ascii(text)
        if ascii_only is False and "\\u" in text:
            return from_ascii(text)
        return text


@dataclass(frozen=True, slots=True)
class Slot:
    """A cell of the merged notebook, and which one of mine it stands for."""

    value: Value
    mine: int | None


def write_cells(mine: Notebook, cells: Sequence[Slot]) -> str:
    """The list of cells; between two that stood together in mine stays what stood between them."""
    if not cells:
        return "[]"
    writer, style, depth = Writer(mine.page), mine.page.style, mine.array.depth
    text, array = mine.page.text, mine.array
    out = ["["]
    last: int | None = -1
    for slot in cells:
        place = slot.mine
        if place is not None and last is not None and place == last + 1:
            start = mine.cells[place - 1].piece.end if place else array.start + 1
            out.append(text[start : mine.cells[place].piece.start])
        else:
            out.append(style.item(depth + 1) if len(out) > 1 else style.lead(depth + 1))
        out.append(writer.write(slot.value, depth + 1))
        last = place
    if mine.cells and last == len(mine.cells) - 1:
        out.append(text[mine.cells[-1].piece.end : array.end])
    else:
        out.append(style.lead(depth) + "]")
    return "".join(out)


@dataclass(frozen=True, slots=True)
class Cut:
    """New text for a stretch of mine's text."""

    start: int
    end: int
    text: str


def splice(text: str, cuts: Sequence[Cut]) -> str:
    """A text with stretches of it replaced."""
    out = []
    at = 0
    for cut in sorted(cuts, key=lambda cut: cut.start):
        out += [text[at : cut.start], cut.text]
        at = cut.end
    return "".join([*out, text[at:]])
