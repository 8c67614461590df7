"""Addresses within a visitor's own server: where a link's `urlpath` leads once the folder is a synced one.  Pure."""

import re
from urllib.parse import quote, unquote

from hub_plugin import words
from hub_plugin.courses import Course
from syncd.core.errors import NeedsUser

LONGEST = 2_000
CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
# What comes before a file's path in the addresses of the programs that open one.
_VIEWER = re.compile(
    r"(?:lab/workspaces/[^/]+/tree|(?:lab|doc|retro|nbclassic)/(?:tree|notebooks|edit)|lab/tree"
    r"|tree|notebooks|edit|view|files|apps|shiny|voila/render)/"
)


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


def within_server(urlpath: str) -> str:
    """An address relative to a server.  NeedsUser if a browser could read it as another place."""
    if len(urlpath) > LONGEST or CONTROL.search(urlpath) or CONTROL.search(unquote(urlpath)):
        raise NeedsUser(words.LINK_BAD_URLPATH)
    inside = decoded_twice(urlpath).removeprefix("/")
    path = re.split(r"[?#]", inside, maxsplit=1)[0]
    decoded = unquote(unquote(path))
    elsewhere = inside.startswith("/") or ":" in decoded.split("/", 1)[0]
    if elsewhere or any(part in ("..", ".") for part in decoded.split("/")) or decoded.startswith("/"):
        raise NeedsUser(words.LINK_BAD_URLPATH)
    return quote(inside, safe="/%?#&=+:@,;!$'()*~")


def decoded_twice(text: str) -> str:
    """An address that was encoded once more than a link needs; a slash in it that is encoded still tells."""
    return unquote(text) if "/" not in text and "%2f" in text.casefold() else text


def into_folder(urlpath: str, clone: str, folder: str) -> str:
    """An address in nbgitpuller's clone as one in the synced folder; any other as it is."""
    viewer = _VIEWER.match(urlpath)
    if viewer is None:
        return urlpath
    start, rest = urlpath[: viewer.end()], urlpath[viewer.end() :]
    for spelled in (quote(clone), quote(clone, safe="")):
        if rest == spelled or rest.startswith((f"{spelled}/", f"{spelled}?", f"{spelled}#")):
            return f"{start}{quote(folder)}{rest[len(spelled) :]}"
    return urlpath
