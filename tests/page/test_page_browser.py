"""The page in a real browser: live, quiet in the console, reachable by keyboard, deaf to hostile names."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from chromium import chromium
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from standins import NodeStandIn, PublisherStandIn, commit, course, folder, view

from hub_plugin import words
from hub_plugin.service import make_app
from hub_plugin.sources import Node, Publisher

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with chromium() as driver:
        yield driver


@pytest.fixture
async def url(browser: webdriver.Chrome, publisher: PublisherStandIn, node: NodeStandIn) -> AsyncIterator[str]:
    runner = web.AppRunner(
        make_app(Publisher(publisher.state), Node(node.socket)), handler_cancellation=True, shutdown_timeout=1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    # RACE: a page left open goes on asking for a server that is gone, and the next test would find that in its console.
    await by_hand(lambda: browser.get("about:blank"))
    await runner.cleanup()


async def by_hand(work: Callable[[], Any]) -> Any:
    """Drive the browser in a thread, while the servers go on in the loop."""
    return await asyncio.to_thread(work)


def opened(browser: webdriver.Chrome, url: str) -> None:
    browser.get_log("browser")
    browser.get(url)
    until(browser, "document.getElementById('connection').dataset.state === 'live'")
    # Gone if the page is ever loaded anew.
    browser.execute_script("window.sameDocument = true")


def until(browser: webdriver.Chrome, expression: str) -> None:
    WebDriverWait(browser, 10, poll_frequency=0.05).until(
        lambda driver: driver.execute_script(f"return {expression}"), expression
    )


def shows(text: str) -> str:
    return f"document.body.innerText.includes({text!r})"


def quiet(browser: webdriver.Chrome) -> None:
    assert browser.execute_script("return window.sameDocument") is True
    assert browser.get_log("browser") == []


async def test_the_page_follows_its_sources_without_loading_again(
    browser: webdriver.Chrome, url: str, publisher: PublisherStandIn, node: NodeStandIn
) -> None:
    await by_hand(lambda: opened(browser, url))
    publisher.said = {"folders": [folder(state="pushing", waiting=["lab38.ipynb", "data.csv"])]}
    await by_hand(lambda: until(browser, shows("Publishing 2 files ...")))

    recent = [
        {"commit": commit(38), "time": 2e9, "message": "Add lab 38", "files": 1, "number": 38},
        *folder()["recent"],
    ]
    publisher.said = {"folders": [folder(commit=commit(38), remote_commit=commit(38), recent=recent)]}
    await by_hand(lambda: until(browser, shows("v38 is on its way.")))
    node.said["courses"] = [course(commit=commit(38))]
    node.said["views"] = [view("ada", commit=commit(38)), view("ben"), view("chi"), view("dan", commit=None)]
    await by_hand(lambda: until(browser, shows("v38: 1 of 4")))
    await by_hand(lambda: until(browser, shows("1 version behind")))
    await by_hand(lambda: until(browser, shows("Nothing here yet")))

    node.said["views"] = [view("eva", commit=commit(38)), view("ben", commit=commit(38)), view("Ada")]
    users = "[...document.querySelectorAll('.students th[scope=row] bdi')].map(name => name.innerText).join()"
    await by_hand(lambda: until(browser, f"{users} === 'Ada,ben,eva'"))
    await by_hand(lambda: quiet(browser))


async def test_sources_that_go_and_come_back_are_said(
    browser: webdriver.Chrome, url: str, publisher: PublisherStandIn, node: NodeStandIn
) -> None:
    await by_hand(lambda: opened(browser, url))
    await node.stop()
    await publisher.stop()
    await by_hand(lambda: until(browser, shows(words.NODE_MISSING)))
    await by_hand(lambda: until(browser, shows(words.PUBLISHER_DOWN)))
    await by_hand(lambda: until(browser, shows("v37: 3 of 3")))
    node.said["courses"] = []
    node.said["views"] = []
    await node.start()
    await publisher.start()
    await by_hand(lambda: until(browser, shows(words.NO_COURSE)))
    await by_hand(lambda: until(browser, "!document.querySelector('.notices')"))
    await by_hand(lambda: quiet(browser))


async def test_everything_is_reached_by_keyboard_and_stays_in_the_readers_hands(
    browser: webdriver.Chrome, url: str, node: NodeStandIn
) -> None:
    ben = view("ben", waiting=["lab.ipynb"])
    node.said["views"] = [view("zoe", state="needs_you"), view("ada", notes=["notes.md: merged."]), ben]

    def walk() -> None:
        opened(browser, url)
        press(browser, Keys.TAB)
        assert focused(browser) == words.SKIP
        assert browser.execute_script("return document.activeElement.getBoundingClientRect().top >= 0")
        press(browser, Keys.TAB)
        assert focused(browser) == "1 note, ada"
        assert browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
        press(browser, Keys.ENTER)
        until(browser, shows("notes.md: merged."))
        press(browser, Keys.TAB)
        assert focused(browser) == "1 file waits, ben"
        press(browser, Keys.SHIFT + Keys.TAB)

    await by_hand(walk)
    # The row moves up, gets a new one above and a new note in its details: focus and openness are the reader's.
    ada = view("ada", notes=["notes.md: merged.", "lab.ipynb: put beside."])
    node.said["views"] = [view("aaa"), ada, view("zoe")]
    await by_hand(lambda: until(browser, shows("lab.ipynb: put beside.")))
    assert await by_hand(lambda: focused(browser)) == "2 notes, ada"

    def skip() -> None:
        browser.execute_script("document.querySelector('.skip').focus()")
        press(browser, Keys.ENTER)
        assert browser.execute_script("return document.activeElement.id") == "students"

    await by_hand(skip)
    await by_hand(lambda: quiet(browser))


async def test_a_change_is_read_out_once_it_has_come_to_rest(
    browser: webdriver.Chrome, url: str, node: NodeStandIn
) -> None:
    await by_hand(lambda: opened(browser, url))
    said = "document.getElementById('announcement').textContent"
    assert await by_hand(lambda: browser.execute_script(f"return {said}")) == ""
    node.said["views"][0] = view("ada", commit=commit(36))
    await by_hand(lambda: until(browser, f"{said} === 'Everything is published. ds8: 2 of 3 have the newest version.'"))


async def test_hostile_names_run_nothing_and_change_nothing(
    browser: webdriver.Chrome, url: str, publisher: PublisherStandIn, node: NodeStandIn
) -> None:
    image = "<img src=x onerror='window.owned=1'>"
    attack = f"{image}<script>window.owned=1</script>\"'><svg onload=window.owned=1></td></table>"
    await by_hand(lambda: opened(browser, url))
    recent = [{"commit": commit(37), "time": 5, "message": attack, "files": 1}]
    hostile = folder(folder=f"/{attack}", sentence=attack, state="offline", waiting=[attack], recent=recent)
    publisher.said = {"folders": [hostile]}
    node.said = {
        "courses": [course(name=attack, sentence=attack, left_out=[attack])],
        "views": [view(attack, course=attack, kind=attack, waiting=[attack], sentence=attack, notes=[attack])],
    }

    def look() -> None:
        for _ in range(2):  # as a patch, then as a page
            until(browser, shows(image))
            until(browser, "document.querySelectorAll('.students tbody').length === 1")
            assert (
                browser.execute_script("return document.querySelectorAll('img, svg, td script, h3 *:not(bdi)').length")
                == 0
            )
            assert browser.execute_script("return window.owned") is None
            quiet(browser)
            opened(browser, url)

    await by_hand(look)


@pytest.mark.parametrize("width", [1280, 390])
async def test_a_class_of_a_thousand_fits_the_window_and_stays_live(
    browser: webdriver.Chrome, url: str, node: NodeStandIn, width: int
) -> None:
    node.said["views"] = [view(f"student{n}", notes=["a" * 200]) for n in range(1000)]

    def look() -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        opened(browser, url)
        browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
        page = "document.documentElement"
        assert browser.execute_script(f"return {page}.scrollWidth <= {page}.clientWidth")
        columns = browser.execute_script(
            "return getComputedStyle(document.querySelector('.columns')).gridTemplateColumns.split(' ').length"
        )
        assert columns == (2 if width == 1280 else 1)

    await by_hand(look)
    node.said["views"] = [view(f"student{n}", commit=commit(36)) for n in range(0, 1000, 2)]
    await by_hand(lambda: until(browser, shows("v36: 500 of 500")))
    await by_hand(lambda: until(browser, "document.querySelectorAll('.students tbody').length === 500"))
    await by_hand(lambda: browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {}))
    await by_hand(lambda: quiet(browser))


def press(browser: webdriver.Chrome, keys: str) -> None:
    browser.switch_to.active_element.send_keys(keys)


def focused(browser: webdriver.Chrome) -> str:
    text: str = browser.execute_script("return document.activeElement.textContent")
    return text
