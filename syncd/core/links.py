"""Links that open a file or folder of a course in a student's own place on a JupyterHub; and where tokens are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from syncd.core.entry import RelPath
from syncd.core.errors import NeedsUser

_LAB = "lab/tree"
_BADGE = "https://img.shields.io/badge/open%20in-JupyterHub-f37626?logo=jupyter"


@dataclass(frozen=True, slots=True)
class Links:
    """One target, in each form that hubs and pages understand."""

    interact: str
    nbgitpuller: str
    hub: str
    """For hubs where each student has the folder already."""
    badge: str
    """Markdown: a picture that is the Interact link."""


def new_token_page(host: str) -> str | None:
    """Where a person makes a token for one repository, filled in as far as it goes; None if it is not known of a host.

    docs.github.com, "Pre-filling fine-grained personal access token details using URL parameters".
    """
    if host != "github.com":
        return None
    return "https://github.com/settings/personal-access-tokens/new?name=Synced+Folders&contents=write"


def hub_address(text: str) -> str:
    """A hub's address as people type it, without a slash at its end; '' stays ''.  NeedsUser if it is none."""
    text = text.strip()
    if not text:
        return ""
    given = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(given)
        good = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    odd = any(not c.isprintable() or c in "\"'<>\\`()[]" or c.isspace() for c in given.replace("[", "", 1))
    if not good or odd or parts.scheme not in ("http", "https") or parts.username is not None or "@" in parts.netloc:
        raise NeedsUser("This is no address of a hub; copy it from the browser, like https://hub.example.edu.")
    path = parts.path.rstrip("/")
    if path.endswith("/hub") or "/hub/" in path:  # copied from the hub's own pages
        path = path[: path.index("/hub")]
    return f"{parts.scheme}://{parts.netloc}{path}"


def links(hub: str, remote: str, branch: str, folder: str, paths: Sequence[RelPath]) -> Links:
    """The links to some paths (none: the whole folder); the last one opens.  `folder` is its name at the student's."""
    opened = "/".join(filter(None, [folder, paths[-1] if paths else ""]))
    tree = f"{_LAB}/{quote(opened, errors='surrogateescape')}"
    interact = f"{hub}/hub/interact?" + _query(
        [*_repository(remote), ("branch", branch), *(("path", p) for p in paths)]
    )
    pull = [("repo", remote), ("branch", branch), ("urlpath", f"{_LAB}/{opened}"), ("targetpath", folder)]
    return Links(
        interact,
        f"{hub}/hub/user-redirect/git-pull?{_query(pull)}",
        f"{hub}/hub/user-redirect/{tree}",
        f"[![Open in JupyterHub]({_BADGE})]({interact})",
    )


def _repository(remote: str) -> list[tuple[str, str]]:
    """Interact's own short form for GitHub, the address for all others."""
    parts = urlsplit(remote)
    names = parts.path.strip("/").removesuffix(".git").split("/")
    if parts.scheme == "https" and parts.hostname in ("github.com", "www.github.com") and len(names) == 2:
        return [("account", names[0]), ("repo", names[1])]
    return [("repo", remote)]


def _query(pairs: Sequence[tuple[str, str]]) -> str:
    # A bracket would end a Markdown link; urlencode quotes it.
    return urlencode(pairs, errors="surrogateescape")
