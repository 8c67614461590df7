"""The page in a real browser, over a publisher in a process of its own and a real git server: one test per story."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.selenium import Axe
from chromium import chromium
from reader import Publisher
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from syncd.demo.gitserver import GitServer
from syncd.page import words

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Browser:
    """Chromium, as a person uses it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, expression: str) -> None:
        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: self.js(f"return {expression}"), expression)

    def shows(self, text: str) -> None:
        self.until(f"document.body.innerText.includes({text!r})")

    def live(self, url: str) -> None:
        self.driver.get(url)
        self.until("document.getElementById('connection')?.dataset.state === 'live'")
        self.js("window.sameDocument = true")

    def click(self, by: str, what: str) -> None:
        """As soon as it is there: a page may still be loading."""
        patience = WebDriverWait(self.driver, 20, 0.05, [StaleElementReferenceException, NoSuchElementException])
        patience.until(lambda driver: driver.find_element(by, what).click() or True)

    def press(self, keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(keys)

    def tab_to(self, label: str, most: int = 40) -> None:
        """By the keyboard alone; the focus is seen all the way."""
        for _ in range(most):
            self.press(Keys.TAB)
            assert self.js("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
            if label in (self.js("return document.activeElement.innerText"), self._label()):
                return
        raise AssertionError(f"no {label!r} within {most} tabs")

    def _label(self) -> str:
        found = self.js("return document.activeElement.getAttribute('aria-label')")
        return found or ""

    def window(self, width: int, *, dark: bool = False) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        colours = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", colours)

    def fits(self) -> bool:
        page = "document.documentElement"
        return bool(self.js(f"return {page}.scrollWidth <= {page}.clientWidth"))

    def quiet(self) -> None:
        """Nothing was loaded anew, and the console says nothing."""
        assert self.js("return window.sameDocument") is True
        assert self.driver.get_log("browser") == []


@pytest.fixture(scope="module", name="chromium")
def one_chromium() -> Iterator[webdriver.Chrome]:
    with chromium() as driver:
        yield driver


@pytest.fixture
async def browser(chromium: webdriver.Chrome, publisher: Publisher) -> AsyncIterator[Browser]:
    browser = Browser(chromium)
    browser.driver.get_log("browser")
    link = await publisher.entrance()
    await by_hand(lambda: browser.driver.get(link))
    await by_hand(lambda: browser.until("document.getElementById('connection')?.dataset.state === 'live'"))
    browser.js("window.sameDocument = true")
    yield browser
    # RACE: a page left open goes on asking for a publisher that is gone, and the next test would find that.
    await by_hand(lambda: browser.driver.get("about:blank"))
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


async def by_hand(work: Callable[[], Any]) -> Any:
    """Drive the browser in a thread, while the git server goes on in the loop."""
    return await asyncio.to_thread(work)


async def test_syncd_open_leads_to_the_page_and_leaves_no_code_behind(browser: Browser, publisher: Publisher) -> None:
    env = {**os.environ, "SYNCD_STATE": str(publisher.state)}
    command = [sys.executable, "-m", "syncd", "open", "--no-browser"]
    done = await by_hand(lambda: subprocess.run(command, env=env, capture_output=True, text=True, check=True))
    [link] = [word for word in done.stdout.split() if word.startswith("http://127.0.0.1:")]

    def look() -> None:
        browser.driver.get("about:blank")
        browser.driver.delete_all_cookies()
        browser.driver.get(link)
        browser.until("document.getElementById('connection')?.dataset.state === 'live'")
        browser.shows("Everything is up to date.")
        history = browser.js("return navigation.entries().map(entry => entry.url).join()")
        assert "code=" not in browser.driver.current_url + history
        assert browser.js("return document.cookie") == ""
        assert browser.js("return location.hostname") == "127.0.0.1"

    await by_hand(look)


async def test_a_save_is_seen_to_go_through(browser: Browser, publisher: Publisher, folder: Path) -> None:
    id = (await publisher.folder())["id"]
    await by_hand(lambda: browser.click("link text", "ds8"))
    await by_hand(lambda: browser.until("document.getElementById('connection')?.dataset.state === 'live'"))
    browser.js("window.sameDocument = true")
    (folder / "labs/half.ipynb").write_text('{"cells": [')
    await by_hand(lambda: browser.shows("1 file waiting"))
    await by_hand(lambda: browser.shows("labs/half.ipynb"))
    (folder / "labs/half.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    await by_hand(lambda: browser.shows("Add half.ipynb"))
    await by_hand(lambda: browser.until("document.querySelector('.state').innerText === 'Up to date'"))
    await by_hand(lambda: browser.until("document.getElementById('announcement').textContent === 'Up to date'"))
    assert browser.js("return location.pathname").endswith(f"/folders/{id}/")
    await by_hand(browser.quiet)


async def test_a_transfer_shows_how_far_it_is(
    browser: Browser, publisher: Publisher, folder: Path, server: GitServer
) -> None:
    server.fault("hang", times=1, on=("push",))
    for n in range(4):
        (folder / f"data{n}.bin").write_bytes(os.urandom(5_000_000))
    await by_hand(lambda: browser.shows("Publishing 1 change"))
    await by_hand(lambda: browser.until("document.querySelector('progress')?.closest('.progress') != null"))
    text = await by_hand(lambda: browser.js("return document.querySelector('.progress').innerText"))
    assert text.startswith("Sending") and " parts" in text
    server.heal()
    await by_hand(lambda: browser.until("document.querySelector('.state').innerText === 'Up to date'"))
    assert browser.js("return document.querySelector('progress')") is None
    await by_hand(browser.quiet)


async def test_a_held_deletion_is_answered_by_keyboard(browser: Browser, publisher: Publisher, folder: Path) -> None:
    shutil.rmtree(folder / "labs")
    await by_hand(lambda: browser.shows("12 of 13 files vanished"))

    def restore() -> None:
        browser.tab_to(f"{words.RESTORE_FILES}: ds8")
        browser.press(Keys.ENTER)
        browser.shows("12 files restored")
        browser.until("document.querySelector('.state').innerText === 'Up to date'")
        # The button did its work and went away; the reader is still at the folder.
        assert browser.js("return document.activeElement.innerText") == "ds8"

    await by_hand(restore)
    assert len(list((folder / "labs").iterdir())) == 12
    # What was held was never a version, not for a moment.
    assert [each["message"] for each in (await publisher.up_to_date())["recent"]] == ["Add 13 files"]


async def test_a_deletion_that_is_meant_is_published_by_keyboard(
    browser: Browser, publisher: Publisher, folder: Path
) -> None:
    shutil.rmtree(folder / "labs")
    await by_hand(lambda: browser.shows("12 of 13 files vanished"))

    def delete() -> None:
        browser.tab_to(f"{words.PUBLISH_DELETION}: ds8")
        browser.press(Keys.SPACE)
        browser.until("document.querySelector('.state').innerText === 'Up to date'")

    await by_hand(delete)
    assert not (folder / "labs").exists()
    await publisher.up_to_date()

    def pause() -> None:
        browser.tab_to(f"{words.PAUSE}: ds8")
        browser.press(Keys.ENTER)
        browser.shows(words.SAID["pause"])
        browser.until("document.querySelector('.state').innerText === 'Paused'")
        # The same button now says what it does next, and still has the focus.
        assert browser.js("return document.activeElement.innerText") in (words.RESUME, "ds8")
        browser.quiet()

    await by_hand(pause)


async def test_a_token_that_ended_is_replaced_by_keyboard_and_shown_nowhere(
    browser: Browser, publisher: Publisher, folder: Path, server: GitServer, capfd: pytest.CaptureFixture[str]
) -> None:
    new = "ghp-new-token-4711"
    server.tokens["write"] = {new}
    (folder / "notes.txt").write_text("second\n")
    status = await publisher.until(lambda now: now["question"] == "token")
    assert "Say: syncd login" in status["sentence"]

    def give(token: str, answer: str) -> None:
        browser.js("document.querySelector('input[type=password]').select()")
        browser.press(token)
        browser.press(Keys.ENTER)
        browser.until(f"document.getElementById('said').innerText.includes({answer!r})")

    def story() -> None:
        browser.shows("give a new one")
        assert "syncd login" not in browser.js("return document.body.innerText")
        browser.click("link text", "ds8")
        browser.until("document.getElementById('connection')?.dataset.state === 'live'")
        browser.js("window.sameDocument = true")
        for width, dark in [(1280, False), (390, True)]:
            browser.window(width, dark=dark)
            assert browser.fits()
            assert not (found := Axe().run(browser.driver)["violations"]), found
        browser.js("document.getElementById('content').focus()")
        while browser.js("return document.activeElement.type") != "password":
            browser.press(Keys.TAB)
        browser.press("half")
        # What the page learns meanwhile takes nothing away from who is typing.
        (folder / "labs/lab00.md").write_text("# Changed\n")
        browser.shows("Update lab00")
        assert browser.js("return document.activeElement.value") == "half"
        give("wrong", "does not accept the token")
        give(new, "may read and write course")
        browser.until("!document.querySelector('input[type=password]')")
        browser.shows("Up to date")
        assert browser.js("return document.activeElement.id").startswith("card-")
        assert new not in browser.driver.page_source and "wrong" not in browser.driver.page_source
        assert [each for each in browser.driver.get_log("browser") if "409" not in each["message"]] == []

    await by_hand(story)
    await publisher.up_to_date()
    holders = [path.name for path in publisher.state.rglob("*") if path.is_file() and new.encode() in path.read_bytes()]
    assert holders == ["tokens.json"]
    out = capfd.readouterr()
    assert new not in out.out + out.err and "wrong" not in out.out + out.err


async def test_a_version_is_restored(browser: Browser, publisher: Publisher, folder: Path) -> None:
    id = (await publisher.folder())["id"]
    await publisher.ask(f"/v1/folders/{id}/checkpoints", {"name": "first week", "message": "Before anything"})
    (folder / "notes.txt").write_text("second\n")
    await publisher.until(lambda now: now["recent"][0]["message"].startswith("Update notes"))

    def restore() -> None:
        browser.click("link text", "ds8")
        browser.click("link text", words.FILES)
        browser.click("link text", "notes.txt")
        browser.shows("present version")
        browser.shows("first-week")
        browser.click("xpath", f"//button[.='{words.RESTORE}']")
        browser.shows("notes.txt restored")
        assert browser.js("return document.activeElement.id") == "said"
        assert browser.js("return document.querySelector('h2').innerText") == words.VERSIONS
        browser.click("link text", words.HISTORY)
        browser.shows("Before anything")
        assert len(browser.js("return [...document.querySelectorAll('.mark')]")) == 2

    await by_hand(restore)
    assert (folder / "notes.txt").read_text() == "first\n"


async def test_a_deleted_file_is_found_in_the_history_and_brought_back(
    browser: Browser, publisher: Publisher, folder: Path
) -> None:
    (folder / "notes.txt").unlink()
    await publisher.until(lambda now: now["recent"][0]["message"].startswith("Delete"))
    # Who uses it without JavaScript has the same forms.
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})

    def restore() -> None:
        browser.click("link text", "ds8")
        browser.click("link text", words.HISTORY)
        browser.click("css selector", "summary")
        browser.click("link text", "notes.txt")
        browser.click("xpath", f"//button[.='{words.RESTORE}']")
        browser.click("xpath", "//*[@id='said'][contains(., 'notes.txt restored')]")

    try:
        await by_hand(restore)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert (folder / "notes.txt").read_text() == "first\n"


async def test_a_link_is_copied(browser: Browser, publisher: Publisher) -> None:
    id = (await publisher.folder())["id"]

    def copy() -> None:
        browser.driver.get(f"{browser.driver.current_url}folders/{id}/files?path=labs/lab03.md")
        browser.shows(words.NO_HUB)
        field = browser.driver.find_element("id", "hub")
        field.send_keys("javascript:alert(1)", Keys.ENTER)
        browser.shows("This is no address of a hub")
        field = browser.driver.find_element("id", "hub")
        field.send_keys("hub.example.edu/hub/home", Keys.ENTER)
        browser.shows(words.SAID["hub"])
        for kind, begins in [("interact", "https://hub.example.edu/hub/interact?repo="), ("badge", "[![Open in ")]:
            text = browser.js(f"return document.getElementById('link-{kind}').value")
            assert text.startswith(begins) and "lab03.md" in text
            browser.tab_to(words.copy_what(words.LINK_KINDS[kind]))
            browser.press(Keys.ENTER)
            browser.until(f"document.getElementById('said').textContent === '{words.COPIED}'")
            path = browser.driver.find_element("id", "path")
            path.clear()
            path.send_keys(Keys.CONTROL, "v")
            assert path.get_property("value") == text

    await by_hand(copy)


async def test_a_file_that_a_guard_left_out_is_published_anyway(
    browser: Browser, publisher: Publisher, folder: Path
) -> None:
    id = (await publisher.folder())["id"]
    (folder / "labs/setup.py").write_text("KEY = '-----BEGIN RSA PRIVATE" + " KEY-----'\n")

    def allow() -> None:
        browser.live(f"{browser.driver.current_url}folders/{id}/")
        browser.shows(words.LEFT_OUT)
        assert "labs/setup.py" in browser.js("return document.getElementById('left-out-title').parentElement.innerText")
        browser.tab_to(words.anyway("labs/setup.py"))
        browser.press(Keys.ENTER)
        browser.shows("Add setup.py")
        browser.until("document.getElementById('left-out-title') === null")
        browser.quiet()

    await by_hand(allow)
    assert (await publisher.up_to_date())["left_out"] == []


async def test_releases_are_published_planned_cancelled_and_undone(
    browser: Browser, publisher: Publisher, folder: Path, server: GitServer
) -> None:
    id = (await publisher.folder())["id"]

    def files() -> list[str]:
        command = ["git", "ls-tree", "-r", "--name-only", "students"]
        done = subprocess.run(command, cwd=server.path("course"), capture_output=True, text=True)
        return done.stdout.split()

    def press(label: str) -> None:
        browser.click("xpath", f"//button[.='{label}']")

    def publish() -> None:
        browser.live(f"{browser.driver.current_url}folders/{id}/publish")
        browser.shows(words.FOLLOW_OWN)
        press(words.TO_RELEASE)
        browser.until("document.querySelectorAll('.choices input').length === 13")
        browser.click("css selector", "[value='labs%2Flab03.md']")
        browser.driver.find_element("id", "message").send_keys("Lab 3 & <more>")
        press(words.PUBLISH)
        browser.shows("is published (1 file)")
        browser.until("document.querySelectorAll('.choices input').length === 12")
        assert browser.js("return document.getElementById('message').value") == ""

    await by_hand(publish)
    assert files() == ["labs/lab03.md"]

    def plan() -> None:
        browser.js("document.getElementById('at').value = '2099-12-01T08:00'")
        press(words.PUBLISH)
        browser.shows("Tuesday 1 December 2099, 08:00")
        browser.until("document.querySelectorAll('li[id^=plan-]').length === 1")
        press(words.CANCEL)
        browser.until("document.querySelectorAll('li[id^=plan-]').length === 0")
        browser.until("document.activeElement.id === 'said'")

    await by_hand(plan)
    assert (await publisher.ask(f"/v1/folders/{id}/releases"))["planned"] == []

    def undo() -> None:
        assert not (found := Axe().run(browser.driver)["violations"]), found
        browser.js("document.querySelector('li[id^=release-] button').focus()")
        browser.press(Keys.ENTER)
        browser.shows("is done (")
        browser.until("document.querySelectorAll('.choices input').length === 13")
        browser.window(390, dark=True)
        assert browser.fits()
        browser.quiet()

    await by_hand(undo)
    assert files() == []


async def test_every_page_is_accessible_and_fits_at_both_widths_and_in_the_dark(
    browser: Browser, publisher: Publisher, folder: Path
) -> None:
    id = (await publisher.folder())["id"]
    await publisher.ask(f"/v1/folders/{id}/hub", {"hub": "https://hub.example.edu"})
    (folder / f"labs/{'long' * 50}.ipynb").write_text("{")
    (folder / "CON").write_text("a name that Windows has no place for\n")
    await publisher.until(lambda now: bool(now["waiting"]) and bool(now["warnings"]))
    shutil.rmtree(folder / "labs")
    axe = Axe()

    def look() -> None:
        base = browser.driver.current_url
        browser.shows("vanished")
        pages = ["", f"folders/{id}/", f"folders/{id}/files", f"folders/{id}/files?path=notes.txt"]
        pages += [f"folders/{id}/history", f"folders/{id}/publish", "nothing"]
        for page in pages:
            browser.driver.get(base + page)
            for width, dark in [(1280, False), (390, True)]:
                browser.window(width, dark=dark)
                assert browser.fits(), (page, width)
                rows = "new Set([...document.querySelectorAll('.parts li')].map(one => one.offsetTop)).size"
                assert browser.js(f"return {rows}") <= 1
                found = axe.run(browser.driver)["violations"]
                assert not found, (page, width, [(each["id"], each["nodes"][0]["html"]) for each in found])

    await by_hand(look)


async def test_hostile_names_are_text_and_run_nothing(browser: Browser, publisher: Publisher, folder: Path) -> None:
    attack = "<img src=x onerror=window.owned=1>'\"&amp;"
    odd = os.fsdecode(b"\xff\xfe.txt")
    os.mkdir(folder / attack)
    (folder / attack / odd).write_text("one\n")
    await publisher.until(lambda now: now["recent"][0]["message"].startswith("Add ?"))
    (folder / attack / odd).write_text("two\n")
    (folder / f"{attack}.ipynb").write_text("{")
    await publisher.until(lambda now: now["recent"][0]["message"].startswith("Update") and now["waiting"])
    id = (await publisher.folder())["id"]

    def look() -> None:
        base = browser.driver.current_url
        browser.live(f"{base}folders/{id}/")
        browser.shows(f"{attack}.ipynb")
        browser.driver.get(f"{base}folders/{id}/files")
        browser.click("partial link text", attack)
        browser.click("css selector", ".listing a")
        browser.shows("present version")
        browser.click("xpath", f"//button[.='{words.RESTORE}']")
        browser.shows("restored")
        browser.driver.get(f"{base}folders/{id}/files?at=no%25FF%25FE{attack.replace('&', '%26')}")
        browser.shows(words.NO_VERSIONS)
        browser.driver.get(f"{base}folders/{id}/history")
        browser.shows("Update ??.txt")
        assert browser.js("return window.owned") is None
        assert browser.js("return document.images.length") == 0

    await by_hand(look)
    assert (folder / attack / odd).read_text() == "one\n"


async def test_a_thousand_files_that_wait_are_counted_and_the_page_stays_live(
    browser: Browser, publisher: Publisher, folder: Path
) -> None:
    id = (await publisher.folder())["id"]
    for n in range(1000):
        (folder / f"labs/{n:04}.ipynb").write_text("{")

    def look() -> None:
        browser.window(390)
        browser.live(f"{browser.driver.current_url}folders/{id}/")
        browser.shows("1,000 files waiting")
        browser.shows("and 950 more")
        assert browser.fits()

    await by_hand(look)
    for n in range(1000):
        (folder / f"labs/{n:04}.ipynb").write_text("{}")
    await by_hand(lambda: browser.until("document.querySelector('.state').innerText === 'Up to date'"))
    await by_hand(browser.quiet)
