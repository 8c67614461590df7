"""A host that signs people in: the device flow as RFC 8628 and GitHub's page document it, and a bit of GitHub's API."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

CLIENT_ID = "Iv1.0815"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class SignInHost:
    """Answers polls by `story`, one after the other; "granted" gives the token."""

    def __init__(self, token: str) -> None:
        self.story: list[str] = ["authorization_pending", "granted"]
        self.token, self.interval = token, 0
        self.renewable_for: int | None = None
        self.renewals: list[str] = []
        self.polls: list[float] = []
        self.seen: list[str] = []
        self.permissions: dict[str, bool] | None = {"admin": False, "push": True, "pull": True}
        self.private, self.expires, self.scopes = True, "2031-05-06 07:08:09 UTC", ""

    def __enter__(self) -> Self:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = {key: value[0] for key, value in parse_qs(self.rfile.read(length).decode()).items()}
                assert self.headers["Accept"] == "application/json"
                self._answer(*host.posted(self.path, form))

            def do_GET(self) -> None:
                self._answer(*host.api(urlsplit(self.path).path, self.headers.get("Authorization", "")))

            def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
                raw = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                host.seen.append(self.path)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def posted(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if form.get("client_id") != CLIENT_ID:
            return (
                (404, {"error": "Not Found"})
                if path.endswith("code")
                else (200, {"error": "incorrect_client_credentials"})
            )
        if path == "/login/device/code":
            page = f"{self.url}/login/device"
            return 200, {
                "device_code": "d" * 40,
                "user_code": "WDJB-MJHT",
                "verification_uri": page,
                "expires_in": 900,
                "interval": self.interval,
            }
        assert path == "/login/oauth/access_token"
        if form.get("grant_type") == "refresh_token":
            if form["refresh_token"] not in self.renewals:
                return 200, {"error": "bad_refresh_token"}
            self.renewals.remove(form["refresh_token"])
            return 200, self._grant()
        assert form["grant_type"] == GRANT and form["device_code"] == "d" * 40
        self.polls.append(time.monotonic())
        now = self.story.pop(0)
        if now == "granted":
            return 200, self._grant()
        if now == "500":
            return 500, {}
        return 200, {"error": now, **({"interval": self.interval + 5} if now == "slow_down" else {})}

    def _grant(self) -> dict[str, Any]:
        out: dict[str, Any] = {"access_token": self.token, "token_type": "bearer", "scope": "repo"}
        if self.renewable_for is not None:
            self.renewals.append(f"renewal-{len(self.renewals)}-{time.monotonic_ns()}")
            out |= {"expires_in": self.renewable_for, "refresh_token": self.renewals[-1]}
        return out

    def api(self, path: str, authorization: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        if authorization != f"Bearer {self.token}":
            return 401, {"message": "Bad credentials"}, {}
        headers = {"GitHub-Authentication-Token-Expiration": self.expires, "X-OAuth-Scopes": self.scopes}
        if path == "/api/v3/user":
            return 200, {"login": "ada"}, headers
        if path == "/api/v3/repos/ada/course" and self.permissions is not None:
            return 200, {"private": self.private, "permissions": self.permissions}, headers
        return 404, {"message": "Not Found"}, headers
