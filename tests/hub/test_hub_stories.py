"""A real hub, its proxy, its users' real servers: from logging in to the folder, the pages and the links."""

import contextlib
import hashlib
import hmac
import html
import json
import os
import re
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from browsers import Person
from running_town import Town

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(150)]


def until(look: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def started(person: Person) -> None:
    person.api("POST", f"users/{person.name}/server")
    until(lambda: (person.api("GET", f"users/{person.name}")["servers"].get("") or {}).get("ready"))


def running_as(town: Town, name: str) -> list[str]:
    """The processes of a user."""
    uid = next(
        line.split(":")[2] for line in (town.folder / "passwd").read_text().splitlines() if line.startswith(f"{name}:")
    )
    found = []
    for status in (Path(f"/proc/{process}/status") for process in town.processes()):
        with contextlib.suppress(OSError):
            if f"\nUid:\t{uid}\t" in status.read_text():
                found.append((status.parent / "cmdline").read_text())
    return found


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
    until(lambda: re.search(r"<li>v\d+: <bdi>Add lab 1<", ada.get(ada.pages).text))
    a_student_sees_what_was_merged(town, ada)
    a_student_pauses_a_course(town, ada)
    a_link_adds_a_course(town, ada)
    assert "Hello from the extra course." in contents(town, "ada", "extra/hello.md")
    an_added_course_is_like_any_other(town, ada)
    ada.api("DELETE", "users/ada/server")
    until(lambda: not running_as(town, "ada"))


def a_student_sees_what_was_merged(town: Town, ada: Person) -> None:
    lines = [f"line {number}\n" for number in range(1, 5)]
    (town.course / "plan.md").write_text("".join(lines))
    until(lambda: "line 4" in contents(town, "ada", "textbook/plan.md"))
    ada.save("textbook/plan.md", "".join(["<script>alert(1)</script>\n", *lines[1:]]))
    (town.course / "plan.md").write_text("".join([*lines[:3], "LINE 4\n"]))
    until(lambda: "LINE 4" in contents(town, "ada", "textbook/plan.md"))
    assert "<script>alert(1)" in contents(town, "ada", "textbook/plan.md")
    ada.save("textbook/<img src=x onerror=alert(1)>.md", "mine")
    listed = ada.get(f"{ada.pages}courses/textbook/changes/")
    assert "<bdi>plan.md</bdi>" in listed.text and "merged with an update" in listed.text
    assert "&lt;img src=x onerror=alert(1)&gt;.md" in listed.text and "<img" not in listed.text
    for link in re.findall(r'href="(compare\?path=plan[^"]+)"', listed.text):
        page = ada.get(f"{ada.pages}courses/textbook/changes/{html.unescape(link)}")
        assert page.status == 200 and "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<ins><code>LINE 4</code></ins>" in page.text  # what I had before, beside what the merge made of it
    ben = town.person("ben").log_in()
    other = ben.get(f"{ben.pages}courses/textbook/changes/compare?path=plan.md")
    assert other.status == 503 and "only while your server runs" in other.text  # ben's own agent, never ada's


def a_student_pauses_a_course(town: Town, ada: Person) -> None:
    form = ada.get(ada.pages).form_token
    told = ada.post(f"{ada.pages}courses/textbook/pause", paused="yes", form_token=form)
    assert told.status == 200 and "Paused" in told.text
    until(lambda: ">Paused<" in ada.get(ada.pages).text)
    (town.course / "later.md").write_text("later")
    time.sleep(2)
    assert "later.md" not in contents(town, "ada", "textbook")
    assert ada.post(f"{ada.pages}courses/textbook/pause", paused="no", form_token=form).status == 200
    until(lambda: "later.md" in contents(town, "ada", "textbook"))


def a_link_adds_a_course(town: Town, person: Person) -> None:
    extra = town.remote.replace("textbook.git", "extra.git")
    link = f"{person.pages}interact?repo={urllib.parse.quote(extra, safe='')}&path=hello.md"
    pages: list[str] = []

    def opens() -> bool:
        where = person.where(link)
        pages.append(where)
        return where.endswith("hub/user-redirect/lab/tree/extra/hello.md")

    until(opens)
    assert set(pages[:-1]) <= {"200"}, pages


def an_added_course_is_like_any_other(town: Town, ada: Person) -> None:
    until(lambda: "courses/extra/pause" in ada.get(ada.pages).text)
    form = ada.get(ada.pages).form_token
    assert "Paused" in ada.post(f"{ada.pages}courses/extra/pause", paused="yes", form_token=form).text
    assert ada.post(f"{ada.pages}courses/extra/pause", paused="no", form_token=form).status == 200
    assert ada.post(f"{ada.pages}courses/extra/update", form_token=form).status == 200
    ada.save("extra/hello.md", "Mine.")
    assert "<bdi>hello.md</bdi>" in ada.get(f"{ada.pages}courses/extra/changes/").text
    restored = ada.post(f"{ada.pages}courses/extra/restore", **{"path-extra": "hello.md", "form_token": form})
    assert restored.status == 200 and "Hello from the extra" in contents(town, "ada", "extra/hello.md")
    assert ada.where(f"{ada.pages}open/extra/hello.md").endswith("hub/user-redirect/lab/tree/extra/hello.md")

    kim, office = town.person("kim").log_in(), town.person("root-of-hub").log_in()
    for path in ("courses/extra/", "courses/extra/changes/", "open/extra/hello.md"):
        assert kim.get(f"{kim.pages}{path}").status == 403
    ada.api("POST", "groups/course-extra-staff", {"users": ["kim"]})
    until(lambda: "courses/extra/" in kim.get(kim.pages).text, 10)
    for person in (kim, office):
        page = person.get(f"{person.pages}courses/extra/?path=hello.md").text
        assert "<bdi>ada</bdi>" in page and "1 student on the roster" in page
        assert f"<code>{town.hub}hub/interact?repo=http" in page and f"{person.pages}open/extra" not in page
    assert "courses/extra/" not in office.get(office.pages).text  # but from here:
    assert 'href="../courses/extra/"' in office.get(f"{office.pages}admin/").text
    secret = re.search(r"<summary>Show the secret</summary><code>([^<]+)</code>", page)
    assert secret
    push = json.dumps({"ref": "refs/heads/main", "after": "1" * 40}).encode()
    told = kim.send(f"{kim.pages}webhooks/extra", push, X_Gitlab_Token=secret[1], X_Gitlab_Event="Push Hook")
    assert told.status == 202


def test_an_instructor_publishes_plans_and_undoes(town: Town) -> None:
    kim = town.person("kim").log_in()
    at = f"{kim.pages}courses/labs/releases/"
    until(lambda: "lab01.md" in kim.get(at).text)
    page = kim.get(at)
    assert "Nothing has been published yet" in page.text
    assert kim.post(f"{at}publish", paths="").status == 403
    form = page.form_token
    refused = kim.post(f"{at}publish", paths="../x", form_token=form)
    assert refused.status == 400 and "does not lie in this folder" in refused.text
    hostile = "<b onclick=x>Lab 1</b>"
    done = kim.post(f"{at}publish", paths="lab01.md", message=hostile, form_token=form)
    assert done.status == 200 and "is published" in done.text, done.text
    page = kim.get(at)
    assert "&lt;b onclick=x&gt;Lab 1&lt;/b&gt;" in page.text and "<b onclick" not in page.text
    planned = kim.post(f"{at}publish", paths="lab01.md", at="in 3 days 14:00", form_token=form)
    assert planned.status == 200 and "will be published on" in planned.text, planned.text
    plan = re.search(r'name="plan" value="([^"]+)"', kim.get(at).text)
    assert plan
    assert "no longer planned" in kim.post(f"{at}cancel", plan=plan[1], form_token=form).text
    release = re.search(r'name="release" value="([^"]+)"', kim.get(at).text)
    assert release
    assert kim.post(f"{at}undo", release=release[1], form_token=form).status == 200
    assert '<small class="muted">undone</small>' in kim.get(at).text
    assert (
        "Every save of this folder goes to students at once" in kim.get(f"{kim.pages}courses/textbook/releases/").text
    )
    ben = town.person("ben").log_in()
    mine = ben.get(ben.pages).form_token
    assert ben.post(f"{ben.pages}courses/textbook/releases/undo", form_token=mine).status == 403
    assert ben.get(f"{ben.pages}courses/textbook/releases/").status == 403


def test_agents_come_from_their_parent_where_there_is_one(town: Town) -> None:
    ben = town.person("ben").log_in()
    ben.get(ben.pages)
    a_link_adds_a_course(town, ben)
    started(ben)
    assert float((town.folder / "took-ben").read_text()) < 5
    assert "Hello from the extra course." in contents(town, "ben", "extra/hello.md")
    assert "Star Wars" in contents(town, "ben", "textbook/notebooks/top_movies.csv")
    until(lambda: "Up to date" in ben.get(ben.pages).text)
    ben.api("DELETE", "users/ben/server")
    until(lambda: not running_as(town, "ben"))


def test_an_instructor_sees_the_class_and_hands_out_links(town: Town) -> None:
    kim = town.person("kim").log_in()
    assert "See the class" in kim.get(kim.pages).text
    page = kim.get(f"{kim.pages}courses/textbook/?path=notebooks/Sampling.ipynb").text
    assert "Data 8" in page and "<bdi>ben</bdi>" in page  # on the roster, without a folder
    assert f"{town.hub}services/synced-folders/open/textbook/notebooks/Sampling.ipynb" in page
    assert f"[![Open in JupyterHub]({kim.pages}badge.svg)]" in page
    lab = "%2Fat%2Fschool%2Fhub%2Fuser-redirect%2Flab%2Ftree%2Ftextbook%2Fnotebooks%2FSampling.ipynb"
    assert f"{town.hub}hub/lti/launch?custom_next={lab}" in page
    assert f"{town.hub}hub/interact?account=data-8&amp;repo=textbook&amp;branch=main" in page


def test_nobody_sees_what_is_not_theirs(town: Town) -> None:
    ben = town.person("ben").log_in()
    for path in ("courses/textbook/", "api/v1/courses/textbook/events", "courses/nothing/"):
        refused = ben.get(f"{ben.pages}{path}")
        assert (refused.status, "You are not in this course" in refused.text) == (403, True), path
    eve = town.person("eve").log_in()
    assert eve.get(eve.pages).status == 403  # by the hub already: no group, no access
    office = town.person("root-of-hub").log_in()
    token = office.api("POST", "users/eve/tokens", {"note": "hers"})["token"]
    direct = eve.get(eve.pages, Authorization=f"token {token}")
    assert direct.status == 403 and "no course" in direct.text
    assert eve.get(eve.pages, Authorization="token made-up").status == 401


def test_an_admin_of_the_hub_sees_each_class(town: Town) -> None:
    office = town.person("root-of-hub").log_in()
    assert office.get(f"{office.pages}courses/textbook/").status == 200


def test_who_leaves_the_group_leaves_the_pages(town: Town) -> None:
    ben = town.person("ben").log_in()
    assert ben.get(ben.pages).status == 200
    ben.api("DELETE", "groups/course-textbook/users", {"users": ["ben"]})
    listed = town.folder / "members/textbook.members"
    until(lambda: "Data 8" not in ben.get(ben.pages).text, 10)
    until(lambda: "ben" not in listed.read_text().split(), 10)
    ben.api("POST", "groups/course-textbook/users", {"users": ["ben"]})
    until(lambda: {"ada", "ben", "kim"} <= set(listed.read_text().split()), 10)
    assert listed.stat().st_mode & 0o777 == 0o640


def test_forms_of_others_do_nothing(town: Town) -> None:
    ada, ben = town.person("ada").log_in(), town.person("ben").log_in()
    stolen = ben.get(ben.pages).form_token
    ada.get(ada.pages)
    for fields in ({}, {"form_token": stolen}, {"form_token": "ü"}, {"_xsrf": ada.xsrf("/hub/")}):
        assert ada.post(f"{ada.pages}courses/textbook/update", **fields).status == 403
    assert town.person("ada").post(f"{ada.pages}courses/textbook/update", form_token=stolen).status == 401


def test_a_login_that_another_began_is_refused(town: Town) -> None:
    ada, ben = town.person("ada").log_in(), town.person("ben").log_in()
    begun = ben.where(ben.pages)
    assert "code_challenge_method=S256" in begun and "state=" in begun
    code = ben.where(town.hub.replace("/at/school/", "") + begun)
    assert "code=" in code
    # Ada's browser is led to the address that would log her in as Ben.
    answer = ada.get(town.hub.replace("/at/school/", "") + code if code.startswith("/") else code)
    assert answer.status == 400 and "Logging in did not work" in answer.text


def test_cookies_are_out_of_reach_for_scripts_and_other_paths(town: Town) -> None:
    ada = town.person("ada").log_in()
    ada.get(ada.pages)
    cookie = next(c for c in ada.cookies if c.name == "synced-folders-session")
    assert cookie.path == "/at/school/services/synced-folders/"
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Lax"
    headers = ada.get(ada.pages).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "link",
    [
        "services/synced-folders/open/textbook/notebooks/Sampling.ipynb",
        "hub/interact?repo=textbook&path=notebooks/top_movies.csv&path=notebooks/Sampling.ipynb",
        "hub/user-redirect/git-pull?repo={remote}&branch=main&urlpath=lab%2Ftree%2Ftextbook%2Fnotebooks%2FSampling.ipynb",
    ],
)
def test_links_lead_to_the_file_in_the_visitors_server(town: Town, link: str) -> None:
    ada = town.person("ada").log_in()
    ada.get(ada.pages)
    at, trail = f"{town.hub}{link.format(remote=town.remote)}", []
    while at.startswith(("/", "http")) and "hub/user-redirect/lab" not in at:
        at = ada.where(at if at.startswith("http") else town.hub.replace("/at/school/", "") + at)
        trail.append(at)
    assert at == "/at/school/hub/user-redirect/lab/tree/textbook/notebooks/Sampling.ipynb", trail


