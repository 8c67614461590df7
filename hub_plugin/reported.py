"""What agents and nodes elsewhere report over the API: kept in memory, and shown as if this machine's node had said it.

Where agents have no node of this machine (pods), each reports with its server's own token, of itself only; a node on
another machine reports with the token of its service, of all its students.
"""

import json
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any

from hub_plugin import words
from hub_plugin.shown import Look
from hub_plugin.sources import Source
from syncd.core.errors import NeedsUser

_MOST_VIEWS, _MOST_NODES = 20_000, 200
_KEPT_S = 86_400.0
_LISTED = 50
_TEXTS = ("kind", "root", "commit", "state", "sentence")
_LISTS = ("waiting", "notes")
_LONGEST = 1_000

View = dict[str, Any]


class Everywhere:
    """The node of this machine, if there is one, and all that was reported."""

    who = words.NODE

    def __init__(self, node: Source | None) -> None:
        self.last = node.last if node is not None else Look({}, time.time())
        self._node = node
        self._views: OrderedDict[tuple[str, str], View] = OrderedDict()
        self._nodes: OrderedDict[str, tuple[float, Mapping[str, Any]]] = OrderedDict()
        self._changed = False
        self._local: Look | None = None

    def view(self, user: str, course: str, said: object) -> None:
        """An agent's report of its own view.  NeedsUser if it is none."""
        if not isinstance(said, Mapping):
            raise NeedsUser(words.API_JSON)
        view: View = {name: _text(said.get(name)) for name in _TEXTS}
        view |= {name: _texts(said.get(name)) for name in _LISTS}
        beside = said.get("beside")
        view |= {"user": user, "course": course, "beside": beside if isinstance(beside, int) else 0}
        view["updated_at"] = time.time()
        self._views[user, course] = view
        self._views.move_to_end((user, course))
        while len(self._views) > _MOST_VIEWS:
            self._views.popitem(last=False)
        self._changed = True

    def node(self, name: str, said: Mapping[str, Any]) -> None:
        """A node's report: its status document."""
        self._nodes[name] = time.time(), said
        self._nodes.move_to_end(name)
        while len(self._nodes) > _MOST_NODES:
            self._nodes.popitem(last=False)
        self._changed = True

    def nodes(self) -> tuple[tuple[str, float, Mapping[str, Any]], ...]:
        """Those elsewhere by name, with when each reported last, and what."""
        return tuple((name, at, said) for name, (at, said) in sorted(self._nodes.items()))

    def hear_view(self, told: str) -> None:
        """A report that came to this replica of the service or to another one."""
        user, course, said = json.loads(told)
        self.view(user, course, said)

    def hear_node(self, told: str) -> None:
        """The same of a node."""
        name, said = json.loads(told)
        self.node(name, said)

    async def look(self) -> Look:
        """The node of this machine is asked; what was reported is here already."""
        self._forget_the_old()
        local = await self._node.look() if self._node is not None else Look({}, time.time())
        if not self._views and not self._nodes:
            self.last = local
            return local
        known = self._local
        same = known is not None and local.document is known.document and not self._changed
        if same and self.last.document is not None:
            self.last = Look(self.last.document, local.at, local.problem)
        else:
            self._local, self._changed = local, False
            self.last = Look(self._merged(local.document or {}), local.at or time.time(), local.problem)
        return self.last

    async def close(self) -> None:
        """Let go of the connection to this machine's node."""
        if self._node is not None:
            await self._node.close()

    def _forget_the_old(self) -> None:
        """What was not reported again for a day; the oldest reports stand first."""
        edge = time.time() - _KEPT_S
        while self._views and next(iter(self._views.values()))["updated_at"] < edge:
            self._views.popitem(last=False)
            self._changed = True
        while self._nodes and next(iter(self._nodes.values()))[0] < edge:
            self._nodes.popitem(last=False)
            self._changed = True

    def _merged(self, local: Mapping[str, object]) -> Mapping[str, object]:
        documents = [local, *(said for _, said in self._nodes.values())]
        courses: dict[object, object] = {}
        views: list[object] = []
        for document in documents:
            for course in _items(document.get("courses")):
                courses.setdefault(course.get("name"), course)
            views += _items(document.get("views"))
        views += self._views.values()
        # A course that no node tells of is known by what most show: no single student says what is the newest.
        shown: dict[str, Counter[str]] = {}
        for view in self._views.values():
            shown.setdefault(view["course"], Counter())[view["commit"]] += 1
        for name, commits in shown.items():
            courses.setdefault(name, {"name": name, "state": "up_to_date", "commit": commits.most_common(1)[0][0]})
        return {**local, "courses": list(courses.values()), "views": views}


def _items(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [_text(item) for item in value[:_LISTED]] if isinstance(value, list) else []
