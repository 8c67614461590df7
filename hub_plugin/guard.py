"""Who asks, and may they: before each request; and what goes wrong becomes one sentence."""

import logging

from aiohttp import web

from hub_plugin import words
from hub_plugin.answers import message
from hub_plugin.context import Handler, context_key, session_key, token_key, token_of, visitor_key
from hub_plugin.login import NotAllowed, is_from
from syncd.core.errors import NeedsUser, SyncError, TryAgain

_log = logging.getLogger("hub_plugin")


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler, as somebody; all failures become answers that say one sentence."""
    try:
        resolved = request.match_info.handler
        if not getattr(resolved, "open_to_anybody", False) and request.match_info.http_exception is None:
            away = await _identify(request)
            if away is not None:
                return away
        return await handler(request)
    except NotAllowed as problem:
        return message(request, 403, str(problem))
    except NeedsUser as problem:
        return message(request, 400, str(problem))
    except (TryAgain, SyncError) as problem:
        return message(request, 503, str(problem))
    except web.HTTPNotFound:
        return message(request, 404, words.NOT_FOUND)
    except web.HTTPMethodNotAllowed as error:
        answer = message(request, 405, words.ONLY_GET)
        answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except web.HTTPTooManyRequests as error:
        answer = message(request, 429, words.TOO_MANY)
        answer.headers["Retry-After"] = error.headers["Retry-After"]
        return answer
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001  (one odd request must not end the service, nor show what is inside)
        _log.exception("could not answer %s %s", request.method, request.path)
        return message(request, 500, words.BROKEN)


async def _identify(request: web.Request) -> web.StreamResponse | None:
    """Find out who asks; an answer instead if that can't be, or if they may not."""
    context = request.app[context_key]
    if token := token_of(request):
        visitor = await context.hub.visitor(token)
        if visitor is None:
            return web.json_response({"error": words.LOGIN_AGAIN}, status=401)
        request[visitor_key], request[token_key] = visitor, token
        return None
    session = await context.login.session(request)
    visitor = await context.hub.visitor(session.token) if session else None
    if session is None or visitor is None or visitor.name != session.user:
        if session is not None:
            await context.database.end_session(session.key)
        if request.path.endswith("/events"):
            return web.Response(status=204)  # an event source gives up; the page is loaded anew
        if request.method != "GET" or request.path.startswith(f"{context.prefix}api/"):
            return message(request, 401, words.FORM_AGAIN)
        raise context.login.begin(request, request.path_qs)
    request[session_key], request[visitor_key], request[token_key] = session, visitor, session.token
    if request.method == "POST":
        # The page's script sends it as a header, which no other site's page can.
        proof = request.headers.get("X-Form-Token") or (await request.post()).get("form_token")
        if not is_from(session, proof):
            return message(request, 403, words.FORM_AGAIN)
    return None
