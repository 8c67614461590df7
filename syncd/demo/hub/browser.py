"""A person at the hub by HTTP: logs in with the form, starts the server, and works in it as Lab does."""

import base64
import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from syncd.core.errors import Stop

_PATIENCE_S = 60.0


class Browser:
    """One person's; requests that fail raise OSError (HTTPError is one)."""

    def __init__(self, hub: str, name: str) -> None:
        """`hub`: its address with a slash at the end."""
        self.hub, self.name = hub, name
        self.pages = f"{hub}services/synced-folders/"
        self._cookies = http.cookiejar.CookieJar()
        # Loopback only: whatever proxy the environment names has no part in it.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self._token = ""

    def log_in(self, password: str) -> None:
        """By the form.  Stop if the hub does not take it."""
        self.text(f"{self.hub}hub/login")
        form = {"username": self.name, "password": password, "_xsrf": self._xsrf()}
        self.text(f"{self.hub}hub/login?next=%2Fhub%2Fhome", form)
        try:
            made = self._json("POST", f"hub/api/users/{self.name}/tokens?_xsrf={self._xsrf()}", {"note": "demo"})
        except OSError as error:
            raise Stop(f"{self.name} could not log in: {error}") from error
        self._token = made["token"]

    def begin_server(self) -> None:
        """Have the hub start the person's server."""
        self._json("POST", f"hub/api/users/{self.name}/server")

    def await_server(self) -> None:
        """Until it is ready.  Stop if it isn't after a minute."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            server = self._json("GET", f"hub/api/users/{self.name}")["servers"].get("", {})
            if server.get("ready"):
                return
            if not server and deadline - time.monotonic() < _PATIENCE_S - 5:
                break
            time.sleep(0.1)
        raise Stop(f"The server of {self.name} did not start; see the hub's log.")

    def text(self, url: str, form: dict[str, str] | None = None) -> str:
        """A page, as a browser gets it: with cookies, through redirects."""
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        return self._ask(urllib.request.Request(url, body)).decode()

    def form_token(self, page: str) -> str:
        """What a form of our pages must send along."""
        found = re.search(r'name="form_token" value="([^"]+)"', page)
        return found[1] if found else ""

    def contents(self, method: str, path: str, body: dict[str, Any] | None = None, query: str = "") -> Any:
        """Jupyter's own interface to files, through hub and proxy."""
        return self._json(method, f"user/{self.name}/api/contents/{urllib.parse.quote(path)}{query}", body)

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return base64.b64decode(self.contents("GET", path, query="?type=file&format=base64")["content"])

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(self.hub + path, None if body is None else json.dumps(body).encode())
        request.method = method
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"token {self._token}")
        answer = self._ask(request)
        return json.loads(answer) if answer else None

    def _ask(self, request: urllib.request.Request) -> bytes:
        with self._opener.open(request, timeout=_PATIENCE_S) as answer:
            return bytes(answer.read())

    def _xsrf(self) -> str:
        return next((c.value or "" for c in self._cookies if c.name == "_xsrf" and c.path.endswith("/hub/")), "")
