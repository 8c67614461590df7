"""Drawing: values to HTML, and the files beside it.  Everything said is escaped here, by Jinja2."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from syncd.page import words

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Static:
    """A file that the page loads; its name changes with its content, so that it may be kept for ever."""

    content: bytes
    type: str


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
        # Most of the time nobody looks, and the templates' machinery is a twentieth of the idle daemon's memory.
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self.static: dict[str, Static] = {}
        names: dict[str, str] = {}
        for file in files("syncd.page").joinpath("static").iterdir():
            stem, _, ending = file.name.rpartition(".")
            if ending in _TYPES:
                content = file.read_bytes()
                names[file.name] = name = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
                self.static[name] = Static(content, _TYPES[ending])
        self._templates = Environment(
            loader=PackageLoader("syncd.page"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            words=words, base=base, static=lambda name: f"{base}static/{names[name]}", stream=None, title=words.TITLE
        )

    def draw(self, template: str, values: Mapping[str, object]) -> str:
        """A page, or a part of one."""
        return self._templates.get_template(template).render(values)

    def piece(self, piece: Piece, csrf: str) -> str:
        """A part of a page, for one session."""
        return self.draw(piece.template, {"id": piece.id, "it": piece.value, "csrf": csrf})
