"""Who gets in, and who may press a button: every way but the right one is refused, with a sentence."""

import re
from pathlib import Path

import aiohttp
import pytest
from reader import TOKEN, Publisher, Reader, text_of

from syncd.demo.gitserver import GitServer
from syncd.page import words
from syncd.page.sessions import CODE_S, SESSION_S, Sessions
from syncd.publisher.credentials import Credentials


async def test_a_link_opens_the_page_once(publisher: Publisher) -> None:
    link = await publisher.entrance()
    async with Reader(link) as first, Reader(link) as second:
        async with first.session.get(link) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert "code=" not in await answer.text()
        assert re.search(r"HttpOnly", cookie) and re.search(r"SameSite=Strict", cookie)
        assert f"Path={first.base.path}" in cookie
        assert (await first.get())[0] == 200
        async with second.session.get(link) as answer:
            assert answer.status == 403 and words.USED in text_of(await answer.text())
            assert "Set-Cookie" not in answer.headers
        assert (await second.get())[0] == 403
        assert (await first.get())[0] == 200


async def test_a_second_link_in_the_same_browser_leaves_open_pages_working(
    publisher: Publisher, reader: Reader
) -> None:
    csrf = await reader.csrf()
    async with reader.session.get(await publisher.entrance()) as answer:
        assert answer.status == 200
    id = (await publisher.folder())["id"]
    assert (await reader.post(f"folders/{id}/do/hint", {"csrf": csrf}))[0] == 200


async def test_only_who_holds_the_token_gets_a_link(publisher: Publisher, reader: Reader) -> None:
    async with aiohttp.ClientSession() as stranger:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": reader.cookie}):
            async with stranger.post(f"{publisher.url}/v1/page", headers=headers) as answer:
                assert answer.status == 401
            async with stranger.get(f"{publisher.url}/v1/status", headers=headers) as answer:
                assert answer.status == 401


STRANGE = [
    {"Host": "evil.example"},
    {"Host": "localhost:{port}"},
    {"Host": "127.0.0.1"},
    {"Host": "127.0.0.1:{port}.evil.example"},
    {"Cookie": ""},
    {"Cookie": "syncd-{port}=guessed"},
]


async def test_another_name_or_cookie_sees_nothing(reader: Reader) -> None:
    async with aiohttp.ClientSession() as stranger:
        for headers in STRANGE:
            sent = {"Cookie": reader.cookie} | {name: v.format(port=reader.base.port) for name, v in headers.items()}
            for path in ("", "events", "folders/x/", "nothing"):
                async with stranger.get(f"{reader.base}{path}", headers=sent) as answer:
                    assert answer.status == 403, headers
                    assert "ds8" not in await answer.text()


