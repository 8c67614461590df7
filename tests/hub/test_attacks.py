"""What somebody tries who wants another's folder, token or session, or to lead people elsewhere."""

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestServer
from playing import PREFIX, Service


async def begun(service: Service, path: str = PREFIX) -> tuple[str, str]:
    """A login that a browser has begun: its state, and the name of its cookie."""
    answer = await service.client.get(path, allow_redirects=False)
    assert answer.status == 302
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"] and query["redirect_uri"] == [f"{PREFIX}oauth_callback"]
    return query["state"][0], f"synced-folders-login-{query['state'][0][:8]}"


async def finished(service: Service, state: str, code: str = "adas-code") -> tuple[int, str]:
    where = f"{PREFIX}oauth_callback?state={state}&code={code}"
    answer = await service.client.get(where, allow_redirects=False)
    return answer.status, answer.headers.get("Location", "")


async def logged_in(service: Service) -> None:
    state, _ = await begun(service)
    assert await finished(service, state) == (302, PREFIX)


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "javascript:alert(1)",
        "/hub/logout",
        f"{PREFIX}\\..\\..",
        f"{PREFIX.rstrip('/')}.evil.example/",
        7,
        None,
    ],
)
async def test_a_login_leads_back_into_the_service_only(service: Service, path: object) -> None:
    state, name = await begun(service)
    forged = base64.urlsafe_b64encode(json.dumps([state, "verifier", path]).encode()).decode()
    service.client.session.cookie_jar.clear()
    headers = {"Cookie": f"{name}={forged}"}
    where = f"{PREFIX}oauth_callback?state={state}&code=adas-code"
    answer = await service.client.get(where, headers=headers, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, PREFIX)


async def test_a_login_needs_the_state_of_the_browser_that_began_it(service: Service) -> None:
    state, _ = await begun(service)
    for wrong in (state[:8] + "x" * 24, "", "\u00fc"):
        assert (await finished(service, wrong))[0] == 400
    assert (await finished(service, state, "stolen-code"))[0] == 400
    service.client.session.cookie_jar.clear()
    assert (await finished(service, state))[0] == 400


async def test_a_session_is_never_one_that_somebody_else_chose(service: Service) -> None:
    chosen = "c" * 43
    service.client.session.cookie_jar.update_cookies({"synced-folders-session": chosen}, service.client.make_url("/"))
    await logged_in(service)
    cookies = [c.value for c in service.client.session.cookie_jar if c.key == "synced-folders-session"]
    assert cookies and [c for c in cookies if c != chosen]
    other = CookieJar(unsafe=True)
    other.update_cookies({"synced-folders-session": chosen}, service.client.make_url("/"))
    service.client.session._cookie_jar = other
    assert (await service.client.get(PREFIX, allow_redirects=False)).status == 302  # to log in


async def test_the_token_stays_on_the_server(service: Service) -> None:
    await logged_in(service)
    answer = await service.client.get(PREFIX)
    page = await answer.text()
    assert "ada" in page and "ada-token" not in page + str(answer.headers)
    assert all("ada-token" not in cookie.value for cookie in service.client.session.cookie_jar)
    assert answer.headers["Referrer-Policy"] == "no-referrer" and answer.headers["Cache-Control"] == "no-store"
    secret = await service.client.get(f"{PREFIX}courses/ds8/")
    assert secret.status == 403 and "Secret" not in await secret.text()  # the webhook's, for instructors


async def test_only_the_badge_may_stand_on_other_sites_pages(service: Service) -> None:
    badge = await service.client.get(f"{PREFIX}badge.svg")
    assert (badge.status, badge.content_type) == (200, "image/svg+xml")
    assert badge.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert (await service.client.get(f"{PREFIX}health")).headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_forms_need_the_token_of_their_own_session(service: Service) -> None:
    await logged_in(service)
    found = re.search(r'name="form_token" value="([^"]+)"', await (await service.client.get(PREFIX)).text())
    assert found
    for what in posts(service):
        for fields in ({}, {"form_token": "x" * 32}, {"form_token": found[1][:-1]}):
            assert (await service.client.post(f"{PREFIX}{what}", data=fields)).status == 403, what
    for what in ("courses/ds8/releases/publish", "courses/ds8/releases/undo", "admin/replay"):
        answer = await service.client.post(f"{PREFIX}{what}", data={"form_token": found[1]})
        assert answer.status == 403, what  # a student's own token is no instructor's
    # JSON from another site's page has the cookie, but can't have the header.
    for headers, status in (({}, 403), ({"X-Form-Token": "x" * 32}, 403), ({"X-Form-Token": found[1]}, 400)):
        answer = await service.client.post(f"{PREFIX}api/v1/courses/ds8/restore", json={"path": "x"}, headers=headers)
        assert answer.status == status and (await answer.json())["error"]  # 400: ada has no account here


def posts(service: Service) -> list[str]:
    """Every address that takes a form."""
    assert isinstance(service.client.server, TestServer)
    routes = [route for route in service.client.server.app.router.routes() if route.method == "POST"]
    forms = [route.resource for route in routes if not getattr(route.handler, "open_to_anybody", False)]
    found = {resource.canonical.replace("{course}", "ds8") for resource in forms if resource}
    assert len(found) > 8
    return sorted(path.removeprefix(PREFIX) for path in found)


@pytest.mark.parametrize(
    "path",
    [
        "static/..%2f..%2fwords%2fsetup.py",
        "static/%2e%2e/%2e%2e/etc/passwd",
        "courses/..%2fds8/changes/",
        "courses/ds8/changes/compare?path=../../etc/passwd",
        "courses/ds8/changes/compare?path=.git/config",
        "courses/ds8/changes/compare?path=a%00b",
        "courses/ds8/changes/compare?path=a&version=../../x",
        "open/ds8/..%2f..%2fhub%2flogout",
        "open/ds8/x%0d%0aSet-Cookie:%20a=b",
        "open/ds8/a%5c..%5cb",
        "open/ds8/x?app=javascript:alert(1)",
        "git-pull?repo=https://x/o/r&urlpath=//evil.example/",
        "git-pull?repo=https://x/o/r&urlpath=https://evil.example/",
        "git-pull?repo=https://x/o/r&urlpath=lab/tree/..%2f..%2fhub/logout",
        "interact?repo=file:///etc&path=passwd",
        "interact?repo=ext::id&path=x",
        "interact?repo=http://169.254.169.254/latest/meta-data&path=x",
        "interact?file=http://127.0.0.1/secret",
        "interact?repo=<script>alert(1)</script>&path=x",
    ],
)
async def test_no_address_leads_out_of_a_course(service: Service, path: str) -> None:
    await logged_in(service)
    answer = await service.client.get(f"{PREFIX}{path}", allow_redirects=False)
    text = await answer.text()
    assert answer.status in (400, 403, 404), (answer.status, answer.headers)
    assert "root:x" not in text and "<script>" not in text
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and "Set-Cookie" not in answer.headers
