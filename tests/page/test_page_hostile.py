"""Names and messages are anybody's: nothing in a status document breaks the page or gets into its markup."""

import json
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins import course, folder, view

from hub_plugin.cleaned import remote_without_secrets
from hub_plugin.live import Board, layout
from hub_plugin.overview import overview
from hub_plugin.pages import Pages
from hub_plugin.shown import Look

PAGES = Pages()

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</code></bdi></td></tr></table><iframe src=//evil.example>",
    "<!--",
    "]]><base href=//evil.example>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt;&amp;#x3c;",
    "a\u202egnp.exe",
    "new\r\nline\x00\x1b[31m",
    "bad\udc80utf8\ud800",
    "x" * 5000,
    "</script><style>*{display:none}",
]  # fmt: skip


class Reader(HTMLParser):
    """What a browser would see: elements with attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]


def drawn(publisher: Any, node: Any, git_url: str = "") -> tuple[str, str]:
    board = Board()
    board.show(layout(overview(Look(publisher, time.time()), Look(node, time.time()))))
    return PAGES.page(board, git_url, time.time()), PAGES.patch(board, board.since(""), time.time())


def spoken(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both documents with one text in every place that can hold one."""
    recent = [
        {"commit": "c" * 40, "time": 5, "message": text, "files": 1},
        {"commit": text, "time": 4, "message": text},
    ]
    folders = [
        folder(**dict.fromkeys(("id", "remote", "branch", "sentence"), text), folder=f"/{text}", state=state)
        | {"waiting": [text], "recent": recent, "notes": [text], "left_out": [text], "warnings": [text]}
        for state in ("up_to_date", "needs_you", "offline", text)
    ]
    courses = [course(name=text, remote=text, branch=text, state=text, sentence=text, commit=text, left_out=[text])]
    views = [
        view(text, course=text, kind=text, root=f"/{n}{text}", commit=commit, state=state)
        | {"sentence": text, "waiting": [text], "notes": [text]}
        for n, (state, commit) in enumerate([("up_to_date", "c" * 40), ("needs_you", text), (text, None)])
    ]
    return {"folders": folders}, {"courses": courses, "views": views}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    harmless = [Reader(html) for html in _fragments("harmless")]
    hostile = [Reader(html) for html in _fragments(text)]
    assert [reader.shape for reader in hostile] == [reader.shape for reader in harmless]
    for reader in hostile:
        for tag, attributes in reader.elements:
            assert tag not in ("iframe", "base", "style", "svg", "img")
            assert not any(name.startswith("on") or name == "style" for name in attributes)
            assert not any(name in ("href", "src") and "alert" in (value or "") for name, value in attributes.items())


def _fragments(text: str) -> list[str]:
    page, patch = drawn(*spoken(text), git_url=text)
    return [page, *json.loads(patch)["pieces"].values()]


def test_what_would_deceive_the_reader_is_replaced() -> None:
    page, _ = drawn(*spoken("a\u202eb\x1bc\ud800d"))
    assert "a\ufffdb\ufffdc\ufffdd" in page
    page.encode()


def test_a_long_path_keeps_its_file_name_and_long_lists_are_cut() -> None:
    page, _ = drawn({"folders": [folder(waiting=["d/" * 2000 + "lab01.ipynb"] * 5000)]}, {})
    assert "lab01.ipynb" in page
    assert page.count("lab01.ipynb") == 20
    assert "and 4,980 more" in page


def test_credentials_in_the_address_from_the_command_line_are_not_shown() -> None:
    assert remote_without_secrets("http://user:pw@127.0.0.1:1/course.git") == "http://127.0.0.1:1/course.git"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def any_of(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: json_values for name in names})


def lists_of(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return json_values | st.lists(items | json_values, max_size=3)


commits = lists_of(any_of("commit", "time", "message", "files", "number"))
folders = any_of("id", "folder", "remote", "branch", "state", "sentence", "commit", "remote_commit", "waiting").flatmap(
    lambda item: st.builds(lambda recent: item | {"recent": recent}, commits)
)
courses = any_of("name", "remote", "branch", "state", "sentence", "commit", "ready_at", "left_out")
views = any_of("user", "course", "kind", "root", "commit", "waiting", "state", "sentence", "updated_at", "notes")


publishers = st.fixed_dictionaries({"folders": lists_of(folders)})
nodes = st.fixed_dictionaries({"courses": lists_of(courses), "views": lists_of(views)})


@settings(max_examples=60, deadline=None)
@given(publishers, nodes)
def test_any_document_at_all_gives_a_page(publisher: Any, node: Any) -> None:
    page, patch = drawn(publisher, node)
    page.encode()
    ids = [attributes["id"] for _, attributes in Reader(page).elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for names in dict(json.loads(patch)["lists"]).values():
        assert set(names) <= set(ids)


def test_a_class_of_a_thousand_fits_on_a_page() -> None:
    views = [view(f"student{n}", waiting=["lab.ipynb"], notes=["merged"]) for n in range(1000)]
    page, _ = drawn({"folders": [folder()]}, {"courses": [course()], "views": views})
    assert page.count("<tbody id=") == 1000
