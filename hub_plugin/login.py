"""Logging in with the hub: OAuth with state and PKCE, and who is asking, looked up anew with the hub for each request.

The token never leaves the server; a browser has an opaque cookie.  Scopes and groups are the hub's answer of now (kept
for some seconds), so that somebody who is taken out of a course is out of its pages at once.
"""

import base64
import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from hub_plugin import words
from hub_plugin.courses import Visitor
from hub_plugin.database import Database, Session
from hub_plugin.hub_address import HubAddress
from syncd.core.errors import NeedsUser, TryAgain

SESSION_S = 12 * 3600.0
_LOGIN_S = 600
_LONGEST_WAY_BACK = 2_400  # a cookie holds 4 KB
_KEPT_S = 5.0
_REPORTS_KEPT_S = 300.0
"""Who reports is looked up this seldom: a class of thousands does so twice a minute, and sees nothing by it."""
_KEPT_MOST = 5_000
_PAGES = "application/jupyterhub-pagination+json"
_PATIENCE = aiohttp.ClientTimeout(total=8, connect=3)


class NotAllowed(NeedsUser):
    """The hub knows them, and they may not use this service."""


class Hub:
    """The hub's API, as far as this service uses it."""

    def __init__(self, address: HubAddress, admin_groups: frozenset[str]) -> None:
        self.address = address
        self._admin_groups = admin_groups
        self._session: aiohttp.ClientSession | None = None
        self._services: dict[str, tuple[float, str]] = {}
        self._kept: OrderedDict[str, tuple[float, Visitor]] = OrderedDict()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def service(self, token: str) -> str | None:
        """The service whose token it is; None if it is none's, or of one that may not use ours."""
        key = _key(token)
        kept = self._services.get(key)
        if kept is not None and time.monotonic() - kept[0] < _REPORTS_KEPT_S:
            return kept[1]
        model = await self._get("/user", token) if _may_be_token(token) else None
        if model is None or model.get("kind") != "service" or not isinstance(model.get("name"), str):
            return None
        if not self.address.access_scopes.intersection(_texts(model.get("scopes"))):
            return None
        if len(self._services) >= _KEPT_MOST:
            self._services.clear()
        self._services[key] = time.monotonic(), model["name"]
        return str(model["name"])

    async def reporter(self, token: str) -> Visitor | None:
        """As `visitor`, for reports: the hub is not asked again for each of them."""
        return await self.visitor(token, _REPORTS_KEPT_S)

    async def visitor(self, token: str, kept_s: float = _KEPT_S) -> Visitor | None:
        """Whose token it is; None if it is nobody's any more.  NotAllowed without the scope, TryAgain without a hub."""
        key = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < kept_s:
            return kept[1]
        if not _may_be_token(token):
            return None
        model = await self._get("/user", token)
        if model is None or model.get("kind", "user") != "user" or not isinstance(model.get("name"), str):
            return None
        if not self.address.access_scopes.intersection(_texts(model.get("scopes"))):
            raise NotAllowed(words.NO_ACCESS)
        groups = frozenset(_texts(model.get("groups")))
        admin = model.get("admin") is True or bool(groups & self._admin_groups)
        found = Visitor(model["name"], groups, admin, isinstance(model.get("server"), str))
        self._kept[key] = (time.monotonic(), found)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT_MOST:
            self._kept.popitem(last=False)
        return found

    async def groups(self) -> dict[str, tuple[str, ...]] | None:
        """The groups that the service may read, each with its users; None if the hub lets it read none."""
        found: dict[str, tuple[str, ...]] = {}
        offset = 0
        while True:
            page = await self._get(f"/groups?offset={offset}&limit=200", self.address.api_token, accept=_PAGES)
            if page is None or not isinstance(page.get("items"), list):
                return None
            groups = [group for group in page["items"] if isinstance(group, dict)]
            found |= {str(group.get("name")): tuple(sorted(_texts(group.get("users")))) for group in groups}
            limit = _part(page, "_pagination").get("limit")
            # The hub may give fewer at once than were asked for, and counts in `total` also what we may not see.
            if not isinstance(limit, int) or not 0 < limit <= len(groups):
                return found
            offset += limit

    async def token_for(self, code: str, verifier: str) -> str | None:
        """The token for an authorization code; None if the hub does not accept it."""
        form = {
            "client_id": self.address.client_id,
            "client_secret": self.address.api_token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self.address.own_host}{self.address.prefix}oauth_callback",
            "code_verifier": verifier,
        }
        try:
            async with self._open().post(f"{self.address.api_url}/oauth2/token", data=form) as answer:
                said = await answer.json() if answer.status == 200 else {}
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise TryAgain(words.HUB_AWAY) from error
        token = said.get("access_token") if isinstance(said, dict) else None
        return token if isinstance(token, str) and token else None

    async def _get(self, path: str, token: str, accept: str = "application/json") -> dict[str, Any] | None:
        headers = {"Authorization": f"token {token}", "Accept": accept}
        try:
            async with self._open().get(
                f"{self.address.api_url}{path}", headers=headers, allow_redirects=False
            ) as answer:
                if answer.status in (401, 403, 404):
                    return None
                if answer.status != 200:
                    raise TryAgain(words.HUB_AWAY)
                said = await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise TryAgain(words.HUB_AWAY) from error
        return said if isinstance(said, dict) else None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_PATIENCE)
        return self._session


