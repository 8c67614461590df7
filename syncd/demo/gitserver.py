"""A stand-in for GitHub on loopback: the real `git http-backend` behind a small front.

The front checks tokens, answers as GitHub does to those it lets not in, counts requests, sends
signed webhooks after a push, and can be told to misbehave.  Repositories are bare ones below a
folder; whoever put them there, the rules of this server hold for them.
"""

import argparse
import asyncio
import base64
import binascii
import contextlib
import hmac
import json
import os
import secrets
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from syncd.demo.githooks import Hook, RefUpdate, deliver, deliver_all, ref_updates, write_hooks

LARGEST_FILE = 100 << 20
_CHUNK = 64 << 10
_SERVICES = {"git-upload-pack": "read", "git-receive-pack": "write"}
KINDS = ("refs_read", "refs_write", "fetch", "push", "denied")
"""What is counted: the two forms of `info/refs`, the two POSTs, and what was not let in."""

_WEB_PAGE = "<!DOCTYPE html><html><title>Sign in</title><body>Please sign in to this network.</body></html>"


@dataclass(slots=True)
class Fault:
    """How to misbehave: a status ("503", "429", "500" ...), or one of these words.

    "html": a page where git was expected; "cut": the connection breaks while we answer (a push is done then);
    "cut_upload": it breaks while the other side sends; "hang": no answer; "moved": a redirect to another host;
    "quota": a push is refused by the server's hook; "no_webhook".
    """

    kind: str
    times: int | None = None
    """For how many requests; None: until taken away."""
    on: frozenset[str] = frozenset(KINDS)


