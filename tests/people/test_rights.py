"""What a token may do, in words."""

import asyncio
from datetime import UTC, datetime

import pytest
from commands import READ_TOKEN, TOKEN
from sign_in_host import SignInHost

from syncd.account.rights import Rights, api_of, ends_soon, rights, sentence
from syncd.core.errors import NeedsUser
from syncd.demo.gitserver import GitServer
from syncd.git.address import parse_address

NOW = datetime(2026, 11, 24, tzinfo=UTC).timestamp()
DAY = 86_400.0
URL = "https://github.com/ada/course"

SENTENCES = [
    (Rights(URL, "ada/course", True, True), "The token may read and write ada/course."),
    (Rights(URL, "ada/course", True, False), "The token may read ada/course but not write to it."),
    (Rights("git@github.com:ada/course", "x", True, True), "You may read and write x."),
    (Rights(URL, "ada/course", False, False, problem="There is none."), "There is none."),
    (
        Rights(URL, "ada/course", True, True, expires_at=NOW + 5 * DAY),
        "The token may read and write ada/course. It expires on 2026-11-29: make a new one before that, and say "
        "`syncd login`.",
    ),
    (
        Rights(URL, "ada/course", True, True, expires_at=NOW - DAY),
        "The token may read and write ada/course. It expired on 2026-11-23: make a new one and say `syncd login`.",
    ),
]


@pytest.mark.parametrize(("found", "words"), SENTENCES)
def test_rights_are_said(found: Rights, words: str) -> None:
    assert sentence(found, NOW) == words


@pytest.mark.parametrize(("days", "soon"), [(-1, True), (13, True), (15, False)])
def test_two_weeks_are_soon(days: int, soon: bool) -> None:
    assert ends_soon(NOW + days * DAY, NOW) is soon
    assert ends_soon(None, NOW) is False


@pytest.mark.parametrize(
    ("url", "given", "api"),
    [
        (URL, None, "https://api.github.com"),
        ("git@github.com:ada/course", None, "https://api.github.com"),
        ("https://git.example.org/ada/course", None, None),
        ("https://git.example.org/ada/course", "https://git.example.org/api/v3/", "https://git.example.org/api/v3"),
        ("https://github.com.example.org/a/b", None, None),
    ],
)
def test_only_githubs_own_api_is_known_by_itself(url: str, given: str | None, api: str | None) -> None:
    assert api_of(parse_address(url), given) == api


def asked(server: GitServer, name: str, token: str, api: str | None) -> Rights:
    return rights(server.url(name), lambda: token, api)


async def test_the_api_adds_what_the_git_server_does_not_say(server: GitServer, host: SignInHost) -> None:

    api = f"{host.url}/api/v3"
    found = await asyncio.to_thread(asked, server, "ada/course", TOKEN, api)
    assert (found.reads, found.writes, found.private, found.account) == (True, True, True, "ada")
    assert found.expires_at == datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp() and not found.wide
    unseen = await asyncio.to_thread(asked, server, "grace/secret", TOKEN, api)
    assert "The token of ada can't see grace/secret" in sentence(unseen)
    assert "private repositories of grace" in sentence(unseen)
    # An API that does not answer, or knows nothing, changes nothing.
    for other in ("http://127.0.0.1:9", f"{host.url}/nowhere", None):
        assert (await asyncio.to_thread(asked, server, "ada/course", TOKEN, other)).writes is True
    reader = await asyncio.to_thread(asked, server, "ada/course", READ_TOKEN, api)
    assert (reader.reads, reader.writes) == (True, False)


def test_an_address_that_we_refuse_is_refused_here_too() -> None:
    with pytest.raises(NeedsUser, match="refuse"):
        rights("ext::sh -c true", lambda: None)
