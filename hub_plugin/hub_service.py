"""The service of a hub: pages for students and instructors, links, and the middleware that guards them all."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from hub_plugin import words
from hub_plugin.agents import Agents
from hub_plugin.course_list import CourseList
from hub_plugin.courses import Visitor
from hub_plugin.database import Database, Session
from hub_plugin.delivery_log import DeliveryLog
from hub_plugin.events import Events
from hub_plugin.fan_out import FanOut
from hub_plugin.live import Board
from hub_plugin.login import Hub, Login, NotAllowed, is_from
from hub_plugin.members import MembersFiles
from hub_plugin.pages import Pages
from hub_plugin.rate import Rate
from hub_plugin.reported import Everywhere
from hub_plugin.rosters import Groups
from hub_plugin.service import HEADERS, HEARTBEAT_S, MOST_READERS, static_file
from hub_plugin.settings import Settings
from hub_plugin.shelf import Place, Shelf
from hub_plugin.sources import Node, Publisher
from hub_plugin.watch import Watcher
from hub_plugin.webhooks import LARGEST_BODY, Webhooks
from syncd.core.errors import NeedsUser, SyncError, TryAgain

_log = logging.getLogger("hub_plugin")

# Forms are sent to ourselves only; all else as on the page without a hub.
_POLICY = HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")

_UNHEARD_S = 1.0

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
    rate: Rate
    reports: Rate
    webhooks: Webhooks
    fan_out: FanOut
    node: Node | None
    publisher: Publisher | None
    events: Events
    everywhere: Everywhere | None
    groups: Groups | None
    ending: asyncio.Event
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


def make_hub_app(
    settings: Settings,
    hub: Hub,
    database: Database,
    watcher: Watcher,
    agents: Agents,
    node: Node | None = None,
    publisher: Publisher | None = None,
    events: Events | None = None,
    everywhere: Everywhere | None = None,
    groups: Groups | None = None,
) -> web.Application:
    """The service; it closes what it was given when it ends.

    `node` is told of webhooks, `publisher` does what instructors ask for; both are the watcher's sources as well.
    """
    from hub_plugin import (
        admin_handlers,
        api_handlers,
        change_handlers,
        class_handlers,
        link_handlers,
        my_handlers,
        release_handlers,
        report_handlers,
    )

    pages, events, courses = Pages(), events or Events(), CourseList(settings, watcher)
    fan_out = FanOut()

    async def has_webhook(course: str) -> bool:
        return await courses.find(course) is not None

    app = web.Application(middlewares=[_guarded], client_max_size=LARGEST_BODY)
    context = Context(
        settings=settings,
        courses=courses,
        hub=hub,
        login=Login(hub, database),
        database=database,
        watcher=watcher,
        pages=pages,
        shelf=Shelf(pages),
        agents=agents,
        rate=Rate(),
        reports=Rate(burst=30, per_minute=60),
        node=node,
        publisher=publisher,
        events=events,
        everywhere=everywhere,
        groups=groups,
        webhooks=Webhooks(DeliveryLog(database), node, fan_out, has_webhook, events),
        fan_out=fan_out,
        ending=asyncio.Event(),
    )
    app[context_key] = context
    events.on("heard", context.heard)
    if everywhere is not None:
        events.on("view", everywhere.hear_view)
        events.on("node", everywhere.hear_node)
    app.cleanup_ctx.append(_living)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_end_streams)
    prefix = context.prefix
    app.router.add_get(f"{prefix}static/{{name}}", _static)
    app.router.add_get(f"{prefix}badge.svg", _badge)
    app.router.add_get(f"{prefix}health", _health)
    app.router.add_get(f"{prefix}oauth_callback", _callback)
    app.router.add_post(f"{prefix}logout", _logout)
    my_handlers.add_routes(app, prefix)
    change_handlers.add_routes(app, prefix)
    class_handlers.add_routes(app, prefix)
    release_handlers.add_routes(app, prefix)
    admin_handlers.add_routes(app, prefix)
    api_handlers.add_routes(app, prefix)
    report_handlers.add_routes(app, prefix)
    link_handlers.add_routes(app, prefix, hub.address.base_url)
    return app


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


async def stream(request: web.Request, place: Callable[[], Place | None]) -> web.StreamResponse:
    """Tell an open page what changes, until it closes or its reader may no longer see it.

    Some proxies keep an answer back until it has ended.  A page that hears the first event says so; a stream that
    nobody is heard to hear ends after a second, and the page asks again: slower, but it works.
    """
    context = request.app[context_key]
    if name := request.query.get("heard", "")[:64]:
        await context.events.tell("heard", name)
        return web.Response(status=204)
    if context.watcher.readers >= MOST_READERS * 8:
        raise web.HTTPServiceUnavailable(text=words.FULL)
    answer = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    answer.content_type = "text/event-stream"
    name, heard = secrets.token_urlsafe(12), asyncio.Event()
    context.hearing[name] = heard
    # The reader may go at any time; its next request says what it has seen.
    try:
        await answer.prepare(request)
        await answer.write(f"retry: 1000\nevent: hello\ndata: {name}\n\n".encode())
        await _tell(request, answer, place, heard)
    except ConnectionError:
        pass
    finally:
        del context.hearing[name]
    return answer


async def _tell(
    request: web.Request, answer: web.StreamResponse, place: Callable[[], Place | None], heard: asyncio.Event
) -> None:
    context = request.app[context_key]
    session, visitor = request.get(session_key), request[visitor_key]
    seen = request.headers.get("Last-Event-ID") or request.query.get("since", "")
    unheard_until = time.monotonic() + _UNHEARD_S
    async with context.watcher.audience():
        while not context.ending.is_set():
            if (now := place()) is None or (session and await context.hub.visitor(session.token) != visitor):
                return
            if seen != now.board.version:
                await answer.write(now.patches.event(seen))
                seen = now.board.version
                continue
            left = unheard_until - time.monotonic()
            if not heard.is_set() and left <= 0:
                return
            if not await context.watcher.board.news(HEARTBEAT_S if heard.is_set() else left) and heard.is_set():
                await answer.write(b": still here\n\n")


def draw(request: web.Request, template: str, board: Board | None = None, **said: object) -> web.Response:
    """A page of ours; live if it has a board."""
    context = request.app[context_key]
    session = request.get(session_key)
    always = {
        "root": context.prefix,
        "hub": context.hub.address.base_url,
        "visitor": request.get(visitor_key),
        "form_token": session.form_token if session else "",
    }
    html = context.pages.draw(template, {**always, **said}, board, time.time())
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})


def message(request: web.Request, status: int, sentence: str, back: str = "") -> web.Response:
    """A page that says one sentence, or for a program the sentence alone; `back` is where to go from there."""
    context = request.app[context_key]
    if token_of(request) or request.path.startswith(f"{context.prefix}api/"):
        return web.json_response({"error": sentence}, status=status)
    answer = draw(request, "hub_message.html", sentence=sentence, back=back)
    answer.set_status(status)
    return answer


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        resolved = request.match_info.handler
        if not getattr(resolved, "open_to_anybody", False) and request.match_info.http_exception is None:
            away = await _identify(request)
            if away is not None:
                return away
        return await handler(request)
    except NotAllowed as problem:
        return message(request, 403, str(problem))
    except NeedsUser as problem:
        return message(request, 400, str(problem))
    except (TryAgain, SyncError) as problem:
        return message(request, 503, str(problem))
    except web.HTTPNotFound:
        return message(request, 404, words.NOT_FOUND)
    except web.HTTPMethodNotAllowed as error:
        answer = message(request, 405, words.ONLY_GET)
        answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except web.HTTPTooManyRequests as error:
        answer = message(request, 429, words.TOO_MANY)
        answer.headers["Retry-After"] = error.headers["Retry-After"]
        return answer
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001  (one odd request must not end the service, nor show what is inside)
        _log.exception("could not answer %s %s", request.method, request.path)
        return message(request, 500, words.BROKEN)


async def _identify(request: web.Request) -> web.StreamResponse | None:
    """Find out who asks; an answer instead if that can't be, or if they may not."""
    context = request.app[context_key]
    if token := token_of(request):
        visitor = await context.hub.visitor(token)
        if visitor is None:
            return web.json_response({"error": words.LOGIN_AGAIN}, status=401)
        request[visitor_key] = visitor
        return None
    session = await context.login.session(request)
    visitor = await context.hub.visitor(session.token) if session else None
    if session is None or visitor is None or visitor.name != session.user:
        if session is not None:
            await context.database.end_session(session.key)
        if request.method != "GET" or request.path.startswith(f"{context.prefix}api/"):
            return message(request, 401, words.FORM_AGAIN)
        if request.path.endswith("/events"):
            return web.Response(status=204)  # an event source gives up; the page is loaded anew
        raise context.login.begin(request, request.path_qs)
    request[session_key], request[visitor_key] = session, visitor
    if request.method == "POST":
        form = await request.post()
        if not is_from(session, form.get("form_token")):
            return message(request, 403, words.FORM_AGAIN)
    return None


