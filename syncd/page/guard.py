"""Who may ask for what: Host, cookie, Origin and form token, checked before any handler; headers after it."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from syncd.page import words
from syncd.page.sessions import Sessions

HEADERS = {
    # No inline script or style anywhere, and nothing from elsewhere: what a template forgot to escape would not run.
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SESSION = web.RequestKey("session", str)
FORM = web.RequestKey("form", dict[str, str])
"""What a checked request carries: its session, and its form without the token."""


class Guard:
    """The checks.  `host` is where we listen, as browsers say it."""

    def __init__(
        self, sessions: Sessions, refuse: Callable[[int, str], web.Response], open_paths: tuple[str, ...]
    ) -> None:
        """`refuse` draws a page with one sentence; what begins with `open_paths` needs no session."""
        self._sessions, self._refuse, self._open = sessions, refuse, open_paths
        self.host = ""

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers keep cookies by host, not by port, and two publishers may run."""
        return f"syncd-{self.host.rpartition(':')[2]}"

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let through what may pass; errors become a sentence."""
        # Another site can point a name of its own at 127.0.0.1 (DNS rebinding).
        if request.headers.getall("Host", []) != [self.host]:
            return self._refuse(403, words.WRONG_HOST)
        if not request.path.startswith(self._open):
            session = request.cookies.get(self.cookie, "")
            if not self._sessions.knows(session):
                return self._refuse(403, words.EXPIRED)
            request[SESSION] = session
        if request.method == "POST":
            refused = await self._check_form(request)
            if refused is not None:
                return refused
        elif request.method not in ("GET", "HEAD"):
            return self._refuse(405, words.NOT_FOUND)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return self._refuse(404, words.NOT_FOUND)
        except web.HTTPMethodNotAllowed:
            return self._refuse(405, words.NOT_FOUND)

    async def _check_form(self, request: web.Request) -> web.Response | None:
        origin = request.headers.get("Origin")
        # A form of a page that sends no referrer has the Origin "null"; the browser itself says where it came from.
        ours = origin == f"http://{self.host}" or (
            origin in (None, "null") and request.headers.get("Sec-Fetch-Site") == "same-origin"
        )
        if not ours or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return self._refuse(403, words.WRONG_ORIGIN)
        form: dict[str, str] = {}
        for name, value in (await request.post()).items():
            if isinstance(value, str):  # a name that comes again is one more line
                form[name] = f"{form[name]}\n{value}" if name in form else value
        if not self._sessions.is_csrf(request.get(SESSION, ""), form.pop("csrf", "")):
            return self._refuse(403, words.WRONG_FORM)
        request[FORM] = form
        return None


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """On every answer of the page."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.popall("Server", None)
