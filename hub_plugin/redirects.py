"""nbgitpuller's links in the hub itself: those of our courses go to the synced folder, all others where they went.

Course sites still have the older form of them, `user-redirect/interact`, which takes what DS8-Interact takes.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hub_plugin.allowed import addable
from hub_plugin.courses import Course
from hub_plugin.link_queries import FORMS, Query, query_of
from hub_plugin.links import OtherBranch, UnknownRepository
from syncd.core.errors import NeedsUser

Redirect = Callable[..., Any]


def git_pull_hook(
    courses: Sequence[Course], allowed: Sequence[str], account: str, service: str, earlier: Redirect | None
) -> Redirect:
    """A `user_redirect_hook`; the one that was there before sees whatever is not ours.  `account`: see `FORMS`."""

    async def user_redirect_hook(path: str, request: Any, user: Any, base_url: str) -> Any:
        form, query = path.strip("/"), query_of(parse_qsl(request.query, keep_blank_values=True))
        if form in FORMS and _ours(form, courses, allowed, account, query):
            # The service knows who may see what; here only the address is changed.
            host = getattr(user.settings.get("services", {}).get(service), "host", "")
            return f"{host}{base_url}services/{service}/{form}?{urlencode(query, doseq=True)}"
        found = earlier(path, request, user, base_url) if earlier is not None else None
        return await found if inspect.isawaitable(found) else found

    user_redirect_hook._synced_folders = True  # type: ignore[attr-defined]
    return user_redirect_hook


def _ours(form: str, courses: Sequence[Course], allowed: Sequence[str], account: str, query: Query) -> bool:
    try:
        FORMS[form](courses, query, account)
    except UnknownRepository as unknown:
        return addable(allowed, unknown.repo, unknown.branch, ()) is not None
    except OtherBranch:
        return False
    except NeedsUser:
        pass  # one of ours that leads nowhere: the service says why
    return True
