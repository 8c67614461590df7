"""What students and instructors are told of new versions: what came to the node, from wherever it was published."""

from typing import Any

from hub_plugin.class_page import class_layout
from hub_plugin.courses import read_courses
from hub_plugin.live import Layout
from hub_plugin.mine import my_layout
from hub_plugin.overview import overview
from hub_plugin.pages import Pages
from hub_plugin.shown import Look, Overview

REMOTE = "https://git.school.example/ann/labs"
COURSE = read_courses({"labs": {"remote": REMOTE, "branch": "students"}})[0]
CAME = [
    {"commit": "c" * 40, "time": 2_000, "message": "Lab 2 is out <b>now</b>", "number": 3},
    {"commit": "b" * 40, "time": 1_000, "message": "Lab 1", "number": 2},
]


def seen(*folders: dict[str, Any]) -> Overview:
    about = {"name": "labs", "remote": REMOTE, "state": "up_to_date", "commit": "c" * 40, "recent": CAME}
    views = [{"user": "ada", "course": "labs", "commit": "c" * 40, "state": "up_to_date"}]
    publisher = Look({"folders": list(folders)}, 1.0) if folders else None
    return overview(publisher, Look({"courses": [about], "views": views}, 1.0))


def drawn(layout: Layout) -> str:
    pages = Pages()
    return "".join(
        pages.draw(piece.template, {"id": name, "it": piece.value}, None, 3_000.0)
        for name, piece in layout.pieces.items()
    )


def mine(shown: Overview, since: float | None) -> str:
    return drawn(my_layout(shown, "ada", [COURSE], frozenset(), {"labs": since}, node_away=False))


def test_a_student_is_told_what_came_since_the_last_visit_without_a_publisher_here() -> None:
    page = mine(seen(), 1_500.0)
    assert "v3: <bdi>Lab 2 is out &lt;b&gt;now&lt;/b&gt;</bdi>" in page and "Lab 1" not in page
    assert "v2: <bdi>Lab 1</bdi>" in mine(seen(), None)
    assert "New since your last visit" not in mine(seen(), 2_500.0)


def test_a_student_is_told_nothing_of_what_is_not_released() -> None:
    saved = [{"commit": "d" * 40, "time": 2_900, "message": "Exam with answers", "number": 90}]
    students = {"remote": REMOTE, "branch": "students", "way": "release"}
    folder = {"id": "f", "folder": "/home/ann/labs", "remote": REMOTE, "branch": "main", "recent": saved}
    shown = seen({**folder, "students": students})
    assert "Exam with answers" not in mine(shown, None) and "Lab 2 is out" in mine(shown, None)
    assert "Exam with answers" in drawn(class_layout(shown, COURSE, str))


def test_an_instructor_sees_what_came_where_no_publisher_runs_here() -> None:
    page = drawn(class_layout(seen(), COURSE, str))
    assert "published from another machine" in page and '<th scope="row">v3</th>' in page
    assert "v3: 1 of 1" in page
