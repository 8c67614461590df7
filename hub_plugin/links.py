"""Links from a course's web page to a file in a student's folder.  Pure.

Three forms are read: ours (`open/COURSE/PATH`), DS8-Interact's (`?repo=&path=&path=[&account=&branch=]` and `?file=`)
and nbgitpuller's (`?repo=&branch=&urlpath=&targetpath=&subpath=&app=`).  A link never names where a file comes from:
it only chooses among the courses that the hub's configuration allows, so nothing here is ever fetched.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from hub_plugin import words
from hub_plugin.courses import Course, repository_of
from hub_plugin.urlpaths import CONTROL, LONGEST, decoded_twice, into_folder, target_of, within_server
from syncd.core.errors import NeedsUser

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_RENAMED = frozenset({"main", "master"})
"""A default branch that was renamed: links of before name the other one, and hosts lead from it to this one."""
_SITES = {"data8.org": "data-8"}
"""Whose repositories a site shows, each below its name, beside OWNER.github.io."""


class UnknownRepository(NeedsUser):
    """No course has the repository of a link; it may be one that a link may add."""

    def __init__(self, repo: str, branch: str) -> None:
        super().__init__(words.link_unknown_repository(repo[:200]))
        self.repo, self.branch = repo, branch


class OtherBranch(NeedsUser):
    """A course has the repository of a link, and follows another branch of it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a link leads to: `target` is an address within the visitor's own server, to go after `user-redirect/`."""

    course: Course
    path: str
    target: str


def open_course(courses: Sequence[Course], name: str, path: str, app: str = "") -> Opening:
    """Our own form."""
    for course in courses:
        if course.name == name:
            return _opening(course, clean_path(path), app)
    raise NeedsUser(words.link_unknown_course(name[:64]))


def interact(
    courses: Sequence[Course],
    repo: str,
    paths: Sequence[str],
    *,
    account: str = "",
    branch: str = "",
    app: str = "",
    default_account: str = "",
) -> Opening:
    """DS8-Interact's form: all paths are in the folder already, and the last one opens."""
    cleaned = [clean_path(path) for path in paths]
    owner, plain = account or default_account, "/" not in repo
    named = f"{owner}/{repo}" if plain and owner else repo
    course = _find(courses, named, branch, loose=plain and not account)
    return _opening(course, cleaned[-1] if cleaned else "", app)


def interact_file(courses: Sequence[Course], address: str, app: str = "") -> Opening:
    """DS8-Interact's `?file=`: the address of one file, on GitHub's pages, in raw form or on a repository's site."""
    parts = _address(address)
    host = (parts.hostname or "").casefold().removeprefix("www.")
    owner, pieces = _SITES.get(host) or host.removesuffix(".github.io"), parts.path.strip("/").split("/")
    if owner != host and len(pieces) > 1:
        repo, branch, path = f"{owner}/{pieces[0]}", "", pieces[1:]
    elif (found := _on_github(host, pieces)) is not None:
        repo, branch, path = found
    else:
        raise NeedsUser(words.LINK_FILE_FORM)
    return _opening(_find(courses, repo, branch), clean_path(unquote("/".join(path))), app)


def _on_github(host: str, pieces: list[str]) -> tuple[str, str, list[str]] | None:
    """Repository, branch and path: after `owner/name/blob/` or `owner/name/raw/`, and raw form without either."""
    if host == "github.com" and pieces[2:3] in (["blob"], ["raw"]):
        pieces = pieces[:2] + pieces[3:]
    elif host != "raw.githubusercontent.com":
        return None
    if pieces[2:4] == ["refs", "heads"]:
        pieces = pieces[:2] + pieces[4:]
    return (f"{pieces[0]}/{pieces[1]}", pieces[2], pieces[3:]) if len(pieces) > 3 else None


def git_pull(
    courses: Sequence[Course],
    repo: str,
    *,
    branch: str = "",
    urlpath: str = "",
    targetpath: str = "",
    subpath: str = "",
    app: str = "",
) -> Opening:
    """Nbgitpuller's form; an `urlpath` that leads into its clone leads into the synced folder."""
    repo = decoded_twice(repo)
    course = _find(courses, repo, branch)
    if not urlpath:
        return _opening(course, clean_path(subpath), app)
    clone = clean_path(targetpath) or course.repository.rsplit("/", 1)[-1]
    if not targetpath:
        # The name as the link spells it: folders keep the case that repositories do not.
        clone = repo.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1].rsplit(":", 1)[-1] or clone
    return Opening(course, "", into_folder(within_server(urlpath), clone, course.folder))


def clean_path(text: str) -> str:
    """A path inside a course's folder, without detours; '' is the folder.  NeedsUser if it leads out of it."""
    if len(text) > LONGEST or CONTROL.search(text):
        raise NeedsUser(words.LINK_BAD_PATH)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if any(part == ".." or part.casefold() == ".git" or len(part.encode("utf-8", "replace")) > 255 for part in parts):
        raise NeedsUser(words.LINK_BAD_PATH)
    return "/".join(parts)


def _opening(course: Course, path: str, app: str) -> Opening:
    return Opening(course, path, target_of(course, path, app))


def _find(courses: Sequence[Course], repo: str, branch: str, *, loose: bool = False) -> Course:
    """The course of a repository, named by address, `owner/name` or, loosely, by its last name alone."""
    if len(repo) > LONGEST or CONTROL.search(repo) or len(branch) > 255:
        raise UnknownRepository(repo, branch)
    found = _matches(courses, repo.strip())
    last = repo.rsplit("/", 1)[-1].casefold()
    if not found and loose and _PLAIN_NAME.fullmatch(last):
        found = [course for course in courses if course.repository.rsplit("/", 1)[-1] == last]
        if len({course.repository for course in found}) > 1:
            found = []
    if not found:
        raise UnknownRepository(repo, branch)
    fitting = [course for course in found if not branch or course.branch in (None, branch)]
    if not fitting and branch in _RENAMED:
        fitting = [course for course in found if course.branch in _RENAMED]
    if not fitting:
        raise OtherBranch(words.link_other_branch(found[0].name, branch))
    return fitting[0]


def _matches(courses: Sequence[Course], repo: str) -> list[Course]:
    if "://" in repo or "@" in repo or (":" in repo and "/" in repo):
        wanted = repository_of(repo)
        return [course for course in courses if wanted and course.repository == wanted]
    named = repo.strip("/").removesuffix(".git").casefold()
    if named.count("/") > 1:  # the host without its scheme
        return [course for course in courses if course.repository == repository_of(f"https://{named}")]
    owner, _, name = named.partition("/")
    if not (_PLAIN_NAME.fullmatch(owner) and _PLAIN_NAME.fullmatch(name)):
        return []
    return [course for course in courses if course.repository.partition("/")[2] == named]


def _address(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.port is None and not parts.username
    except ValueError:
        fits = False
    if len(text) > LONGEST or CONTROL.search(text) or not fits:
        raise NeedsUser(words.LINK_FILE_FORM)
    return parts
