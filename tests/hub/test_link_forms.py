"""Links of real course sites, in all their forms, and what must not get through."""

import pytest

from hub_plugin.courses import Role, Visitor, followed_by, read_courses, role_in
from hub_plugin.links import clean_path, git_pull, interact, interact_file, open_course
from syncd.core.errors import NeedsUser

COURSES = read_courses(
    {
        "textbook": {"remote": "https://github.com/data-8/textbook.git", "branch": "gh-pages"},
        "ds100": {"remote": "git@github.com:DS-100/sp24-student.git", "folder": "~/courses/ds100"},
        "own": "https://git.school.example/ann/labs",
    }
)


@pytest.mark.parametrize(
    ("given", "target"),
    [
        (
            {"repo": "textbook", "paths": ["notebooks/top_movies.csv", "notebooks/Sampling.ipynb"]},
            "lab/tree/textbook/notebooks/Sampling.ipynb",
        ),
        ({"repo": "textbook", "paths": []}, "lab/tree/textbook"),
        ({"repo": "textbook", "paths": ["a b/ü?#.ipynb"]}, "lab/tree/textbook/a%20b/%C3%BC%3F%23.ipynb"),
        ({"repo": "sp24-student", "paths": ["lab/lab01"], "account": "ds-100"}, "lab/tree/courses/ds100/lab/lab01"),
        ({"repo": "labs", "paths": ["x.ipynb"], "app": "notebook"}, "notebooks/own/x.ipynb"),
        ({"repo": "https://git.school.example/ann/labs.git", "paths": ["x.py"], "app": "notebook"}, "edit/own/x.py"),
        ({"repo": "DATA-8/textbook", "paths": ["/notebooks/./x"], "app": "rstudio"}, "rstudio/"),
    ],
)
def test_interact_links_open_their_last_path(given: dict, target: str) -> None:
    assert interact(COURSES, given.pop("repo"), given.pop("paths"), default_account="data-8", **given).target == target


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({"urlpath": "lab/tree/textbook/lab01.ipynb?autodecode"}, "lab/tree/textbook/lab01.ipynb?autodecode"),
        ({"urlpath": "tree/clone/lab01.ipynb", "targetpath": "clone"}, "tree/textbook/lab01.ipynb"),
        ({"urlpath": "/notebooks/textbook/a%20b.ipynb"}, "notebooks/textbook/a%20b.ipynb"),
        ({"urlpath": "rstudio/"}, "rstudio/"),
        ({"subpath": "hw/hw01.ipynb", "app": "lab"}, "lab/tree/textbook/hw/hw01.ipynb"),
        ({"subpath": "hw", "app": "notebook"}, "tree/textbook/hw"),
    ],
)
def test_git_pull_links_lead_into_the_synced_folder(given: dict[str, str], target: str) -> None:
    opening = git_pull(COURSES, "https://github.com/data-8/textbook", branch="gh-pages", **given)
    assert (opening.course.name, opening.target) == ("textbook", target)


@pytest.mark.parametrize(
    "start", ["https://raw.githubusercontent.com/data-8/textbook", "http://github.com/data-8/textbook/blob"]
)
def test_links_to_one_file_on_github_open_it(start: str) -> None:
    assert interact_file(COURSES, f"{start}/gh-pages/notebooks/a%20b.ipynb").path == "notebooks/a b.ipynb"


@pytest.mark.parametrize(
    "path",
    ["..", "../x", "a/../../x", "a/..", ".git/config", "a/.GIT", "a\\..\\b", "a\x00b", "a\nb", "a" * 256, "a/" * 1500],
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    for link in (
        lambda: clean_path(path),
        lambda: open_course(COURSES, "textbook", path),
        lambda: interact(COURSES, "textbook", [path, "fine"]),
        lambda: git_pull(COURSES, "data-8/textbook", subpath=path),
    ):
        with pytest.raises(NeedsUser):
            link()


@pytest.mark.parametrize(
    "urlpath",
    [
        "//evil.example/x",
        "https://evil.example/",
        "javascript:alert(1)",
        "../../user/ben/lab",
        "lab/%2e%2e/%2e%2e/hub",
        "lab\\..\\..",
        "lab/%252e%252e/x",
        "a\r\nSet-Cookie: x",
        "%2F/evil.example",
    ],
)
def test_an_urlpath_never_leaves_the_visitors_server(urlpath: str) -> None:
    with pytest.raises(NeedsUser):
        git_pull(COURSES, "data-8/textbook", urlpath=urlpath)


@pytest.mark.parametrize(
    "repo",
    [
        "file:///etc",
        "ext::sh -c id",
        "http://127.0.0.1/data-8/textbook",
        "http://169.254.169.254/latest",
        "-textbook",
        "--upload-pack=x",
        "https://github.com@evil.example/data-8/textbook",
        "https://evil.example/?https://github.com/data-8/textbook",
        "data-8/other",
        "",
        "..",
        "x" * 3000,
    ],
)
def test_repositories_that_no_course_has_are_refused(repo: str) -> None:
    with pytest.raises(NeedsUser):
        interact(COURSES, repo, [], account="data-8")
    with pytest.raises(NeedsUser):
        git_pull(COURSES, repo)


def test_files_elsewhere_are_refused() -> None:
    for address in (
        "https://evil.example/x",
        "file:///etc/passwd",
        "https://github.com/data-8",
        "https://github.com:99/a/b/blob/c/d",
        "https://[x",
    ):
        with pytest.raises(NeedsUser):
            interact_file(COURSES, address)


def test_a_link_to_another_branch_is_refused() -> None:
    with pytest.raises(NeedsUser, match="does not follow the branch “main”"):
        interact(COURSES, "textbook", [], branch="main")


@pytest.mark.parametrize(
    ("groups", "admin", "role"),
    [
        ((), False, Role.NOBODY),
        (("course-ds100",), False, Role.NOBODY),
        (("course-textbook",), False, Role.STUDENT),
        (("course-textbook", "course-textbook-staff"), False, Role.INSTRUCTOR),
        ((), True, Role.ADMIN),
    ],
)
def test_roles_come_from_groups(groups: tuple[str, ...], admin: bool, role: Role) -> None:
    visitor = Visitor("ada", frozenset(groups), admin)
    assert role_in(visitor, COURSES[0]) is role
    assert (COURSES[0] in followed_by(visitor, COURSES)) is (role in (Role.STUDENT, Role.INSTRUCTOR))


@pytest.mark.parametrize(
    "course",
    [
        {},
        {"remote": ""},
        {"remote": "https://x/y", "folder": "../x"},
        {"remote": "https://x/y", "folder": "/etc"},
        {"remote": "https://x/y", "folder": "~/.ssh"},
        {"remote": "https://x/y", "groups": "all"},
        {"remote": "https://x/y", "colour": "red"},
        {"remote": "https://x/y", "branch": 3},
    ],
)
def test_courses_that_make_no_sense_are_said_in_one_sentence(course: dict) -> None:
    with pytest.raises(NeedsUser, match="course ds8") as problem:
        read_courses({"ds8": course})
    assert "\n" not in str(problem.value)
    with pytest.raises(NeedsUser):
        read_courses({"a": {"remote": "https://x/y", "folder": "c"}, "b": {"remote": "https://x/y", "folder": "c/d"}})