async def test_the_cookie_of_another_publisher_is_worth_nothing_here(
    reader: Reader, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.mktemp("other")
    async with Publisher(state) as other, Reader(await other.entrance()) as theirs:
        await theirs.enter()
        value = theirs.cookie.partition("=")[2]
        mine = reader.cookie.partition("=")[0]
        async with aiohttp.ClientSession() as stranger:
            for cookie in (theirs.cookie, f"{mine}={value}"):
                async with stranger.get(reader.base, headers={"Cookie": cookie}) as answer:
                    assert answer.status == 403
            # Without its secret path our cookie reaches nobody: a browser sends it below that path only.
            async with stranger.get(f"{theirs.base}", headers={"Cookie": reader.cookie}) as answer:
                assert answer.status == 403


FOREIGN = [
    ({"Origin": "http://evil.example"}, words.WRONG_ORIGIN),
    ({"Origin": "http://127.0.0.1:1"}, words.WRONG_ORIGIN),
    ({"Origin": "https://127.0.0.1:{port}"}, words.WRONG_ORIGIN),
    ({"Origin": "null"}, words.WRONG_ORIGIN),
    ({"Origin": "None"}, words.WRONG_ORIGIN),
    ({"Origin": "null", "Sec_Fetch_Site": "same-site"}, words.WRONG_ORIGIN),
    ({"Sec_Fetch_Site": "cross-site"}, words.WRONG_ORIGIN),
    ({"Host": "evil.example"}, words.WRONG_HOST),
]


async def test_a_button_of_another_page_does_nothing(publisher: Publisher, reader: Reader) -> None:
    id = (await publisher.folder())["id"]
    fields = {"csrf": await reader.csrf()}
    for headers, sentence in FOREIGN:
        sent = {name: value.format(port=reader.base.port) for name, value in headers.items()}
        status, text = await reader.post(f"folders/{id}/do/pause", fields, **sent)
        assert status == 403 and sentence in text_of(text), headers
    assert (await publisher.folder())["state"] == "up_to_date"


@pytest.mark.parametrize("what", ["none", "read only", "for another repository"])
async def test_a_field_for_a_token_stands_where_one_is_wanted_and_takes_only_one_that_will_do(
    publisher: Publisher, reader: Reader, server: GitServer, tmp_path: Path, folder: Path, what: str
) -> None:
    server.tokens |= {"read": {"reads"}, "outside": {"outside"}}
    credentials, status = Credentials(publisher.state), await publisher.folder()
    do = f"folders/{status['id']}/do/token"
    assert 'name="token"' not in (await reader.get())[1]
    if what == "none":
        credentials.forget(status["remote"])
    else:
        credentials.store(status["remote"], "reads" if what == "read only" else "outside")
    (folder / "notes.txt").write_text("second\n")
    assert (await publisher.until(lambda now: now["question"] == "token"))["token_for"] == status["remote"]
    page = (await reader.get())[1]
    assert 'type="password"' in page and "in the settings of your account on 127.0.0.1" in text_of(page)
    before = (tmp_path / "state/tokens.json").read_text()
    for wrong, said in [
        ("", "No token was given"),
        ("two words", "not a token"),
        ("reads", "may read course but not write"),
        ("outside", "no repository"),
    ]:
        answer = await reader.post(do, {"csrf": await reader.csrf(), "token": wrong})
        assert answer[0] == 409 and said in answer[1] and (not wrong or f"“{wrong}”" not in answer[1])
    assert (await reader.post(do, {"csrf": "x", "token": TOKEN}))[0] == 403
    assert (await reader.post(do, {"csrf": await reader.csrf(), "token": TOKEN}, Origin="http://evil.example"))[
        0
    ] == 403
    assert (tmp_path / "state/tokens.json").read_text() == before
    assert "may read and write" in await reader.press(do, token=f" {TOKEN}\n")
    await publisher.up_to_date()
    assert 'name="token"' not in (await reader.get())[1]


async def test_a_button_needs_the_token_of_its_own_session(publisher: Publisher, reader: Reader) -> None:
    id = (await publisher.folder())["id"]
    async with Reader(await publisher.entrance()) as other:
        foreign = await (await other.enter()).csrf()
    for fields in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": "é"}):
        status, text = await reader.post(f"folders/{id}/do/pause", fields)
        assert status == 403 and words.WRONG_FORM in text_of(text)
    assert (await publisher.folder())["state"] == "up_to_date"
    status, _ = await reader.post(f"folders/{id}/do/pause", {"csrf": await reader.csrf()})
    assert status == 200 and (await publisher.folder())["state"] == "paused"


async def test_a_form_works_without_javascript_and_leads_back_only_to_the_page(
    publisher: Publisher, reader: Reader
) -> None:
    id = (await publisher.folder())["id"]
    for back, leads in [
        (f"folders/{id}/", f"folders/{id}/"),
        ("//evil.example/", ""),
        ("http://evil.example", ""),
        ("x\r\nSet-Cookie: a=b", ""),
    ]:
        fields = {"csrf": await reader.csrf(), "back": back}
        more = {"Accept": "text/html", "Origin": "null", "Sec_Fetch_Site": "same-origin"}
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        async with reader.session.post(
            f"{reader.base}folders/{id}/do/hint", data=fields, headers=headers, allow_redirects=False
        ) as answer:
            assert answer.status == 303 and answer.headers["Location"] == reader.base.path + leads
    assert words.SAID["hint"] in text_of((await reader.get())[1])
    assert words.SAID["hint"] not in text_of((await reader.get())[1])


async def test_every_answer_forbids_what_the_page_does_not_need(reader: Reader) -> None:
    html = (await reader.get())[1]
    style = re.search(r'href="[^"]*(static/folders\.\w+\.css)"', html)
    assert style
    for path in ("", "nothing", "enter?code=x", style[1]):
        async with reader.session.get(f"{reader.base}{path}") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "no-store" in answer.headers["Cache-Control"] or "/static/" in str(answer.url)
            assert "Access-Control-Allow-Origin" not in answer.headers and "Server" not in answer.headers
    assert not re.search(r"""<script(?![^>]*src=)|<style|\son\w+=|\sstyle=|(src|href)="(https?:)?//""", html)


def test_codes_and_sessions_end() -> None:
    now = 0.0
    sessions = Sessions(lambda: now)
    late, code = sessions.new_code(), sessions.new_code()
    session = sessions.enter(code)
    assert session and sessions.enter(code) is None and sessions.enter("") is None
    now = CODE_S + 1
    assert sessions.enter(late) is None
    now = SESSION_S
    assert sessions.knows(session)
    now = 2 * SESSION_S - 1
    assert sessions.knows(session)  # using it prolonged it
    now = 4 * SESSION_S
    assert not sessions.knows(session) and not sessions.knows("")


def test_too_many_codes_and_sessions_push_out_the_oldest() -> None:
    sessions = Sessions()
    codes = [sessions.new_code() for _ in range(17)]
    assert sessions.enter(codes[0]) is None
    first = sessions.enter(codes[16])
    assert first
    for _ in range(63):
        assert sessions.enter(sessions.new_code())
    assert sessions.knows(first)
    sessions.enter(sessions.new_code())
    sessions.enter(sessions.new_code())
    assert sessions.knows(first)  # it was used, others were not
