"""A real hub, its proxy, its users' real servers: from logging in to the folder, the pages and the links."""

import time
from collections.abc import Callable

import pytest
from browsers import Answer, Person
from conftest import Town

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(150)]


def until(look: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def started(person: Person) -> None:
    person.api("POST", f"users/{person.name}/server")
    until(lambda: (person.api("GET", f"users/{person.name}")["servers"].get("") or {}).get("ready"))


def contents(town: Town, name: str, path: str) -> str:
    """What a user's own server says of a file or folder."""
    person = town.person(name)
    token = person.api("POST", f"users/{name}/tokens", {"note": "test"})["token"]
    return person.get(f"{town.hub}user/{name}/api/contents/{path}", Authorization=f"token {token}").text


def test_a_student_starts_the_server_and_the_course_is_there(town: Town) -> None:
    ada = town.person("ada").log_in()
    assert "Data 8" in ada.get(ada.pages).text
    started(ada)
    assert (town.folder / "earlier-ada").read_text() == "ran"
    assert "Welcome to the textbook." in contents(town, "ada", "textbook/README.md")
    until(lambda: "Up to date" in ada.get(ada.pages).text)
    (town.course / "lab01.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    until(lambda: "lab01.ipynb" in contents(town, "ada", "textbook"))
    until(lambda: "v2: Add lab01.ipynb" in ada.get(ada.pages).text.replace("<bdi>", "").replace("</bdi>", ""))
    ada.api("DELETE", "users/ada/server")