class Login:
    """Sessions of browsers."""

    def __init__(self, hub: Hub, database: Database) -> None:
        self._hub, self._database = hub, database
        self._prefix = hub.address.prefix
        self._cookie = "synced-folders-session"

    async def session(self, request: web.Request) -> Session | None:
        """The session of the browser that asks."""
        cookie = request.cookies.get(self._cookie, "")
        return await self._database.session(_key(cookie)) if 20 <= len(cookie) <= 100 else None

    def begin(self, request: web.Request, path: str) -> web.HTTPFound:
        """To the hub, and back to this address (within the service) afterwards."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": self._hub.address.client_id,
            "redirect_uri": f"{self._hub.address.own_host}{self._prefix}oauth_callback",
            "response_type": "code",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = f"{self._hub.address.host}{self._hub.address.base_url}hub/api/oauth2/authorize?{urlencode(query)}"
        answer = web.HTTPFound(where)
        path = path if len(path) <= _LONGEST_WAY_BACK else self._prefix
        # One cookie per login under way, so that two tabs don't disturb each other.
        content = base64.urlsafe_b64encode(json.dumps([state, verifier, path]).encode()).decode()
        self._set(answer, request, f"synced-folders-login-{state[:8]}", content, _LOGIN_S)
        return answer

    async def finish(self, request: web.Request) -> web.HTTPFound:
        """Back from the hub: a session if state and code are right.  NeedsUser if not."""
        state = request.query.get("state", "")
        name = f"synced-folders-login-{state[:8]}"
        try:
            begun, verifier, path = json.loads(base64.urlsafe_b64decode(request.cookies.get(name, "")))
        except (ValueError, TypeError) as error:
            raise NeedsUser(words.LOGIN_AGAIN) from error
        if not secrets.compare_digest(str(begun).encode(), state.encode("utf-8", "replace")):
            raise NeedsUser(words.LOGIN_AGAIN)
        token = await self._hub.token_for(request.query.get("code", ""), str(verifier))
        visitor = await self._hub.visitor(token) if token else None
        if token is None or visitor is None:
            raise NeedsUser(words.LOGIN_AGAIN)
        cookie = secrets.token_urlsafe(32)
        await self._database.new_session(_key(cookie), visitor.name, token, SESSION_S)
        inside = isinstance(path, str) and path.startswith(self._prefix) and "\\" not in path
        answer = web.HTTPFound(path if inside else self._prefix)
        answer.del_cookie(name, path=self._prefix)
        self._set(answer, request, self._cookie, cookie, int(SESSION_S))
        return answer

    def _set(self, answer: web.StreamResponse, request: web.Request, name: str, value: str, seconds: int) -> None:
        secure = request.headers.get("X-Forwarded-Proto", request.scheme).split(",")[0].strip() == "https"
        answer.set_cookie(name, value, path=self._prefix, max_age=seconds, httponly=True, samesite="Lax", secure=secure)


def is_from(session: Session, form_token: object) -> bool:
    """Whether a form was ours, for this session (CSRF)."""
    sent = form_token if isinstance(form_token, str) else ""
    return secrets.compare_digest(session.form_token.encode(), sent.encode("utf-8", "replace"))


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def _may_be_token(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _texts(said: object) -> list[str]:
    return [one for one in said if isinstance(one, str)] if isinstance(said, list) else []
