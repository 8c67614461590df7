"""The device flow, step by step, against a host that speaks it."""

import time
from itertools import count

import pytest
from sign_in_host import CLIENT_ID, SignInHost

from syncd.account.device_flow import Place, begin, renew, wait
from syncd.core.errors import NeedsUser, TryAgain

STORIES = [
    # what the host answers, what we wait before each question, how it ends
    (["granted"], [5], "granted"),
    (["authorization_pending", "authorization_pending", "granted"], [5, 5, 5], "granted"),
    (["slow_down", "authorization_pending", "granted"], [5, 10, 10], "granted"),
    (["slow_down", "slow_down", "granted"], [5, 10, 15], "granted"),
    (["500", "granted"], [5, 10], "granted"),
    (["expired_token"], [5], "expired before"),
    (["authorization_pending", "access_denied"], [5, 5], "declined"),
    (["incorrect_device_code"], [5], "check the client id"),
    (["device_flow_disabled"], [5], "switched off"),
]


@pytest.mark.parametrize(("story", "waits", "end"), STORIES, ids=lambda value: str(value))
def test_each_answer_is_obeyed(host: SignInHost, story: list[str], waits: list[int], end: str) -> None:
    host.story, host.interval = list(story), 5
    place, waited = Place(host.url, CLIENT_ID), list[float]()
    code = begin(place)
    assert (code.user_code, code.page) == ("WDJB-MJHT", f"{host.url}/login/device")
    if end == "granted":
        grant = wait(place, code, sleep=waited.append)
        assert (grant.token, grant.renewal, grant.expires_at) == (host.token, None, None)
    else:
        with pytest.raises(NeedsUser, match=end):
            wait(place, code, sleep=waited.append)
    assert waited == waits and not host.story


def test_a_code_that_nobody_enters_is_given_up(host: SignInHost) -> None:
    host.story, host.interval = ["authorization_pending"] * 10, 5
    place, minutes = Place(host.url, CLIENT_ID), count(0, 400)
    with pytest.raises(NeedsUser, match="expired before it was entered"):
        wait(place, begin(place), sleep=lambda _: None, clock=lambda: float(next(minutes)))
    assert len(host.polls) < 4


def test_an_app_that_the_host_does_not_know_is_said(host: SignInHost) -> None:
    with pytest.raises(NeedsUser, match="check the client id"):
        begin(Place(host.url, "other"))
    with pytest.raises(NeedsUser, match="--client-id"):
        Place(host.url, "")


def test_a_host_that_is_away_is_tried_again(host: SignInHost) -> None:
    with pytest.raises(TryAgain, match="can't be reached"):
        begin(Place("http://127.0.0.1:9", CLIENT_ID))
    with pytest.raises(NeedsUser, match="not encrypted"):
        begin(Place("http://git.example.org", CLIENT_ID))


def test_an_apps_token_is_renewed_once(host: SignInHost) -> None:
    host.story, host.renewable_for = ["granted"], 28800
    place = Place(host.url, CLIENT_ID)
    first = wait(place, begin(place), sleep=lambda _: None)
    assert first.renewal is not None and first.expires_at is not None
    assert abs(first.expires_at - time.time() - 28800) < 60
    host.token = "the-next-one"
    assert renew(place, first.renewal).token == "the-next-one"
    with pytest.raises(NeedsUser, match="login"):
        renew(place, first.renewal)
