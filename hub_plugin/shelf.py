"""A board for each reader's view of the same sources: one per student, one per class."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hub_plugin.live import Board, Layout
from hub_plugin.pages import Pages, Patches
from hub_plugin.shown import Overview

_MOST = 2_048

Cut = Callable[[Overview], Layout]


@dataclass(slots=True)
class Place:
    """What one kind of reader is shown."""

    board: Board
    patches: Patches
    cut: Cut
    of: Overview | None = None

    def show(self, shown: Overview) -> None:
        """Bring the board up to date; the same overview is cut once."""
        if shown is not self.of:
            self.of = shown
            self.board.show(self.cut(shown))


class Shelf:
    """The boards by their readers' names; those not looked at for longest are let go of."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._places: OrderedDict[tuple[str, str], Place] = OrderedDict()

    def at(self, kind: str, name: str, cut: Cut | None, shown: Overview) -> Place | None:
        """The board of a reader, as of now; a new `cut` replaces the one it had.  None if there is neither."""
        place = self._places.get((kind, name))
        if place is None:
            if cut is None:
                return None
            board = Board()
            place = self._places[kind, name] = Place(board, Patches(self._pages, board), cut)
        elif cut is not None:
            place.cut, place.of = cut, None
        self._places.move_to_end((kind, name))
        while len(self._places) > _MOST:
            self._places.popitem(last=False)
        place.show(shown)
        return place

    def renew(self, kind: str, name: str) -> None:
        """Have a board cut again when somebody looks: something else than the overview changed."""
        if (place := self._places.get((kind, name))) is not None:
            place.of = None