async def _static(request: web.Request) -> web.Response:
    return static_file(request.app[context_key].pages, request.match_info["name"])


async def _badge(request: web.Request) -> web.Response:
    """For other sites' pages, at an address that stays."""
    pages = request.app[context_key].pages
    badge = pages.static[pages.name_of("badge.svg")]
    return web.Response(body=badge.content, content_type=badge.type, headers={"Cache-Control": "public, max-age=86400"})


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _callback(request: web.Request) -> web.StreamResponse:
    raise await request.app[context_key].login.finish(request)


async def _logout(request: web.Request) -> web.Response:
    session = request[session_key]
    await request.app[context_key].database.end_session(session.key)
    return message(request, 200, words.LOGGED_OUT)


for _handler in (_static, _badge, _health, _callback):
    open_to_anybody(_handler)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = _POLICY
    if request.path.endswith("/badge.svg"):
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers.popall("Server", None)


async def _living(app: web.Application) -> AsyncIterator[None]:
    context = app[context_key]
    running = [context.watcher.run(), context.events.run()]
    settings = context.settings
    if settings.members_folder and context.groups is not None:
        folder = Path(settings.members_folder)
        running.append(MembersFiles(folder, settings.courses, context.account, context.groups).run())
    tasks = {asyncio.create_task(one) for one in running}
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await context.webhooks.close()
    await context.events.close()
    await context.watcher.close()
    await context.hub.close()
    await context.database.close()


async def _end_streams(app: web.Application) -> None:
    app[context_key].ending.set()
    app[context_key].fan_out.end()
    app[context_key].watcher.board.wake()
