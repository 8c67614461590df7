"""Where deeds are done: by a form, which is answered by a page, and by the API, which is answered in JSON.

The pages' script sends what their forms would to the API, and shows the sentence without leaving the page.
"""

from functools import partial

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import message
from hub_plugin.context import admit, context_key, visitor_key
from hub_plugin.courses import Role
from hub_plugin.deeds import DEEDS, Deed, Said, done
from syncd.core.errors import NeedsUser


def add_routes(app: web.Application, prefix: str) -> None:
    """All of them, twice."""
    for deed in DEEDS:
        app.router.add_post(f"{prefix}{deed.path}", partial(_by_form, deed))
        app.router.add_post(f"{prefix}api/v1/{deed.path}", partial(_by_api, deed))


async def _by_form(deed: Deed, request: web.Request) -> web.StreamResponse:
    said = dict(await request.post())
    back = "./" if deed.least > Role.STUDENT else "../../"
    return message(request, 200, await _done(deed, request, said), back)


async def _by_api(deed: Deed, request: web.Request) -> web.Response:
    said: object = {}
    if request.can_read_body:
        try:
            said = await request.json()
        except (ValueError, RecursionError) as error:
            raise NeedsUser(words.API_JSON) from error
    if not isinstance(said, dict):
        raise NeedsUser(words.API_JSON)
    return web.json_response({"sentence": await _done(deed, request, said)})


async def _done(deed: Deed, request: web.Request, said: Said) -> str:
    context, visitor = request.app[context_key], request[visitor_key]
    admit(context.rate, f"deed {visitor.name}", 2)
    course = request.match_info.get("course", "")
    # One form serves all courses of a page, so that a field of it may be named for its course too.
    said = {name.removesuffix(f"-{course}"): value for name, value in said.items()}
    return await done(deed, context, visitor, course, said)
