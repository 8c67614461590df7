"""What a link's query asks for, by the link's form.  Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from hub_plugin.courses import Course
from hub_plugin.links import Opening, git_pull, interact, interact_file

Query = Mapping[str, Sequence[str]]


def query_of(pairs: Iterable[tuple[str, str]]) -> Query:
    """The values by their names.  Links that were copied out of HTML say `&amp;` between them."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.removeprefix("amp;"), []).append(value)
    return found


def _interact(courses: Sequence[Course], query: Query, default_account: str) -> Opening:
    if "file" in query and "repo" not in query:
        return interact_file(courses, _last(query, "file"), _last(query, "app"))
    return interact(
        courses,
        _last(query, "repo"),
        query.get("path", ()),
        account=_last(query, "account"),
        branch=_last(query, "branch"),
        app=_last(query, "app"),
        default_account=default_account,
    )


def _git_pull(courses: Sequence[Course], query: Query, default_account: str) -> Opening:
    return git_pull(
        courses,
        _last(query, "repo"),
        branch=_last(query, "branch"),
        urlpath=_last(query, "urlpath", "urlPath"),
        targetpath=_last(query, "targetpath", "targetPath"),
        subpath=_last(query, "subpath", "subPath"),
        app=_last(query, "app"),
    )


FORMS: Mapping[str, Callable[[Sequence[Course], Query, str], Opening]] = {"interact": _interact, "git-pull": _git_pull}
"""By the last part of the link's address; the text is the account of a repository that is named without one."""


def _last(query: Query, *names: str) -> str:
    return next((query[name][-1] for name in names if query.get(name) and query[name][-1]), "")
