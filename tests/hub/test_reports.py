"""Agents and nodes elsewhere report over the API, each of what is theirs only."""

import time
from typing import Any

import jsonschema
import pytest
from playing import PREFIX, Service

from hub_plugin.reported import Everywhere


async def test_an_agent_reports_its_own_students_folder_and_no_other(service: Service) -> None:
    said = {"course": "ds8", "user": "ben", "commit": "c" * 40, "state": "up_to_date", "waiting": ["a"], "notes": []}
    assert await service.post("views", "ada-token", said) == 200
    assert list(await service.students()) == ["ada"]
    for _ in range(5):
        assert await service.post("views", "ada-token", said) == 200
    assert service.asked.count("ada-token") == 1  # the hub is asked once in a while only
    assert await service.post("views", "eve-token", said) == 403
    assert await service.post("views", "mallory-token", said) == 403
    assert await service.post("views", "made-up", said) == 401
    assert await service.post("views", "", said) == 401
    assert await service.post("views", "node-token", said) == 401
    assert await service.post("views", "ada-token", {"course": "other"}) == 403
    assert await service.post("views", "ada-token", [1]) == 400
    assert await service.post("views", "ada-token", {"course": "ds8", "notes": ["x" * 70_000]}) == 413
    assert list(await service.students()) == ["ada"]
    assert 429 in {await service.post("views", "ada-token", said) for _ in range(40)}


async def test_a_node_reports_with_the_token_of_its_service(service: Service) -> None:
    view = {"user": "zoe", "course": "ds8", "commit": "d" * 40, "state": "up_to_date", "updated_at": 1.8e9}
    document = {"courses": [{"name": "ds8", "state": "up_to_date", "commit": "d" * 40}], "views": [view]}
    for token, status in (("node-token", 200), ("other-token", 403), ("no-scope-token", 401), ("ada-token", 401)):
        assert await service.post("nodes", token, document) == status
    assert (await service.students())["zoe"]["state"] == "Up to date"


async def test_no_single_student_says_what_the_newest_version_is() -> None:
    everywhere = Everywhere(None)
    for user, commit in (("ada", "a"), ("ben", "a"), ("mallory", "b")):
        everywhere.view(user, "ds8", {"commit": commit * 40})
    document = (await everywhere.look()).document
    assert document is not None and document["courses"] == [{"name": "ds8", "state": "up_to_date", "commit": "a" * 40}]


async def test_who_has_not_reported_for_a_day_is_shown_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere, now = Everywhere(None), time.time()
    everywhere.view("ada", "old", {"commit": "a" * 40})
    everywhere.view("ben", "ds8", {"commit": "b" * 40})
    everywhere.node("node-b", {"courses": [{"name": "theirs"}]})
    monkeypatch.setattr(time, "time", lambda: now + 80_000)
    everywhere.view("ben", "ds8", {"commit": "b" * 40})
    assert await shown_of(everywhere) == ({"old", "ds8", "theirs"}, ["ada", "ben"])
    monkeypatch.setattr(time, "time", lambda: now + 90_000)  # nobody has reported since
    assert await shown_of(everywhere) == ({"ds8"}, ["ben"])
    monkeypatch.setattr(time, "time", lambda: now + 180_000)
    assert await shown_of(everywhere) == (set(), [])


async def shown_of(everywhere: Everywhere) -> tuple[set[str], list[str]]:
    document: Any = (await everywhere.look()).document
    courses, views = document.get("courses", []), document.get("views", [])
    return {course["name"] for course in courses}, sorted(view["user"] for view in views)


async def test_whoever_asks_too_often_is_told_when_to_come_again(service: Service) -> None:
    asked = {
        "GET courses/ds8/changes/": ("ada-token", 2),
        "POST courses/ds8/update": ("ada-token", 2),
        "POST courses/ds8/releases/undo": ("kim-token", 2),
        "GET api/v1/me": ("ada-token", 2),
        "POST api/v1/views": ("ada-token", 30),
        "POST api/v1/nodes": ("node-token", 30),
    }
    for what, (token, again_s) in asked.items():
        method, path = what.split()
        for _ in range(40):
            headers = {"Authorization": f"token {token}"}
            answer = await service.client.request(method, f"{PREFIX}{path}", json={"course": "ds8"}, headers=headers)
            if answer.status == 429:
                break
        assert answer.status == 429 and answer.headers["Retry-After"] == str(again_s), what
        assert "too often" in (await answer.json())["error"]


async def test_every_address_of_the_api_is_described(service: Service) -> None:
    described = await (await service.client.get(f"{PREFIX}api/v1/openapi.json")).json()
    said = {(path, method.upper()) for path, methods in described["paths"].items() for method in methods}
    app = service.client.app
    assert app is not None
    routes = {
        (route.resource.canonical.removeprefix(f"{PREFIX}api/v1"), route.method)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith(f"{PREFIX}api/")
    }
    assert {each for each in routes if each[1] != "HEAD"} == said


async def test_what_the_api_tells_is_as_it_is_described(service: Service) -> None:
    service.groups |= {"course-ds8": ["ada", "zoe"], "course-ds8-staff": ["kim"]}
    await service.post("views", "ada-token", {"course": "ds8", "commit": "c" * 40, "state": "up_to_date"})
    described = (await (await service.client.get(f"{PREFIX}api/v1/openapi.json")).json())["paths"]
    for path, token in (
        *(("me", "ada-token"), ("me", "eve-token"), ("courses/ds8", "kim-token")),
        *(("courses/ds8/links?path=a%20b.ipynb", "kim-token"), ("courses/ds8/releases", "kim-token")),
    ):
        answer = await service.client.get(f"{PREFIX}api/v1/{path}", headers={"Authorization": f"token {token}"})
        form = described["/" + path.partition("?")[0].replace("ds8", "{course}")]["get"]["responses"][
            str(answer.status)
        ]
        jsonschema.validate(await answer.json(), form["content"]["application/json"]["schema"])
        assert answer.status == 200
    assert {student["user"] for student in (await service.students()).values()} == {"ada", "zoe"}


async def test_a_folder_is_paused_by_the_api_with_its_owners_token_only(service: Service) -> None:
    headers = {"Authorization": "token ada-token"}
    for body, status in (({"paused": True}, 400), ([], 400)):  # there is no account of ada's here
        answer = await service.client.post(f"{PREFIX}api/v1/courses/ds8/pause", json=body, headers=headers)
        assert answer.status == status and (await answer.json())["error"]
    assert await service.post("courses/ds8/pause", "eve-token", {"paused": True}) == 403
