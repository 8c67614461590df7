"""What whoever runs the hub is shown beside the courses: its nodes, the store, and the last deliveries of webhooks.

Asked for while somebody looks at it, and not oftener than every two seconds.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version

from hub_plugin import words
from hub_plugin.cleaned import path_of
from hub_plugin.delivery_log import DeliveryLog, Logged
from hub_plugin.live import Layout, Piece
from hub_plugin.node_facts import NodeFacts, node_facts
from hub_plugin.reported import Everywhere
from hub_plugin.shown import CourseCard, Look, Overview
from hub_plugin.sources import Node

INTERVAL_S = 2.0
_LOOKED_AT_S = 40.0
_DELIVERIES = 50


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node: of this machine, or elsewhere, which told of itself at `seen_at`."""

    name: str
    version: str
    courses: int
    folders: int
    seen_at: float | None


@dataclass(frozen=True, slots=True)
class HubFacts:
    """All of it."""

    nodes: tuple[NodeRow, ...] = ()
    store: NodeFacts = field(default_factory=NodeFacts)
    versions: str = ""
    deliveries: tuple[Logged, ...] = ()


class WholeHub:
    """A source of these facts; `look` never raises."""

    who = words.NODE

    def __init__(self, node: Node | None, everywhere: Everywhere | None, log: DeliveryLog) -> None:
        self.last = Look()
        self.facts = HubFacts()
        self._node, self._everywhere, self._log = node, everywhere, log
        self._wanted_until = self._next = 0.0

    def want(self) -> None:
        """Somebody looks."""
        self._wanted_until = time.monotonic() + _LOOKED_AT_S

    async def look(self) -> Look:
        """Ask now, if somebody looks and that was not done a moment ago."""
        now = time.monotonic()
        if self._next <= now < self._wanted_until:
            self._next = now + INTERVAL_S
            await self.refresh()
        return self.last

    async def refresh(self) -> None:
        """Ask now."""
        document = (self._node.last.document if self._node else None) or {}
        here = path_of(document.get("version"))
        facts = HubFacts(
            nodes=tuple(_rows(here if self._node else None, document, self._everywhere)),
            store=node_facts(await self._node.metrics() if self._node else ""),
            versions=words.versions(version("synced-folders"), here),
            deliveries=await self._log.last(None, _DELIVERIES),
        )
        if facts != self.facts:
            self.facts, self.last = facts, Look({"facts": facts}, time.time())

    async def close(self) -> None:
        """Nothing to let go of: node and database are the service's."""


def whole_layout(shown: Overview, facts: HubFacts) -> Layout:
    """The page's pieces."""
    cards: tuple[CourseCard, ...] = tuple(card for card, _ in shown.courses)
    pieces = {
        "headline": Piece("headline.html", ""),
        "notices": Piece("notices.html", shown.notices),
        "hub-courses": Piece("hub_courses.html", cards),
        "hub-nodes": Piece("hub_nodes.html", facts.nodes),
        "hub-store": Piece("hub_store.html", facts),
        "hub-deliveries": Piece("hub_deliveries.html", facts.deliveries),
    }
    return Layout(pieces, {"hub_pieces": ("hub-courses", "hub-nodes", "hub-store", "hub-deliveries")})


def _rows(here: str | None, document: object, everywhere: Everywhere | None) -> Iterable[NodeRow]:
    if here is not None:
        yield _row(words.THIS_MACHINE, document, None)
    for name, at, said in everywhere.nodes() if everywhere else ():
        yield _row(path_of(name), said, at)


def _row(name: str, said: object, at: float | None) -> NodeRow:
    found = said if isinstance(said, dict) else {}
    courses, views = found.get("courses"), found.get("views")
    return NodeRow(
        name,
        path_of(found.get("version")),
        len(courses) if isinstance(courses, list) else 0,
        len(views) if isinstance(views, list) else 0,
        at,
    )