def test_other_nbgitpuller_links_go_where_they_went(town: Town) -> None:
    ada = town.person("ada").log_in()
    link = "hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2Fother%2Frepo&urlpath=lab"
    assert ada.where(f"{town.hub}{link}").startswith(
        "/at/school/hub/spawn/ada?next=%2Fat%2Fschool%2Fuser%2Fada%2Fgit-pull"
    )


def test_links_elsewhere_are_refused_with_a_sentence(town: Town) -> None:
    ada = town.person("ada").log_in()
    for link in (
        "interact?repo=https://evil.example/x/y&path=z",
        "interact?repo=textbook&path=../../x",
        "open/textbook/%2e%2e/x",
    ):
        answer = ada.get(f"{ada.pages}{link}")
        assert answer.status == 400 and "ask who" in answer.text and answer.url.startswith(town.hub), answer
    assert ada.get(f"{ada.pages}open/textbook/..%2f..%2fhub").status in (400, 404)


def test_webhooks_of_all_hosts_are_taken_and_logged(town: Town) -> None:
    kim, office = town.person("kim").log_in(), town.person("root-of-hub").log_in()
    page = kim.get(f"{kim.pages}courses/textbook/").text
    assert "No delivery has been seen yet" in page
    found = re.search(r"<summary>Show the secret</summary><code>([^<]+)</code>", page)
    assert found and f"<code>{kim.pages}webhooks/textbook</code>" in page
    secret, url = found[1], f"{kim.pages}webhooks/textbook"
    body = json.dumps({"ref": "refs/heads/main", "after": "1" * 40}).encode()
    proof = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    stranger = town.person("nobody")
    for headers in (
        {"X_Hub_Signature_256": f"sha256={proof}", "X_GitHub_Event": "push", "X_GitHub_Delivery": "a"},
        {"X_Gitlab_Token": secret, "X_Gitlab_Event": "Push Hook", "X_Gitlab_Event_UUID": "b"},
        {
            "X_Gitea_Signature": proof,
            "X_Gitea_Event": "push",
            "X_Gitea_Delivery": "c",
            "X_Hub_Signature_256": "sha256=x",
        },
    ):
        assert stranger.send(url, body, **headers).status == 202
    for headers in (
        {},
        {"X_Gitlab_Token": ""},
        {"X_Hub_Signature_256": "sha256=" + "0" * 64},
        {"X_Gitea_Signature": "made up"},
    ):
        assert stranger.send(url, body, **headers).status == 403
    unknown = stranger.send(f"{kim.pages}webhooks/other", body, X_Gitlab_Token=secret)
    assert (unknown.status, unknown.text) == (403, stranger.send(url, body).text)
    until(lambda: "Last delivery seen" in kim.get(f"{kim.pages}courses/textbook/").text, 5)

    assert kim.get(f"{kim.pages}admin/").status == 403
    listed = office.get(f"{office.pages}admin/")
    for form in ("GitHub", "GitLab", "Gitea"):
        assert f">{form}</small>" in listed.text
    again = re.search(r'name="delivery" value="([^"]+)"', listed.text)
    assert again
    assert office.post(f"{office.pages}admin/replay", delivery=again[1]).status == 403
    done = office.post(f"{office.pages}admin/replay", delivery=again[1], form_token=listed.form_token)
    assert done.status == 200 and "Delivered once more" in done.text


