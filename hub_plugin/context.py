"""What all handlers of the service share, and what the guard found out about a request."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from hub_plugin.agents import Agents
from hub_plugin.course_list import CourseList
from hub_plugin.courses import Visitor
from hub_plugin.database import Database, Session
from hub_plugin.events import Events
from hub_plugin.fan_out import FanOut
from hub_plugin.hub_facts import WholeHub
from hub_plugin.login import Hub, Login
from hub_plugin.pages import Pages
from hub_plugin.rate import Rate
from hub_plugin.reported import Everywhere
from hub_plugin.rosters import Groups
from hub_plugin.settings import Settings
from hub_plugin.shelf import Shelf
from hub_plugin.sources import Node, Publisher
from hub_plugin.starting import Starting
from hub_plugin.watch import Watcher
from hub_plugin.webhooks import Webhooks

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Context:
    """What all handlers share."""

    settings: Settings
    courses: CourseList
    hub: Hub
    login: Login
    database: Database
    watcher: Watcher
    pages: Pages
    shelf: Shelf
    agents: Agents
    starting: Starting
    rate: Rate
    reports: Rate
    """Of agents and nodes elsewhere."""
    listens: Rate
    """Of open pages, which ask once a second where a proxy holds streams back."""
    webhooks: Webhooks
    fan_out: FanOut
    node: Node | None
    publisher: Publisher | None
    events: Events
    everywhere: Everywhere | None
    groups: Groups | None
    whole: WholeHub
    ending: asyncio.Event
    comparing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Comparing files takes the processor, and others shall not wait for it."""
    hearing: dict[str, asyncio.Event] = field(default_factory=dict)
    """The streams that are open, and whether each is heard while it is."""

    @property
    def prefix(self) -> str:
        """Where the pages are, with a slash at the end."""
        return self.hub.address.prefix

    def heard(self, name: str) -> None:
        """A page hears its stream, which may be another replica's."""
        if hearing := self.hearing.get(name):
            hearing.set()

    def account(self, user: str) -> str:
        """A hub user's account on this machine."""
        return self.settings.system_user.replace("{username}", user)


context_key = web.AppKey("context", Context)
visitor_key = web.RequestKey("visitor", Visitor)
session_key = web.RequestKey("session", Session)
"""Of a browser only."""
token_key = web.RequestKey("token", str)
"""The visitor's token of the hub, a browser's or a program's."""


def open_to_anybody(handler: Handler) -> Handler:
    """Mark a handler that needs no login."""
    handler.open_to_anybody = True  # type: ignore[attr-defined]
    return handler


def token_of(request: web.Request) -> str | None:
    """A token sent by a program, if one was."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.casefold() in ("token", "bearer") and token.strip() else None


def admit(rate: Rate, deed: str, again_s: int) -> None:
    """Count one more of what somebody does; the answer is 429, with `again_s` as Retry-After, if that is too often."""
    if not rate.allows(deed):
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(again_s)})
