"""The service's pages and messages, drawn for whoever asks."""

import time

from aiohttp import web

from hub_plugin.context import context_key, session_key, token_of, visitor_key
from hub_plugin.live import Board


def draw(request: web.Request, template: str, board: Board | None = None, **said: object) -> web.Response:
    """A page of ours; live if it has a board."""
    context = request.app[context_key]
    session = request.get(session_key)
    always = {
        "root": context.prefix,
        "hub": context.hub.address.base_url,
        "visitor": request.get(visitor_key),
        "form_token": session.form_token if session else "",
    }
    html = context.pages.draw(template, {**always, **said}, board, time.time())
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})


def message(request: web.Request, status: int, sentence: str, back: str = "") -> web.Response:
    """A page that says one sentence, or for a program the sentence alone; `back` is where to go from there."""
    context = request.app[context_key]
    if token_of(request) or request.path.startswith(f"{context.prefix}api/"):
        return web.json_response({"error": sentence}, status=status)
    answer = draw(request, "hub_message.html", sentence=sentence, back=back)
    answer.set_status(status)
    return answer
