"""nbgitpuller's links in the hub itself: those of our courses go to the synced folder, all others where they went."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

from hub_plugin.allowed import addable
from hub_plugin.courses import Course
from hub_plugin.links import UnknownRepository, git_pull
from syncd.core.errors import NeedsUser

Redirect = Callable[..., Any]


def git_pull_hook(
    courses: Sequence[Course], allowed: Sequence[str], service: str, earlier: Redirect | None
) -> Redirect:
    """A `user_redirect_hook`; the one that was there before sees whatever is not ours."""

    async def user_redirect_hook(path: str, request: Any, user: Any, base_url: str) -> Any:
        query = parse_qs(request.query, keep_blank_values=True)
        if path.strip("/") == "git-pull" and _ours(courses, allowed, query):
            # The service knows who may see what; here only the address is changed.
            return f"{base_url}services/{service}/git-pull?{urlencode(query, doseq=True)}"
        found = earlier(path, request, user, base_url) if earlier is not None else None
        return await found if inspect.isawaitable(found) else found

    user_redirect_hook._synced_folders = True  # type: ignore[attr-defined]
    return user_redirect_hook


def _ours(courses: Sequence[Course], allowed: Sequence[str], query: dict[str, list[str]]) -> bool:
    repo, branch = query.get("repo", [""])[-1], query.get("branch", [""])[-1]
    try:
        git_pull(courses, repo, branch=branch)
    except UnknownRepository:
        return addable(allowed, repo, branch, ()) is not None
    except NeedsUser:
        return False
    return True
