"""The node's service: its courses, its unix socket, its listener for webhooks."""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web

from syncd.core.delivery import Push
from syncd.core.errors import NeedsUser, SyncError
from syncd.metrics.listener import listening, metrics_routes
from syncd.node.added import add, is_added, of_member, with_added
from syncd.node.changes import Changes
from syncd.node.client import HEARTBEAT_S, Ready
from syncd.node.config import Course, NodeConfig, listen_address, read_secret
from syncd.node.course import CourseKeeper
from syncd.node.doors import Doorkeeper, listen_at
from syncd.node.guard import Admission, Limits
from syncd.node.hub_link import HubLink
from syncd.node.keepers import Keepers
from syncd.node.members import Members
from syncd.node.observed import Observed
from syncd.node.store import Store
from syncd.node.upkeep import Upkeep
from syncd.node.views import Peer, Views, peer_of
from syncd.sd_notify import keep_told, tell_ready, tell_stopping
from syncd.webhook import webhook_app

_log = logging.getLogger(__name__)
_LARGEST_REPORT = 256 << 10
_SLOWEST_READER_S = 60.0
_VERSION = version("synced-folders")
_WRITERS = 8


async def run_node(
    config: NodeConfig,
    *,
    ready: Callable[[Mapping[str, object]], None] | None = None,
    changes: "asyncio.Queue[NodeConfig] | None" = None,
) -> None:
    """Serve until cancelled; `ready` is called once the sockets listen, with where they do.

    That is {"socket": path, "webhook": base URL of the listener or None, "metrics": the same}; a course's path is
    /webhook/COURSE.
    Settings put into `changes` replace the courses, the poll time and who may see what; the rest needs a restart.
    Stop if another service has the store, NeedsUser if the store or the listener can't be had.
    """
    with Store(config.store) as store, _writers() as executor:
        node = _Node(config, store, executor)
        async with contextlib.AsyncExitStack() as stack:
            runner = web.AppRunner(node.app(), access_log=None, shutdown_timeout=0.5)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            assert runner.server is not None
            stack.callback(Admission(_unix_socket(store.socket, socket.SOCK_STREAM), runner.server, node.limits).close)
            stack.callback(Doorkeeper(_unix_socket(store.doors, socket.SOCK_SEQPACKET), node.door).close)
            webhook = await _listen_for_webhooks(config, node, stack)
            metrics = await _show_metrics(config, node.observed, stack)
            stack.push_async_callback(node.keepers.close)
            await node.settle()
            parts = (node.upkeep.run(), node.observed.run(), keep_told(node.words), node.change(changes))
            tasks = [asyncio.create_task(part) for part in (*parts, *([node.hub.run()] if node.hub else []))]
            for task in tasks:
                stack.push_async_callback(_end, task)
            tell_ready(node.words())
            stack.callback(tell_stopping)
            if ready is not None:
                ready({"socket": str(store.socket), "webhook": webhook, "metrics": metrics})
            await asyncio.gather(*tasks, asyncio.Event().wait())


