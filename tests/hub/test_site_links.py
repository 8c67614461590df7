"""Links in the forms in which they stand on the pages of real courses: old and new, copied, and encoded twice."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from hub_plugin.courses import read_courses
from hub_plugin.link_queries import FORMS, query_of
from hub_plugin.links import Opening
from hub_plugin.redirects import git_pull_hook
from syncd.core.errors import NeedsUser

COURSES = read_courses(
    {
        "textbook": {"remote": "https://github.com/data-8/textbook", "branch": "gh-pages"},
        "materials": "https://github.com/data-8/materials-fa23",
        "ds100": {"remote": "git@github.com:DS-100/fa24-student.git", "branch": "main", "folder": "~/ds100"},
        "own": "https://git.school.example/ann/labs.git",
    }
)
PULL = "/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2FDS-100%2Ffa24-student"
USER = SimpleNamespace(settings={})
LABS = "/hub/user-redirect/git-pull?repo=https://git.school.example/ann/labs"


def followed(link: str) -> Opening:
    address = urlsplit(link)
    query = query_of(parse_qsl(address.query, keep_blank_values=True))
    return FORMS[address.path.rsplit("/", 1)[-1]](COURSES, query, "data-8")


@pytest.mark.parametrize(
    ("link", "target"),
    [
        # Sections of a textbook and lab pages.
        (
            "/hub/interact?repo=textbook&path=notebooks/a.csv&path=notebooks/b.ipynb",
            "lab/tree/textbook/notebooks/b.ipynb",
        ),
        (
            "/hub/interact?account=data-8&repo=textbook&branch=gh-pages&path=chapters/01/intro.ipynb",
            "lab/tree/textbook/chapters/01/intro.ipynb",
        ),
        ("/user-redirect/interact?repo=materials-fa23&path=lab/lab01", "lab/tree/materials/lab/lab01"),
        (
            "/user-redirect/interact?account=DS-100&repo=fa24-student&branch=master&path=lab01.ipynb",
            "lab/tree/ds100/lab01.ipynb",
        ),
        ("/hub/interact?repo=textbook&amp;branch=gh-pages&amp;path=a%20b.ipynb", "lab/tree/textbook/a%20b.ipynb"),
        ("/hub/interact?repo=textbook&path=/notebooks//b.ipynb", "lab/tree/textbook/notebooks/b.ipynb"),
        (
            "/hub/interact?file=https://github.com/data-8/textbook/blob/gh-pages/x/a.ipynb",
            "lab/tree/textbook/x/a.ipynb",
        ),
        (
            "/hub/interact?file=https://github.com/data-8/textbook/raw/refs/heads/gh-pages/a.ipynb",
            "lab/tree/textbook/a.ipynb",
        ),
        (
            "/hub/interact?file=https://raw.githubusercontent.com/data-8/textbook/refs/heads/gh-pages/a.ipynb",
            "lab/tree/textbook/a.ipynb",
        ),
        ("/hub/interact?file=http://data8.org/textbook/notebooks/baby.csv", "lab/tree/textbook/notebooks/baby.csv"),
        (
            "/hub/interact?file=https://data-8.github.io/textbook/notebooks/baby.csv",
            "lab/tree/textbook/notebooks/baby.csv",
        ),
        # nbgitpuller, from its link generator and by hand.
        (f"{PULL}&branch=main&urlpath=tree%2Ffa24-student%2Flab%2Flab01.ipynb", "tree/ds100/lab/lab01.ipynb"),
        (f"{PULL}&urlpath=lab%2Ftree%2Ffa24-student%2Flab01.ipynb&branch=main", "lab/tree/ds100/lab01.ipynb"),
        (
            f"{PULL}&branch=main&urlpath=%2Flab%2Ftree%2Ffa24-student%2Flab01.ipynb%3Fautodecode",
            "lab/tree/ds100/lab01.ipynb?autodecode",
        ),
        (f"{PULL}&branch=main&urlpath=lab%252Ftree%252Ffa24-student%252Fa%252520b.ipynb", "lab/tree/ds100/a%20b.ipynb"),
        (
            f"{PULL}.git&branch=main&urlpath=retro/notebooks/fa24-student/lab01.ipynb",
            "retro/notebooks/ds100/lab01.ipynb",
        ),
        (f"{PULL}/&branch=main&urlpath=notebooks/fa24-student/lab01.ipynb", "notebooks/ds100/lab01.ipynb"),
        (f"{PULL}&urlpath=nbclassic/notebooks/fa24-student/lab01.ipynb", "nbclassic/notebooks/ds100/lab01.ipynb"),
        (f"{PULL}&urlpath=lab/workspaces/auto-a/tree/fa24-student/x.md", "lab/workspaces/auto-a/tree/ds100/x.md"),
        (f"{PULL}&urlpath=apps/fa24-student/index.ipynb", "apps/ds100/index.ipynb"),
        (f"{PULL}&urlpath=voila/render/fa24-student/a.ipynb", "voila/render/ds100/a.ipynb"),
        (f"{PULL}&urlpath=lab/tree/work/fa24-student/a.ipynb&targetPath=work/fa24-student", "lab/tree/ds100/a.ipynb"),
        (f"{PULL}&urlpath=lab", "lab"),
        (f"{PULL}&urlpath=rstudio%2F", "rstudio/"),
        (f"{PULL}&urlpath=tree/fa24-student-old/a.ipynb", "tree/fa24-student-old/a.ipynb"),
        (f"{PULL}&branch=master&urlpath=tree/fa24-student/a.ipynb", "tree/ds100/a.ipynb"),
        (f"{PULL}", "lab/tree/ds100"),
        (f"{PULL}&subPath=lab/lab01.ipynb&app=notebook", "notebooks/ds100/lab/lab01.ipynb"),
        (f"{PULL}&subpath=lab&app=lab", "lab/tree/ds100/lab"),
        (f"{PULL}&app=rstudio", "rstudio/"),
        (
            "/user-redirect/git-pull?repo=git@github.com:DS-100/fa24-student.git&urlpath=lab/tree/fa24-student",
            "lab/tree/ds100",
        ),
        (
            "/user-redirect/git-pull?repo=ssh://git@github.com/DS-100/fa24-student&urlpath=lab/tree/fa24-student",
            "lab/tree/ds100",
        ),
        (
            "/user-redirect/git-pull?repo=https%253A%252F%252Fgithub.com%252FDS-100%252Ffa24-student&subPath=a",
            "lab/tree/ds100/a",
        ),
        ("/user-redirect/git-pull?repo=https://www.github.com//DS-100/fa24-student&subPath=a", "lab/tree/ds100/a"),
        ("/user-redirect/git-pull?repo=github.com/ds-100/FA24-student&subPath=a", "lab/tree/ds100/a"),
        (f"{LABS}&urlpath=lab/tree/labs/lab 1.ipynb", "lab/tree/own/lab%201.ipynb"),
        (f"{LABS}&urlpath=lab/tree/labs/x.ipynb%3Freset%23cell-3", "lab/tree/own/x.ipynb?reset#cell-3"),
    ],
)
def test_a_link_opens_its_file_in_the_synced_folder(link: str, target: str) -> None:
    assert followed(link).target == target


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("/hub/interact?repo=data8assets&path=lab01", "does not follow the repository"),
        ("/hub/interact?repo=https://elsewhere.example/x/textbook&path=a", "does not follow the repository"),
        ("/hub/interact?repo=textbook&branch=main&path=a", "does not follow the branch “main”"),
        ("/hub/interact?file=https://elsewhere.example/textbook/a.csv", "not of the form"),
        ("/hub/interact?file=https://github.com/data-8/textbook", "not of the form"),
        ("/hub/interact?file=https://github.io/textbook/a", "not of the form"),
        (f"{PULL}&branch=2024&urlpath=lab", "does not follow the branch “2024”"),
        (f"{PULL}&app=emacs", "none of lab, notebook and rstudio"),
        ("/hub/user-redirect/git-pull?urlpath=lab", "does not follow the repository"),
    ],
)
def test_a_link_that_leads_to_no_course_is_refused_with_a_sentence(link: str, said: str) -> None:
    with pytest.raises(NeedsUser, match=said) as problem:
        followed(link)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("path", "query", "leads"),
    [
        ("git-pull", "repo=https://github.com/data-8/materials-fa23&urlpath=lab", "git-pull"),
        ("/interact", "repo=textbook&path=a.ipynb&path=b%26c.ipynb", "interact"),
        ("interact", "repo=textbook&path=../x", "interact"),  # the service says what is wrong with it
        ("interact", "repo=others&path=a.ipynb", None),
        ("git-pull", "repo=https://github.com/others/x", None),
        ("git-pull", "repo=https://github.com/DS-100/fa24-student&branch=2019", None),
        ("git-pull", f"repo={quote('x' * 3000)}", None),
        ("lab/tree/textbook", "", None),
    ],
)
async def test_pullers_links_of_our_courses_come_to_us(path: str, query: str, leads: str | None) -> None:
    hook: Any = git_pull_hook(COURSES, (), "data-8", "synced-folders", None)
    found = await hook(path, SimpleNamespace(query=query), USER, "/at/school/")
    if leads is None:
        assert found is None
        return
    address = urlsplit(found)
    assert address.path == f"/at/school/services/synced-folders/{leads}"
    assert parse_qsl(address.query) == parse_qsl(query)
