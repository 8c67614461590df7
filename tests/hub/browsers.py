"""People who use a hub by HTTP as a browser would: cookies, redirects, forms."""

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

PASSWORD = "learn-by-doing-it"


def password_of(name: str) -> str:
    return PASSWORD if name != "root-of-hub" else f"{PASSWORD}, and then by teaching it"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    url: str
    text: str
    headers: Any

    @property
    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.text)
        assert found, self.text
        return found[1]


class Person:
    def __init__(self, hub: str, name: str) -> None:
        self.hub, self.name = hub, name
        self.pages = f"{hub}services/synced-folders/"
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def get(self, url: str, **headers: str) -> Answer:
        return self._ask(urllib.request.Request(url, headers=headers))

    def post(self, url: str, **fields: str) -> Answer:
        return self._ask(urllib.request.Request(url, urllib.parse.urlencode(fields).encode(), method="POST"))

    def send(self, url: str, body: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask(urllib.request.Request(url, body, named, method="POST"))

    def where(self, url: str) -> str:
        """Where an address leads to, without going there."""

        class _Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *arguments: Any) -> None:
                return None

        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies), _Stay()
        )
        try:
            with opener.open(url, timeout=30) as answer:
                return f"{answer.status}"
        except urllib.error.HTTPError as answer:
            return answer.headers.get("Location") or f"{answer.code}"

    def log_in(self) -> "Person":
        self.get(f"{self.hub}hub/login")
        answer = self.post(
            f"{self.hub}hub/login?next={urllib.parse.quote(urllib.parse.urlsplit(self.hub).path)}hub/home",
            username=self.name,
            password=password_of(self.name),
            _xsrf=self.xsrf("/hub/"),
        )
        assert answer.status == 200 and "hub/home" in answer.url, answer
        return self

    def xsrf(self, path: str) -> str:
        return next(c.value or "" for c in self.cookies if c.name == "_xsrf" and c.path.endswith(path))

    def api(self, method: str, path: str, body: object = None, token: str = "the-school-office") -> Any:
        request = urllib.request.Request(
            f"{self.hub}hub/api/{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"token {token}"},
            method=method,
        )
        answer = self._ask(request)
        assert answer.status < 400, answer
        return json.loads(answer.text) if answer.text else None

    def save(self, path: str, text: str) -> None:
        """Save a file in one's own server, as Lab does."""
        token = self.api("POST", f"users/{self.name}/tokens", {"note": "test"})["token"]
        body = json.dumps({"type": "file", "format": "text", "content": text}).encode()
        where = f"{self.hub}user/{self.name}/api/contents/{urllib.parse.quote(path)}"
        answer = self._ask(urllib.request.Request(where, body, {"Authorization": f"token {token}"}, method="PUT"))
        assert answer.status in (200, 201), answer

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.url, answer.read().decode(), answer.headers)
        except urllib.error.HTTPError as answer:
            return Answer(answer.code, answer.url or "", answer.read().decode(errors="replace"), answer.headers)