class GitServer(AbstractAsyncContextManager["GitServer"]):
    """The server; an async context that listens while it is entered."""

    def __init__(
        self,
        root: Path,
        *,
        port: int = 0,
        write_tokens: Sequence[str] = (),
        read_tokens: Sequence[str] = (),
        outside_tokens: Sequence[str] = (),
        public: bool = False,
        webhook_secret: str = "",
        protected: Sequence[str] = (),
        largest_file: int = LARGEST_FILE,
    ) -> None:
        """Tokens hold for all repositories (those of outsiders for none); with no write token anybody may do all."""
        self.root = root.resolve()
        self.counts: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.hooks: list[Hook] = []
        self.renamed: dict[str, str] = {}
        """Old name to new name; requests are sent on, as GitHub does."""
        self.delivered: list[int | None] = []
        self.protected = list(protected)
        self.tokens = {"write": set(write_tokens), "read": set(read_tokens), "outside": set(outside_tokens)}
        self._public = public
        self._secret = webhook_secret
        self.largest_file = largest_file
        self.moved_port: int | None = None
        """Where the fault "moved" sends requests; None: to this very port under another host name."""
        self._port = port
        self._admin = secrets.token_urlsafe(12)
        self.hanging = asyncio.Event()
        """Set once a request hangs."""
        self._released = asyncio.Event()  # ends requests that hang
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def base(self) -> str:
        """The server's own address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def admin(self) -> str:
        """Where hooks, faults and counts are reached (its path is the secret)."""
        return f"{self.base}/-/{self._admin}"

    def url(self, name: str) -> str:
        """The address of a repository."""
        return f"{self.base}/{name}.git"

    def path(self, name: str) -> Path:
        """The folder of a repository."""
        return self.root / f"{name}.git"

    def create(self, name: str, *, branch: str = "main") -> str:
        """Make an empty repository; its address."""
        argv = ["git", "init", "-q", "--bare", f"--initial-branch={branch}", str(self.path(name))]
        subprocess.run(argv, check=True, capture_output=True)
        return self.url(name)

    def fault(self, kind: str, *, times: int | None = None, on: Sequence[str] = KINDS) -> Fault:
        """Misbehave from now on; a fault is taken away by removing it from `faults`."""
        made = Fault(kind, times, frozenset(on))
        self.faults.append(made)
        return made

    def heal(self) -> None:
        """Take away all faults, and let go of requests that hang."""
        self.faults.clear()
        self._released.set()
        self._released = asyncio.Event()

    def hook(self, url: str, secret: str | None = None, repository: str | None = None) -> None:
        """Send push events to this URL from now on."""
        self.hooks.append(Hook(url, self._secret if secret is None else secret, repository))

    async def __aenter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        self._private = tempfile.TemporaryDirectory(prefix="gitserver-")
        write_hooks(Path(self._private.name))
        app = web.Application()
        app.add_routes(
            [
                web.get("/{name:.+}/info/refs", self._refs),
                web.post("/{name:.+}/{service:git-(?:upload|receive)-pack}", self._pack),
                web.post(f"/-/{self._admin}/hooks", self._admin_hooks),
                web.post(f"/-/{self._admin}/faults", self._admin_faults),
                web.get(f"/-/{self._admin}/counts", self._admin_counts),
            ]
        )
        # Bodies go to git as they came, compressed or not.
        self._runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()
        await self._runner.cleanup()
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        await self._session.close()
        self._private.cleanup()

    async def _refs(self, request: web.Request) -> web.StreamResponse:
        service = request.query.get("service", "")
        if service not in _SERVICES:
            return web.Response(status=403, text="Please upgrade your git client.\n")
        return await self._answer(request, service, f"refs_{_SERVICES[service]}")

    async def _pack(self, request: web.Request) -> web.StreamResponse:
        service = request.match_info["service"]
        return await self._answer(request, service, "fetch" if _SERVICES[service] == "read" else "push")

    async def _answer(self, request: web.Request, service: str, kind: str) -> web.StreamResponse:
        fault = self._fault_for(kind)
        self.counts[kind] += 1
        if fault and fault.kind == "hang":
            self.hanging.set()
            await self._released.wait()
            return web.Response(status=503)
        if fault and fault.kind == "moved":
            port = self.moved_port or self._port
            return web.Response(status=301, headers={"Location": f"http://localhost:{port}{request.path_qs}"})
        name = request.match_info["name"].removesuffix(".git")
        if name in self.renamed:
            where = self.url(self.renamed[name]) + request.path_qs.removeprefix(f"/{request.match_info['name']}")
            return web.Response(status=301, headers={"Location": where})
        if fault and fault.kind.isdigit():
            after = {"Retry-After": "7"} if fault.kind == "429" else {}
            return web.Response(status=int(fault.kind), headers=after, text="The server is not well.\n")
        if fault and fault.kind == "html":
            return web.Response(text=_WEB_PAGE, content_type="text/html")
        denied = self._denied(request, service)
        if denied is not None:
            self.counts["denied"] += 1
            return denied
        return await self._backend(request, service, fault.kind if fault else "")

    def _fault_for(self, kind: str) -> Fault | None:
        for fault in self.faults:
            if kind in fault.on and fault.kind != "no_webhook":
                self._use_up(fault)
                return fault
        return None

    def _use_up(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)

    def _denied(self, request: web.Request, service: str) -> web.Response | None:
        """What GitHub would say to somebody without the right; None to whom it lets in."""
        right = self._right(_token(request))
        exists = self._repository(request) is not None
        if right == "none" and not (self._public and exists and _SERVICES[service] == "read"):
            headers = {"WWW-Authenticate": 'Basic realm="stand-in"'}
            return web.Response(status=401, headers=headers, text="Invalid username or token.\n")
        if not exists or (right == "outside" and not self._public):
            return web.Response(status=404, text="Repository not found.\n")
        if _SERVICES[service] == "write" and right != "write":
            return web.Response(status=403, text="Write access to repository not granted.\n")
        return None

    def _right(self, token: str | None) -> str:
        if not self.tokens["write"] and token is None:
            return "write"
        for right, known in self.tokens.items():
            if token is not None and any(hmac.compare_digest(token.encode(), one.encode()) for one in known):
                return right
        return "none"

    def _repository(self, request: web.Request) -> Path | None:
        name = request.match_info["name"]
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root) or path == self.root or not (path / "HEAD").is_file():
            return None
        return path

    async def _backend(self, request: web.Request, service: str, fault: str) -> web.StreamResponse:
        cut = fault == "cut"
        if fault == "cut_upload":
            await request.content.readany()
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        received = Path(self._private.name) / f"received-{secrets.token_hex(8)}"
        git = await asyncio.create_subprocess_exec(
            *("git", "http-backend"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment(request, received) | ({"SYNCD_QUOTA": "1"} if fault == "quota" else {}),
            limit=1 << 20,
        )
        assert git.stdin is not None and git.stdout is not None
        feeding = asyncio.create_task(_feed(request.content, git.stdin))
        try:
            response = await _head(git.stdout)
            if cut:
                response.headers.pop("Content-Length", None)
                response.content_length = 1 << 30
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # the other side went away: git goes on
                await response.prepare(request)
                while chunk := await git.stdout.read(_CHUNK):
                    if cut:
                        await response.write(chunk[: max(1, len(chunk) // 2)])
                        if request.transport is not None:
                            request.transport.abort()
                        break
                    await response.write(chunk)
                else:
                    await response.write_eof()
            while await git.stdout.read(_CHUNK):
                pass  # a push that was accepted stays accepted, even if nobody hears of it
            return response
        finally:
            feeding.cancel()
            await git.wait()
            self._tell(request, received)

    def _environment(self, request: web.Request, received: Path) -> dict[str, str]:
        settings = {
            "http.receivepack": "true",
            "http.uploadpack": "true",
            "receive.denyNonFastForwards": "true",
            "receive.autogc": "false",
            "core.hooksPath": self._private.name,
            "safe.directory": "*",
        }
        out = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        out |= {f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(settings)}
        out |= {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(settings.values())}
        out |= {
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "REMOTE_USER": "stand-in",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "SYNCD_PROTECTED": " ".join(self.protected),
            "SYNCD_LARGEST": str(self.largest_file),
            "SYNCD_RECEIVED": str(received),
        }
        for header, name in (("Content-Encoding", "HTTP_CONTENT_ENCODING"), ("Git-Protocol", "HTTP_GIT_PROTOCOL")):
            if header in request.headers:
                out[name] = request.headers[header]
        if request.content_length is not None:
            out["CONTENT_LENGTH"] = str(request.content_length)
        return out

    def _tell(self, request: web.Request, received: Path) -> None:
        """Send the webhooks of a push that changed refs."""
        if not received.exists():
            return
        updates = ref_updates(received.read_text())
        received.unlink()
        for fault in self.faults:
            if fault.kind == "no_webhook":
                self._use_up(fault)
                return
        name = request.match_info["name"]
        task = asyncio.create_task(self._deliver(name, updates))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _deliver(self, name: str, updates: Sequence[RefUpdate]) -> None:
        url = f"{self.base}/{name}"
        self.delivered += await deliver_all(self._session, self.hooks, name, url, updates)

    async def _admin_hooks(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.hook(asked["url"], asked.get("secret"), asked.get("repository"))
        self.delivered.append(
            await deliver(self._session, self.hooks[-1], "ping", b'{"zen": "Keep it logically awesome."}')
        )
        return web.json_response({}, status=201)

    async def _admin_faults(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked.get("kind") is None:
            self.heal()
        else:
            self.fault(asked["kind"], times=asked.get("times"), on=asked.get("on", KINDS))
        return web.json_response({})

    async def _admin_counts(self, _: web.Request) -> web.Response:
        return web.json_response(self.counts)


def _token(request: web.Request) -> str | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            return password or user
    return None


async def _feed(body: aiohttp.StreamReader, into: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        async for chunk in body.iter_chunked(_CHUNK):
            into.write(chunk)
            await into.drain()
    into.close()


async def _head(out: asyncio.StreamReader) -> web.StreamResponse:
    """The CGI header as the beginning of a response."""
    status, headers = 200, []
    while line := (await out.readline()).decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append((name, value.strip()))
    response = web.StreamResponse(status=status if headers else 500)
    response.headers.extend(headers)
    return response


async def serve(server: GitServer, announce: Callable[[GitServer], None]) -> None:
    """Run until SIGTERM or Ctrl-C."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with server:
        announce(server)
        await ended.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """`python -m syncd.demo.gitserver`: prints its URL; the ready file gets {"url", "admin"}."""
    parser = argparse.ArgumentParser(description="A stand-in for GitHub on loopback.")
    parser.add_argument("--root", type=Path, required=True, help="the folder of bare repositories")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token-file", type=Path, help='JSON: {"write": [..], "read": [..], "outside": [..]}')
    parser.add_argument("--webhook-secret-file", type=Path)
    parser.add_argument("--webhook", action="append", default=[], help="a URL to tell of pushes")
    parser.add_argument("--protected", action="append", default=[], help="a branch that nobody may push to")
    parser.add_argument("--public", action="store_true", help="let anybody read")
    parser.add_argument("--ready-file", type=Path)
    given = parser.parse_args(argv)
    tokens: dict[str, list[str]] = json.loads(given.token_file.read_text()) if given.token_file else {}

    def announce(server: GitServer) -> None:
        for url in given.webhook:
            server.hook(url)
        if given.ready_file:
            aside = given.ready_file.with_name(f".{given.ready_file.name}.{os.getpid()}")
            aside.write_text(json.dumps({"url": server.base, "admin": server.admin}))
            aside.replace(given.ready_file)
        print(server.base, flush=True)

    async def run() -> None:
        server = GitServer(
            given.root,
            port=given.port,
            write_tokens=tokens.get("write", ()),
            read_tokens=tokens.get("read", ()),
            outside_tokens=tokens.get("outside", ()),
            public=given.public,
            webhook_secret=given.webhook_secret_file.read_text().strip() if given.webhook_secret_file else "",
            protected=given.protected,
        )
        await serve(server, announce)

    asyncio.run(run())


if __name__ == "__main__":
    main()
