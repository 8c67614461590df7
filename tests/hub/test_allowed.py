"""Which repositories a link may add, and that no link leads the node anywhere else (SSRF)."""

from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from hub_plugin import install
from hub_plugin.allowed import Addable, addable, check_patterns
from hub_plugin.redirects import git_pull_hook
from syncd.core.errors import NeedsUser

PATTERNS = ("https://github.com/data-8/*", "https://gitlab.school.example/cs/*/lab-*", "http://10.0.0.5:3000/me/notes")


@pytest.mark.parametrize(
    ("repo", "remote"),
    [
        ("https://github.com/data-8/textbook", "https://github.com/data-8/textbook"),
        ("https://GitHub.com/Data-8/textbook.git/", "https://github.com/Data-8/textbook.git"),
        ("data-8/textbook", "https://github.com/data-8/textbook"),
        ("https://www.github.com//data-8//textbook", "https://github.com/data-8/textbook"),
        ("github.com/data-8/textbook", "https://github.com/data-8/textbook"),
        ("git@github.com:data-8/textbook.git", "https://github.com/data-8/textbook.git"),
        ("https://gitlab.school.example/cs/fall/lab-1", "https://gitlab.school.example/cs/fall/lab-1"),
        ("http://10.0.0.5:3000/me/notes", "http://10.0.0.5:3000/me/notes"),
    ],
)
def test_what_a_pattern_allows_is_added(repo: str, remote: str) -> None:
    found = addable(PATTERNS, repo, "", ())
    assert found is not None and found.remote == remote and found.branch is None


@pytest.mark.parametrize(
    "repo",
    [
        "https://github.com/other/textbook",
        "https://github.com/data-8/a/b",
        "https://github.com/data-8",
        "https://github.com/data-8/..",
        "https://github.com/data-8/../evil/x",
        "https://github.com/data-8/%2e%2e",
        "https://github.com/data-8/x?y",
        "https://github.com/data-8/x#y",
        "http://github.com/data-8/textbook",
        "evil.example/data-8/textbook",
        "https://www.github.com.evil.example/data-8/textbook",
        "https://github.com//evil.example/data-8/x",
        "https://github.com:8443/data-8/textbook",
        "https://github.com.evil.example/data-8/textbook",
        "https://evil.example/github.com/data-8/textbook",
        "https://github.com@evil.example/data-8/textbook",
        "https://user:password@github.com/data-8/textbook",
        "https://github.com\\@evil.example/data-8/x",
        "https://github.com\n/data-8/x",
        "https://127.0.0.1/data-8/textbook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/data-8/textbook",
        "http://2130706433/data-8/textbook",
        "http://10.0.0.5/me/notes",
        "http://10.0.0.5:22/me/notes",
        "file:///data-8/textbook",
        "/data-8/textbook",
        "ext::sh -c id% data-8/x",
        "ssh://github.com/data-8/textbook",
        "git://github.com/data-8/textbook",
        "--upload-pack=id",
        "-oProxyCommand=id/x",
        "data-8/--upload-pack",
        "data-8/.git",
        "git@-oProxyCommand=id:data-8/x",
        "https://gïthub.com/data-8/textbook",
        "",
    ],
)
def test_nothing_else_is(repo: str) -> None:
    assert addable(PATTERNS, repo, "", ()) is None


@pytest.mark.parametrize("branch", ["-x", "a..b", "a b", "x" * 300, "\n", "refs.lock"])
def test_odd_branches_are_refused(branch: str) -> None:
    assert addable(PATTERNS, "data-8/textbook", branch, ()) is None


def test_a_name_that_is_taken_gets_its_owner_before_it() -> None:
    assert addable(PATTERNS, "data-8/textbook", "gh-pages", {"textbook"}) == Addable(
        "data-8-textbook", "https://github.com/data-8/textbook", "gh-pages"
    )
    assert addable(PATTERNS, "data-8/textbook", "", {"textbook", "data-8-textbook"}) is None


@pytest.mark.parametrize(
    "pattern", ["*", "https://*/a/b", "https://*.example.org/a/*", "github.com/a/b", "file:///a/*"]
)
def test_a_pattern_names_its_host(pattern: str) -> None:
    with pytest.raises(NeedsUser, match="its host in full"):
        check_patterns([pattern])
    with pytest.raises(NeedsUser, match="its host in full"):
        install(Config(), allowed_repositories=[pattern])


async def test_pullers_links_to_what_may_be_added_come_to_us_and_others_go_on() -> None:
    hook: Any = git_pull_hook((), PATTERNS, "data-8", "synced-folders", None)
    for repo, ours in (("https://github.com/data-8/x", True), ("https://github.com/other/x", False)):
        found = await hook(
            "git-pull", SimpleNamespace(query=f"repo={repo}&urlpath=lab"), SimpleNamespace(settings={}), "/"
        )
        assert (found is not None) == ours
