"""What changed since a reader looked last."""

import asyncio
import json
import time
from typing import Any

from standins import commit, course, folder, view

from hub_plugin.live import Board, layout
from hub_plugin.overview import overview
from hub_plugin.pages import Pages
from hub_plugin.shown import Look, key


def shown(board: Board, *views: dict[str, Any], folders: list[Any] | None = None) -> bool:
    node = {"courses": [course(ready_at=5)], "views": [{**one, "updated_at": 5} for one in views]}
    publisher = {"folders": [folder(recent=[])] if folders is None else folders}
    return board.show(layout(overview(Look(publisher, time.time()), Look(node, time.time()))))


def row(user: str) -> str:
    return key("view", "ds8", user, f"/home/{user}/ds8")


ABOUT = f"about-{key('course', 'ds8')}"
TABLE = f"table-{key('course', 'ds8')}"


def test_the_same_again_is_no_news_even_later() -> None:
    board = Board()
    assert shown(board, view("ada"))
    before = board.version
    assert not shown(board, view("ada"))
    assert board.version == before
    assert board.since(before).pieces == ()


def test_one_students_change_touches_that_row_and_the_counts_only() -> None:
    board = Board()
    shown(board, view("ada"), view("ben"), view("chi"))
    before = board.version
    shown(board, view("ada"), view("ben", commit=commit(36)), view("chi"))
    changes = board.since(before)
    assert set(changes.pieces) == {row("ben"), ABOUT, "headline"}
    assert changes.lists == ()


def test_students_who_come_and_go_change_the_list() -> None:
    board = Board()
    shown(board, view("ada"), view("ben"))
    before = board.version
    shown(board, view("ben"), view("chi"))
    changes = board.since(before)
    assert row("chi") in changes.pieces
    assert not {row("ada"), row("ben")} & set(changes.pieces)
    assert changes.lists == (TABLE,)
    assert board.layout.lists[TABLE] == (row("ben"), row("chi"))


def test_a_reader_who_missed_several_changes_gets_all_of_them() -> None:
    board = Board()
    shown(board, view("ada"), view("ben"))
    before = board.version
    shown(board, view("ada", state="needs_you"), view("ben"))
    shown(board, view("ada", state="needs_you"), view("ben", waiting=["x"]))
    assert {row("ada"), row("ben")} <= set(board.since(before).pieces)


def test_a_reader_of_another_process_or_of_nothing_gets_everything() -> None:
    board, other = Board(), Board()
    shown(board, view("ada"))
    shown(other, view("ada"))
    for version in ("", other.version, "x", f"{board.version}9x", "-", "ffff-1", board.version.split("-")[0] + "-²"):
        assert set(board.since(version).pieces) == set(board.layout.pieces)
        assert board.since(version).lists == tuple(board.layout.lists)


def test_patch_is_one_line_and_outer_lists_come_first() -> None:
    board = Board()
    shown(board, view("ada\nb"))
    patch = Pages().patch(board, board.since(""), time.time())
    assert "\n" not in patch
    names = [name for name, _ in json.loads(patch)["lists"]]
    assert names.index("courses") < names.index(TABLE)


async def test_readers_are_woken_by_news_and_by_nothing_else() -> None:
    board = Board()
    reader = asyncio.create_task(board.news(10))
    await asyncio.sleep(0)
    shown(board, view("ada"))
    assert await reader is True
    assert await board.news(0.01) is False