class _Node:
    """What the handlers share."""

    def __init__(self, config: NodeConfig, store: Store, executor: ThreadPoolExecutor) -> None:
        self._config = config
        self._store = store
        self._views = Views(os.getuid(), self._reported)
        self._members = Members(os.getuid())
        self.limits = Limits(os.getuid())
        self.keepers = Keepers(self._keeper_of)
        self._settling = asyncio.Lock()
        self._executor = executor
        self.observed = Observed(store, self.keepers, self._views)
        self.upkeep = Upkeep(store, self.keepers, _is_ours, self.observed.metrics, config.kept_s)
        self.hub = None
        if config.hub is not None and config.hub_token_file is not None:
            self.hub = HubLink(config.hub, config.hub_token_file, self.pushed, self._look, self._document)
            self.observed.metrics.linked(lambda: self.hub is not None and self.hub.connected)

    def _keeper_of(self, course: Course) -> CourseKeeper:
        self._store.begin(course.name)  # before anything else makes its folder, open to all
        meter = self.observed.metrics.course(course.name)
        return CourseKeeper(course, self._store, self._executor, self._config.poll_seconds, meter)

    async def settle(self) -> None:
        """Keep the courses of the settings and those that were added, as both are now."""
        async with self._settling:
            wanted = await asyncio.to_thread(with_added, self._config)
            await self.keepers.keep(wanted.courses)
            self.observed.settled()

    async def change(self, changes: "asyncio.Queue[NodeConfig] | None") -> None:
        """Take up settings as they come."""
        while changes is not None:
            self._config = await changes.get()
            await self.settle()
            _log.info("settings read again: %d courses", len(self.keepers))
            tell_ready(self.words())

    def words(self) -> str:
        """The node in one line, for `systemctl status`."""
        states = Counter(keeper.status()["state"] for keeper in self.keepers.values())
        told = [f"{states.pop('up_to_date', 0)} of {len(self.keepers)} courses up to date"]
        told += [f"{count} {state.replace('_', ' ')}" for state, count in sorted(states.items())]
        told += [f"{self._views.count} views"]
        if self.hub is not None:
            told.append("linked to the hub" if self.hub.connected else "no link to the hub: polling")
        return ", ".join(told)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_REPORT, middlewares=[_in_sentences, self._at_its_pace])
        app.add_routes(
            [
                web.get("/v1/status", self._status),
                web.get("/v1/courses/{name}/follow", self._follow),
                web.post("/v1/courses/{name}/hint", self._hint),
                web.post("/v1/views", self._report),
                web.post("/v1/views/switched", self._switched),
                web.get("/v1/added", self._added),
                web.post("/v1/added", self._add),
                *self.upkeep.routes(),
                *metrics_routes(self.observed, _is_ours),
            ]
        )
        return app

    def webhook_secret(self, course: str) -> str | None:
        keeper = self.keepers.get(course)
        path = keeper.course.webhook_secret_file if keeper else None
        if path is None:
            return None
        try:
            return read_secret(path)
        except NeedsUser as error:
            _log.warning("%s: %s", course, error, extra={"course": course})
            return None

    def door(self, course: str, peer: Peer) -> Path | str:
        """See `doors.Door`."""
        keeper = self._of(course, peer)
        if keeper is None:
            return _no_course(course)
        return self._store.content(course)

    def _of(self, course: str, peer: Peer) -> CourseKeeper | None:
        keeper = self.keepers.get(course)
        return keeper if keeper is not None and self._members.has(keeper.course, peer) else None

    def pushed(self, course: str, push: Push) -> None:
        if (keeper := self.keepers.get(course)) is not None:  # a hub may have courses that this node does not keep
            keeper.pushed(push)

    def _look(self) -> None:
        for keeper in self.keepers.values():
            keeper.hint()

    def _reported(self, before: Mapping[str, Any] | None, view: Mapping[str, Any]) -> None:
        self.observed.reported(before, view)
        if self.hub is not None and {**(before or {}), "updated_at": 0} != {**view, "updated_at": 0}:
            self.hub.changed()

    def _document(self) -> dict[str, Any]:
        """What the hub is told: the courses and all views."""
        courses = [keeper.status() for keeper in self.keepers.values()]
        return {"version": _VERSION, "courses": courses, "views": self._views.all()}

    async def _status(self, request: web.Request) -> web.Response:
        peer = _peer(request)
        everything = peer.name in self._config.status_users
        courses = [
            self._told_of(keeper, everything or peer.is_trusted(os.getuid()))
            for name, keeper in self.keepers.items()
            if everything or self._of(name, peer)
        ]
        views = self._views.seen_by(peer, self._config.status_users)
        hub = {"hub": self.hub.status()} if self.hub and (everything or peer.is_trusted(os.getuid())) else {}
        return web.json_response({"version": _VERSION, "courses": courses, "views": views, **hub})

    def _told_of(self, keeper: CourseKeeper, everything: bool) -> dict[str, Any]:
        """A course's status; those who may know all are told for whom links added it."""
        if everything and is_added(self._config, keeper.course):
            return {**keeper.status(), "added_for": sorted(self._members.listed(keeper.course))}
        return keeper.status()

    async def _added(self, request: web.Request) -> web.Response:
        """The courses that links added for a member: for the hub, which is root or the node's own user."""
        _only_ours(request)
        found = await asyncio.to_thread(of_member, self._store.root, request.query.get("member", ""))
        said = [{"name": course.name, "remote": course.remote, "branch": course.branch} for course in found]
        return web.json_response({"courses": said})

    async def _add(self, request: web.Request) -> web.Response:
        _only_ours(request)
        try:
            said = await request.json()
            name, remote, branch, member = (said[key] for key in ("name", "remote", "branch", "member"))
        except (ValueError, KeyError, TypeError) as error:
            raise NeedsUser("A course to add must be a JSON object with name, remote, branch and member.") from error
        if not all(isinstance(text, str) for text in (name, remote, branch or "", member)):
            raise NeedsUser("Name, remote, branch and member of a course to add must be texts.")
        async with self._settling:  # a class follows the same link at once: each changes the list that the other read
            new = await asyncio.to_thread(add, self._config, name, remote, branch, member)
        if new:
            await self.settle()
            _log.info("%s: added by a link of %s", name, member, extra={"course": name})
        return web.json_response({"new": new}, status=201 if new else 200)

    async def _hint(self, request: web.Request) -> web.Response:
        self._keeper(request).hint()
        return web.json_response({}, status=202)

    async def _report(self, request: web.Request) -> web.Response:
        try:
            said = await request.json()
        except ValueError as error:
            raise NeedsUser("A view's report must be JSON.") from error
        peer = _peer(request)
        self.upkeep.reported(peer, self._views.report(peer, said))
        return web.json_response({})

    async def _switched(self, request: web.Request) -> web.Response:
        """The agents' parent tells of views that went over to a version without a word of their own."""
        _only_ours(request)
        try:
            said = await request.json()
            course, commit, users = str(said["course"]), str(said["commit"]), list(map(str, said["users"]))
            sentence, visible_s = str(said["sentence"]), said.get("visible_s")
        except (ValueError, KeyError, TypeError) as error:
            raise NeedsUser("What switched must be a JSON object with course, commit, users and sentence.") from error
        for peer, view in self._views.switched(course, users, commit, sentence, visible_s):
            self.upkeep.reported(peer, view)
        return web.json_response({})

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        keeper = self._keeper(request)
        response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, TimeoutError):
            await self._tell(keeper, response, with_changes=_is_ours(request))
        return response

    async def _tell(self, keeper: CourseKeeper, response: web.StreamResponse, with_changes: bool) -> None:
        """Each ready commit once; a slow reader gets the newest and skips what lies between.

        `with_changes` for the agents' parent, which tells all agents what would be found in each of them else.
        """
        last: Ready | None = None
        while not keeper.ended:
            changed = keeper.changed
            current = keeper.kept.ready if keeper.kept else None
            if current is not None and current != last:
                await self._write(response, _line(current, keeper.changes if with_changes else None))
                last = current
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                await self._write(response, b"{}\n")

    async def _write(self, response: web.StreamResponse, line: bytes) -> None:
        """TimeoutError if the peer does not read."""
        async with asyncio.timeout(_SLOWEST_READER_S):
            await response.write(line)

    def _keeper(self, request: web.Request) -> CourseKeeper:
        name = request.match_info["name"]
        keeper = self._of(name, _peer(request))
        if keeper is None:
            raise web.HTTPNotFound(text=_no_course(name))
        return keeper

    @web.middleware
    async def _at_its_pace(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        wait_s = self.limits.wait_s(_peer(request))
        if wait_s is None:
            return web.Response(status=429, text="You ask too often: wait a minute.", headers={"Connection": "close"})
        if wait_s:
            await asyncio.sleep(wait_s)
        response: web.StreamResponse = await handler(request)
        return response


def _is_ours(request: web.Request) -> bool:
    return _peer(request).is_trusted(os.getuid())


def _only_ours(request: web.Request) -> None:
    if not _peer(request).is_trusted(os.getuid()):
        raise web.HTTPForbidden(text="Only root and the node's own user may do that.")


def _no_course(name: str) -> str:
    """The same words whether there is none or it is not for who asks: what there is concerns members only."""
    return f"This node has no course named {name[:64]!r} for you: check the name, or ask to be made a member."


def _line(ready: Ready, changes: Changes | None) -> bytes:
    said: dict[str, object] = {
        "commit": ready.commit,
        "manifest": str(ready.manifest),
        "blobs": str(ready.blobs),
        "ready_at": ready.ready_at,
    }
    if changes is not None:
        said |= {"since": changes.since, "paths": changes.paths}
    return json.dumps(said).encode() + b"\n"


def _peer(request: web.Request) -> Peer:
    assert request.transport is not None
    return peer_of(request.transport.get_extra_info("socket"))


@web.middleware
async def _in_sentences(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except SyncError as error:
        return web.Response(status=400, text=str(error))


def _writers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_WRITERS, thread_name_prefix="node-blobs")


def _unix_socket(path: Path, kind: socket.SocketKind) -> socket.socket:
    """Listen at a path (we hold the store's lock); each student's agent may ask, and learns what is theirs."""
    try:
        return listen_at(path, kind)
    except OSError as error:
        reason = "the path is too long" if len(os.fsencode(path)) > 107 else error.strerror
        raise NeedsUser(f"The socket {path} can't be made ({reason}): choose another store.") from error


async def _listen_for_webhooks(config: NodeConfig, node: _Node, stack: contextlib.AsyncExitStack) -> str | None:
    if config.webhook is None:
        return None
    host, port = listen_address(config.webhook)
    runner = web.AppRunner(webhook_app(node.webhook_secret, node.pushed), access_log=None, shutdown_timeout=0.5)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise NeedsUser(
            f"Webhooks can't be taken on {config.webhook} ({error.strerror}): choose another port."
        ) from error
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _show_metrics(config: NodeConfig, observed: Observed, stack: contextlib.AsyncExitStack) -> str | None:
    if config.metrics is None:
        return None
    path = config.metrics_token_file
    token = (lambda: read_secret(path)) if path is not None else None
    return await stack.enter_async_context(listening(observed, *listen_address(config.metrics), token))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
