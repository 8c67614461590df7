"""Drawing: values to HTML, and the files beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.look.drawing import statics_of, templates_of
from syncd.page import words


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a page that is brought up to date by itself; `id` is its id there."""

    id: str
    template: str
    value: object


class Drawing:
    """The templates and static files, read once, when somebody first opens the page."""

    def __init__(self, base: str) -> None:
        """`base` is the address of the page on this host, ending with a slash."""
        found = statics_of(__package__)
        self.static = {static.name: static for static in found.values()}
        self._templates = templates_of(__package__)
        self._templates.globals.update(
            words=words,
            base=base,
            static=lambda name: f"{base}static/{found[name].name}",
            stream=None,
            title=words.TITLE,
        )

    def draw(self, template: str, values: Mapping[str, object]) -> str:
        """A page, or a part of one."""
        return self._templates.get_template(template).render(values)

    def piece(self, piece: Piece, csrf: str) -> str:
        """A part of a page, for one session."""
        return self.draw(piece.template, {"id": piece.id, "it": piece.value, "csrf": csrf})