def test_programs_use_the_api_with_a_token(town: Town) -> None:
    ada = town.person("ada")
    token = {"Authorization": f"token {ada.api('POST', 'users/ada/tokens', {'note': 'mine'})['token']}"}
    api = f"{ada.pages}api/v1"
    described = json.loads(ada.get(f"{api}/openapi.json").text)
    assert described["openapi"] == "3.1.0" and "/courses/{course}/restore" in described["paths"]
    me = json.loads(ada.get(f"{api}/me", **token).text)
    assert (me["name"], me["admin"]) == ("ada", False)
    roles = {course["name"]: course["role"] for course in me["courses"]}
    assert roles in ({"textbook": "student"}, {"textbook": "student", "extra": "student"})  # which a link added
    assert ada.get(f"{api}/courses/textbook", **token).status == 403
    assert ada.send(f"{api}/courses/textbook/restore", b'{"path": "../x"}', **token).status == 400
    assert ada.send(f"{api}/courses/textbook/restore", b"[]", **token).status == 400
    away = ada.send(f"{api}/courses/textbook/update", b"", **token)
    assert (away.status, "only while your server runs" in away.text) == (503, True)
    assert ada.get(f"{api}/me").status == 401
    assert ada.send(f"{api}/courses/textbook/update", b"").status == 401
    kim = {"Authorization": f"token {ada.api('POST', 'users/kim/tokens', {'note': 'hers'})['token']}"}
    seen = json.loads(ada.get(f"{api}/courses/textbook", **kim).text)
    assert {student["user"] for student in seen["students"]} <= {"ada", "ben"}
    statuses = {ada.send(f"{api}/courses/textbook/update", b"", **token).status for _ in range(40)}
    assert statuses == {503, 429}


def test_a_server_starts_and_links_work_while_sync_is_broken(town: Town) -> None:
    """The last story: the node is gone after it."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"syncd\0node\0--config\0{town.folder}" in command.read_text():
                os.kill(int(command.parent.name), signal.SIGKILL)
    ben = town.person("ben").log_in()
    until(lambda: "New versions can&#39;t be brought just now" in ben.get(ben.pages).text)
    started(ben)
    assert float((town.folder / "took-ben").read_text()) < 7
    assert "Star Wars" in contents(town, "ben", "textbook/notebooks/top_movies.csv")
    assert ben.where(f"{ben.pages}open/textbook/README.md").endswith("/hub/user-redirect/lab/tree/textbook/README.md")
    ben.api("DELETE", "users/ben/server")
    ada = town.person("ada").log_in()  # whose agent the hub itself starts
    started(ada)
    assert "Welcome to the textbook." in contents(town, "ada", "textbook/README.md")
    ada.api("DELETE", "users/ada/server")
