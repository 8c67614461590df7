"""Where metrics and health are asked for: GET /metrics, /healthz, /readyz.

/healthz says that the event loop turns, /readyz whether everything is ready, with a sentence (status 503 if
not).  A listener of its own is for loopback only; with a token file it answers who shows the token, but for
/healthz, which tells nothing.
"""

import contextlib
import hmac
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from syncd.core.errors import NeedsUser, SyncError

if TYPE_CHECKING:
    from syncd.metrics.exposition import Registry


class Observed(Protocol):
    """A service that can be looked at."""

    @property
    def registry(self) -> "Registry": ...  # noqa: D102

    def readiness(self) -> Mapping[str, Any]:
        """{"ready": bool, "sentence": text, ...}."""
        ...


def metrics_routes(service: Observed, allowed: Callable[[web.Request], bool]) -> list[web.RouteDef]:
    """The three questions; `allowed` says who gets an answer."""

    def check(request: web.Request) -> None:
        if not allowed(request):
            raise web.HTTPForbidden(text="This is for the monitoring of this machine: show its token.")

    async def metrics(request: web.Request) -> web.Response:
        from syncd.metrics.exposition import CONTENT_TYPE, text_of

        check(request)
        return web.Response(body=text_of(service.registry), headers={"Content-Type": CONTENT_TYPE})

    async def readyz(request: web.Request) -> web.Response:
        check(request)
        found = dict(service.readiness())
        return web.json_response(found, status=200 if found["ready"] else 503)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    return [web.get("/metrics", metrics), web.get("/readyz", readyz), web.get("/healthz", healthz)]


@contextlib.asynccontextmanager
async def listening(service: Observed, host: str, port: int, token: Callable[[], str] | None) -> AsyncIterator[str]:
    """Listen while entered; the address.  `token` is read at each request.  NeedsUser if it can't listen there."""
    if not _is_loopback(host):
        raise NeedsUser(f"Metrics are for this machine only: give 127.0.0.1 instead of {host}, with a proxy before it.")

    def allowed(request: web.Request) -> bool:
        if token is None:
            return True
        try:
            wanted = f"Bearer {token()}"
        except SyncError:
            return False
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode())

    app = web.Application(client_max_size=1 << 10)
    app.add_routes(metrics_routes(service, allowed))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise NeedsUser(
                f"Metrics can't be shown on {host}:{port} ({error.strerror}): choose another port."
            ) from error
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
