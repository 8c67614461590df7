"""Drawing: pieces to HTML, and the files beside the page."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from hub_plugin import words
from hub_plugin.live import Board, Changes
from syncd.look.drawing import statics_of, templates_of

_MOST_PATCHES = 16


class Pages:
    """The templates and static files, read once at start."""

    def __init__(self) -> None:
        self._files = statics_of("hub_plugin")
        self.static = {static.name: static for static in self._files.values()}
        self.build = hashlib.sha256(" ".join(sorted(self.static)).encode()).hexdigest()[:12]
        self._templates = templates_of("hub_plugin")
        self._templates.globals.update(words=words, static=self.name_of, when=_when)

    def name_of(self, file: str) -> str:
        """The name under which a file beside the page is loaded."""
        return self._files[file].name

    def page(self, board: Board, git_url: str, now: float) -> str:
        """The whole page, complete without JavaScript."""
        return self.draw("page.html", {"git_url": git_url}, board, now)

    def draw(self, template: str, said: Mapping[str, object], board: Board | None, now: float) -> str:
        """A page, with the pieces of a board: `headline`, `notices` and each outer list by its name."""
        drawn: dict[str, Markup] = {}
        if board is not None:

            def draw(names: Iterable[str]) -> Markup:
                return Markup("").join(self._piece(board, name, now, draw) for name in names)

            inner = {piece.inside for piece in board.layout.pieces.values()}
            drawn = {name: draw([name]) for name in ("headline", "notices")}
            drawn |= {name: draw(names) for name, names in board.layout.lists.items() if name not in inner}
        return self._templates.get_template(template).render(
            **{**drawn, "board": board, "now": now, "build": self.build, **said}
        )

    def patch(self, board: Board, changes: Changes, now: float) -> str:
        """What the page's script needs to bring itself up to date, as JSON in one line."""
        return json.dumps(
            {
                "version": changes.version,
                "build": self.build,
                "now": now,
                "lists": [[name, board.layout.lists[name]] for name in changes.lists],
                "pieces": {name: self._piece(board, name, now) for name in changes.pieces},
            }
        )

    def _piece(
        self, board: Board, name: str, now: float, draw: Callable[[Iterable[str]], Markup] | None = None
    ) -> Markup:
        piece = board.layout.pieces[name]
        inside: dict[str, Markup] = {}
        if piece.inside and draw:
            inside = {"about": draw([f"about-{name}"]), "rows": draw(board.layout.lists[piece.inside])}
        template = self._templates.get_template(piece.template)
        return Markup(template.render(id=name, it=piece.value, now=now, **inside))


class Patches:
    """What readers are sent, drawn once for all who have seen the same."""

    def __init__(self, pages: Pages, board: Board) -> None:
        self._pages, self._board = pages, board
        self._version = ""
        self._drawn: dict[str, bytes] = {}

    def event(self, seen: str) -> bytes:
        """The event that brings a reader from a version to the newest."""
        if self._version != self._board.version:
            self._version = self._board.version
            self._drawn.clear()
        if len(self._drawn) >= _MOST_PATCHES:
            self._drawn.clear()
        if seen not in self._drawn:
            patch = self._pages.patch(self._board, self._board.since(seen), time.time())
            self._drawn[seen] = f"id: {self._version}\nevent: patch\ndata: {patch}\n\n".encode()
        return self._drawn[seen]


@pass_context
def _when(context: Context, seconds: float) -> Markup:
    """A time as an element that the script keeps worded."""
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{}</time>').format(stamp, words.ago(context["now"] - seconds))
