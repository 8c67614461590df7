"""Links from a course's web page to a file in a student's folder.  Pure.

Three forms are read: ours (`open/COURSE/PATH`), DS8-Interact's (`?repo=&path=&path=[&account=&branch=]` and `?file=`)
and nbgitpuller's (`?repo=&branch=&urlpath=&targetpath=&subpath=&app=`).  A link never names where a file comes from:
it only chooses among the courses that the hub's configuration allows, so nothing here is ever fetched.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

from hub_plugin import words
from hub_plugin.courses import Course, repository_of
from syncd.core.errors import NeedsUser

_LONGEST = 2_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
# What comes before a file's path in the addresses of the programs that open one.
_VIEWERS = ("lab/tree", "doc/tree", "tree", "notebooks", "edit", "view", "files", "retro/tree", "retro/notebooks")
_RAW = {"raw.githubusercontent.com": 3, "github.com": 4}
"""How many parts of such an address come before the file's path: owner, name, (blob or raw,) branch."""


class UnknownRepository(NeedsUser):
    """No course has the repository of a link; it may be one that a link may add."""

    def __init__(self, repo: str, branch: str) -> None:
        super().__init__(words.link_unknown_repository(repo[:200]))
        self.repo, self.branch = repo, branch


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
    owner = account or default_account
    course = _find(courses, repo if "/" in repo else f"{owner}/{repo}" if owner else repo, branch, loose=not account)
    return _opening(course, cleaned[-1] if cleaned else "", app)


def interact_file(courses: Sequence[Course], address: str, app: str = "") -> Opening:
    """DS8-Interact's `?file=`: the address of one file, on GitHub's pages or its raw form."""
    parts = _address(address)
    before = _RAW.get((parts.hostname or "").casefold())
    pieces = parts.path.strip("/").split("/")
    if before is None or len(pieces) <= before or (before == 4 and pieces[2] not in ("blob", "raw")):
        raise NeedsUser(words.LINK_FILE_FORM)
    course = _find(courses, f"{pieces[0]}/{pieces[1]}", pieces[before - 1])
    return _opening(course, clean_path(unquote("/".join(pieces[before:]))), app)


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
    course = _find(courses, repo, branch)
    if not urlpath:
        return _opening(course, clean_path(subpath), app)
    clone = clean_path(targetpath) or course.repository.rsplit("/", 1)[-1]
    if not targetpath:
        # The name as the link spells it: folders keep the case that repositories do not.
        clone = repo.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1].rsplit(":", 1)[-1] or clone
    return Opening(course, "", _into_folder(_within_server(urlpath), clone, course.folder))


def clean_path(text: str) -> str:
    """A path inside a course's folder, without detours; '' is the folder.  NeedsUser if it leads out of it."""
    if len(text) > _LONGEST or _CONTROL.search(text):
        raise NeedsUser(words.LINK_BAD_PATH)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if any(part == ".." or part.casefold() == ".git" or len(part.encode("utf-8", "replace")) > 255 for part in parts):
        raise NeedsUser(words.LINK_BAD_PATH)
    return "/".join(parts)


def target_of(course: Course, path: str, app: str = "") -> str:
    """The address of a file within a server: in Lab unless an app says Notebook or RStudio."""
    whole = quote(f"{course.folder}/{path}" if path else course.folder)
    match app.casefold():
        case "" | "lab" | "jupyterlab":
            return f"lab/tree/{whole}"
        case "notebook" | "classic" | "nbclassic" | "retro" | "retrolab":
            name = path.rsplit("/", 1)[-1]
            viewer = "notebooks" if name.endswith(".ipynb") else "edit" if "." in name else "tree"
            return f"{viewer}/{whole}"
        case "rstudio":
            return "rstudio/"
    raise NeedsUser(words.link_unknown_app(app[:64]))


def _opening(course: Course, path: str, app: str) -> Opening:
    return Opening(course, path, target_of(course, path, app))


def _find(courses: Sequence[Course], repo: str, branch: str, *, loose: bool = False) -> Course:
    """The course of a repository, named by address, `owner/name` or, loosely, by its last name alone."""
    if len(repo) > _LONGEST or _CONTROL.search(repo) or len(branch) > 255:
        raise NeedsUser(words.link_unknown_repository(repo[:200]))
    found = _matches(courses, repo.strip())
    last = repo.rsplit("/", 1)[-1].casefold()
    if not found and loose and _PLAIN_NAME.fullmatch(last):
        found = [course for course in courses if course.repository.rsplit("/", 1)[-1] == last]
        if len({course.repository for course in found}) > 1:
            found = []
    if not found:
        raise UnknownRepository(repo, branch)
    fitting = [course for course in found if not branch or course.branch in (None, branch)]
    if not fitting:
        raise NeedsUser(words.link_other_branch(found[0].name, branch))
    return fitting[0]


def _matches(courses: Sequence[Course], repo: str) -> list[Course]:
    if "://" in repo or "@" in repo or (":" in repo and "/" in repo):
        wanted = repository_of(repo)
        return [course for course in courses if wanted and course.repository == wanted]
    named = repo.strip("/").removesuffix(".git").casefold()
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
    if len(text) > _LONGEST or _CONTROL.search(text) or not fits:
        raise NeedsUser(words.LINK_FILE_FORM)
    return parts


def _within_server(urlpath: str) -> str:
    """An address relative to a server.  NeedsUser if a browser could read it as another place."""
    if len(urlpath) > _LONGEST or _CONTROL.search(urlpath) or _CONTROL.search(unquote(urlpath)):
        raise NeedsUser(words.LINK_BAD_URLPATH)
    inside = urlpath.removeprefix("/")
    path = re.split(r"[?#]", inside, maxsplit=1)[0]
    decoded = unquote(unquote(path))
    elsewhere = inside.startswith("/") or ":" in decoded.split("/", 1)[0]
    if elsewhere or any(part in ("..", ".") for part in decoded.split("/")) or decoded.startswith("/"):
        raise NeedsUser(words.LINK_BAD_URLPATH)
    return quote(inside, safe="/%?#&=+:@,;!$'()*~")


def _into_folder(urlpath: str, clone: str, folder: str) -> str:
    path, rest = re.fullmatch(r"([^?#]*)(.*)", urlpath, re.DOTALL).groups()  # type: ignore[union-attr]
    for viewer in sorted(_VIEWERS, key=len, reverse=True):
        for spelled in (quote(clone), quote(clone, safe="")):
            start = f"{viewer}/{spelled}"
            if path == start or path.startswith(start + "/"):
                return f"{viewer}/{quote(folder)}{path[len(start) :]}{rest}"
    return path + rest
