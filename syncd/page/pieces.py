"""Which parts a live page has: each is brought up to date by itself, so that focus and scrolling stay."""

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.page.drawing import Piece
from syncd.page.releases import Releases
from syncd.page.shown import Shown, headline


@dataclass(frozen=True, slots=True)
class Card:
    """A folder's state with its buttons; `alone` on the folder's own page."""

    folder: Shown
    alone: bool


def of_all(folders: Sequence[Shown]) -> list[Piece]:
    """The page of all folders; those that ask something come first."""
    ordered = sorted(folders, key=lambda each: each.kind != "needs_you")
    cards = [Piece(f"card-{each.id}", "card.html", Card(each, False)) for each in ordered]
    return [Piece("headline", "headline.html", headline(folders)), *cards]


def of_releases(found: Releases) -> list[Piece]:
    """The page of what students get."""
    return [
        Piece(f"publish-{found.id}", "publish_now.html", found),
        Piece(f"planned-{found.id}", "planned.html", found),
        Piece(f"published-{found.id}", "published.html", found),
    ]


def of_one(folder: Shown) -> list[Piece]:
    """The page of one folder."""
    return [
        Piece(f"card-{folder.id}", "card.html", Card(folder, True)),
        Piece(f"lists-{folder.id}", "lists.html", folder),
        Piece(f"recent-{folder.id}", "recent.html", folder),
    ]
