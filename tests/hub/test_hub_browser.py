"""The hub's pages in a real browser: logged in through the hub, live, accessible, in both widths and both themes."""

import json
import os
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browsers import password_of
from chromium import chromium
from running_town import Town
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = [pytest.mark.root, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(150)]

AXE = files("axe_core_python").joinpath("axe.min.js").read_text()


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    with chromium() as driver:
        yield driver


def log_in(browser: webdriver.Chrome, town: Town, name: str, path: str = "") -> None:
    """By the page itself: the hub asks who it is and leads back."""
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.get(f"{town.hub}services/synced-folders/{path}")
    browser.find_element(By.ID, "username_input").send_keys(name)
    browser.find_element(By.ID, "password_input").send_keys(password_of(name))
    browser.find_element(By.ID, "login_submit").click()
    until(browser, "document.getElementById('connection')?.dataset.state === 'live'")


def until(browser: webdriver.Chrome, expression: str) -> None:
    WebDriverWait(browser, 20, poll_frequency=0.05).until(
        lambda driver: driver.execute_script(f"return {expression}"), expression
    )


def look(browser: webdriver.Chrome, name: str) -> None:
    """Nothing wider than the window, nothing that axe finds, in both widths and themes; a picture of each."""
    kept = Path(os.environ.get("SCREENSHOTS", tempfile.gettempdir()))
    for width in (390, 1280):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        page = "document.documentElement"
        assert browser.execute_script(f"return {page}.scrollWidth <= {page}.clientWidth"), (name, width)
        for theme in ("light", "dark"):
            chosen = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", chosen)
            found: list[dict[str, Any]] = browser.execute_async_script(
                f"if (!window.axe) {{ {AXE} }} const done = arguments[0]; axe.run().then(r => done(r.violations));"
            )
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], (name, width, theme)
            if "SCREENSHOTS" in os.environ:
                browser.save_screenshot(str(kept / f"{name}-{width}-{theme}.png"))


def test_a_student_looks_at_the_pages(browser: webdriver.Chrome, town: Town) -> None:
    log_in(browser, town, "ben")
    assert "Data 8" in browser.find_element(By.TAG_NAME, "main").text
    look(browser, "student")
    town.person("ben").api("POST", "users/ben/server")
    until(browser, "document.body.innerText.includes('Up to date')")
    browser.find_element(By.CSS_SELECTOR, "summary").click()
    look(browser, "student-running")
    browser.find_element(By.CSS_SELECTOR, "input[name=path-textbook]").send_keys("README.md")
    browser.find_element(By.CSS_SELECTOR, "button[formaction$=restore]").click()
    until(browser, "document.querySelector('#outcome p').innerText.includes('README.md')")
    look(browser, "outcome")
    WebDriverWait(browser, 40).until(lambda _: town.person("ben").api("GET", "users/ben")["servers"][""]["ready"])
    cells = [{"cell_type": "code", "id": "a", "source": "<img src=x onerror='window.owned=1'>", "outputs": []}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    town.person("ben").save("textbook/notebooks/Sampling.ipynb", json.dumps(notebook))
    town.person("ben").save("textbook/README.md", "Mine.\n" + "a long line " * 40)
    browser.get(f"{town.hub}services/synced-folders/courses/textbook/changes/")
    look(browser, "changes")
    for name, said in (("Sampling.ipynb", "Cell 1, new"), ("README.md", "Mine.")):
        browser.get(f"{town.hub}services/synced-folders/courses/textbook/changes/")
        browser.find_element(By.PARTIAL_LINK_TEXT, name).click()
        until(browser, f"document.querySelector('.compare')?.innerText.includes({said!r})")
        assert browser.execute_script("return window.owned ?? document.querySelectorAll('main img').length") == 0
        look(browser, f"compare-{name}")
    town.person("ben").api("DELETE", "users/ben/server")


def test_an_instructor_and_an_admin_look_at_theirs(browser: webdriver.Chrome, town: Town) -> None:
    log_in(browser, town, "kim", "courses/textbook/")
    until(browser, "[...document.querySelectorAll('.students th bdi')].some(one => one.innerText === 'ben')")
    town.person("eve").log_in().api("POST", "groups/course-textbook/users", {"users": ["eve"]})
    eve = "[...document.querySelectorAll('.students tr')].find(row => row.innerText.startsWith('eve'))?.innerText"
    until(browser, f"{eve}?.includes('Not yet opened')")
    look(browser, "class")
    town.person("eve").api("DELETE", "groups/course-textbook/users", {"users": ["eve"]})
    until(browser, f"{eve} === undefined")
    image = "<img src=x onerror='window.owned=1'>"
    (town.course / f"{image.replace('/', '')}.md").write_text("hostile")
    until(browser, f"document.body.innerText.includes({image!r})")
    assert browser.execute_script("return window.owned ?? document.querySelectorAll('main img').length") == 0
    refused = [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    assert refused == []

    browser.get(f"{town.hub}services/synced-folders/courses/labs/releases/")
    until(browser, "document.getElementById('paths') !== null")
    look(browser, "releases")
    browser.find_element(By.ID, "paths").send_keys("../elsewhere")
    browser.find_element(By.CSS_SELECTOR, "form[action=publish] button").click()
    until(browser, "document.querySelector('#outcome p').innerText.includes('does not lie in this folder')")
    look(browser, "refused")

    log_in(browser, town, "root-of-hub")
    browser.get(f"{town.hub}services/synced-folders/admin/")
    node = json.dumps({"version": "2026.11.30.dev1+g0123456", "courses": [], "views": []}).encode()
    told = town.person("node").send(
        f"{town.hub}services/synced-folders/api/v1/nodes", node, Authorization="token the-first-node"
    )
    assert told.status == 200
    until(browser, "document.getElementById('hub-nodes').innerText.includes('node-1.fall')")  # by itself
    assert "Last webhook deliveries" in browser.find_element(By.TAG_NAME, "main").text
    look(browser, "admin")
