"""Links for students: what hubs and nbgitpuller read is what was meant, whatever the names are."""

from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser
from syncd.core.links import hub_address, links

HUB = "https://hub.example.edu"


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("", ""),
        ("hub.example.edu", HUB),
        (" https://hub.example.edu/ ", HUB),
        ("https://hub.example.edu/hub/home", HUB),
        ("https://hub.example.edu/hub", HUB),
        ("https://example.edu/jupyter/hub/spawn?next=x", "https://example.edu/jupyter"),
        ("http://127.0.0.1:8000/hub/", "http://127.0.0.1:8000"),
        ("https://example.edu/hubs/one", "https://example.edu/hubs/one"),
    ],
)
def test_a_hubs_address_is_taken_as_people_copy_it(typed: str, address: str) -> None:
    assert hub_address(typed) == address
    assert hub_address(address) == address


@pytest.mark.parametrize(
    "typed",
    [
        "javascript:alert(1)",
        "ftp://hub.example.edu",
        "https://",
        "https://me:secret@hub.example.edu",
        "https://hub.example.edu:port",
        'https://hub.example.edu/"><b>',
        "https://hub example",
        "https://[",
        "data:text/html,x",
    ],
)
def test_what_is_no_hub_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(NeedsUser, match="no address of a hub"):
        hub_address(typed)


def test_links_of_a_course_on_github_are_those_that_interact_knows() -> None:
    made = links(HUB, "https://github.com/data-8/textbook.git", "gh-pages", "textbook", [RelPath("labs/lab 1.ipynb")])
    assert made.interact == (f"{HUB}/hub/interact?account=data-8&repo=textbook&branch=gh-pages&path=labs%2Flab+1.ipynb")
    assert made.nbgitpuller == (
        f"{HUB}/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2Fdata-8%2Ftextbook.git&branch=gh-pages"
        "&urlpath=lab%2Ftree%2Ftextbook%2Flabs%2Flab+1.ipynb&targetpath=textbook"
    )
    assert made.hub == f"{HUB}/hub/user-redirect/lab/tree/textbook/labs/lab%201.ipynb"
    assert made.badge == (
        "[![Open in JupyterHub](https://img.shields.io/badge/open%20in-JupyterHub-f37626?logo=jupyter)]"
        f"({made.interact})"
    )


def test_a_whole_folder_and_other_servers_have_links_too() -> None:
    made = links(HUB, "https://git.example.edu/ds8.git", "main", "ds8", [])
    assert parse_qs(urlsplit(made.interact).query) == {"repo": ["https://git.example.edu/ds8.git"], "branch": ["main"]}
    assert made.hub == f"{HUB}/hub/user-redirect/lab/tree/ds8"


@given(st.lists(st.text(min_size=1).filter(lambda name: "/" not in name), min_size=1, max_size=3))
def test_any_name_arrives_as_it_is_and_breaks_no_markdown(names: list[str]) -> None:
    path = RelPath("/".join(names))
    encoded = path.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    made = links(HUB, "https://git.example.edu/ds8.git", "main", "ds8", [RelPath(encoded)])
    pairs = parse_qsl(urlsplit(made.interact).query, errors="surrogateescape", keep_blank_values=True)
    assert ("path", encoded) in pairs
    assert unquote(urlsplit(made.hub).path, errors="surrogateescape").endswith(f"/ds8/{encoded}")
    inside = made.badge.partition("](")[2].partition("](")[0]
    assert not set(made.badge.removeprefix("[![Open in JupyterHub](")) & set(" <>\"'\n`") and inside
    assert made.badge.count("(") == 2 and made.badge.count(")") == 2
