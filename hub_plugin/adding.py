"""Following a link to a repository that no course has, where the hub allows it: the node gets it, then the folder.

Only who may use the service gets here, not too often, and only what the hub's patterns name is fetched (`allowed.py`).
"""

from collections.abc import Callable

from aiohttp import web

from hub_plugin import words
from hub_plugin.allowed import addable
from hub_plugin.answers import draw
from hub_plugin.context import admit, context_key, visitor_key
from hub_plugin.courses import Course, repository_of
from hub_plugin.links import Opening, UnknownRepository
from hub_plugin.reports import courses as courses_of
from syncd.core.errors import TryAgain

_AGAIN_S, _TROUBLE_AGAIN_S = 1, 10

Open = Callable[[tuple[Course, ...]], Opening]
"""Reads the link, given the courses that it may lead to."""


async def add_and_open(request: web.Request, unknown: UnknownRepository, read: Open) -> Opening | web.Response:
    """Where the link leads, once it is there; until then a page that asks again.  `unknown` if it may not be added."""
    context, visitor = request.app[context_key], request[visitor_key]
    settings, node = context.settings, context.node
    if node is None or not settings.allowed_repositories:
        raise unknown
    await context.watcher.refresh()
    followed = courses_of(node.last.document or {})
    wanted = addable(settings.allowed_repositories, unknown.repo, unknown.branch, ())
    if wanted is None:
        raise unknown
    others = {course.name for course in settings.courses}
    others |= {course.name for course in followed if repository_of(course.remote) != repository_of(wanted.remote)}
    wanted = addable(settings.allowed_repositories, unknown.repo, unknown.branch, others)
    if wanted is None:
        raise unknown
    course = wanted.course()
    opening = read((*settings.courses, course))
    new = all(each.name != course.name for each in followed)
    if new:
        admit(context.rate, f"add {visitor.name}", 5)
    await node.add(course.name, wanted.remote, wanted.branch, context.account(visitor.name))
    return await _there(request, course, opening)


async def _there(request: web.Request, course: Course, opening: Opening) -> Opening | web.Response:
    context, visitor = request.app[context_key], request[visitor_key]
    await context.watcher.refresh()
    assert context.node is not None
    followed = courses_of(context.node.last.document or {})
    known = next((each for each in followed if each.name == course.name), None)
    if known is not None and known.commit:
        try:
            if await context.agents.follow(visitor.name, course):
                return opening
        except TryAgain:
            return opening  # no server runs yet: it starts now, with the folder
    sentence = known.sentence if known is not None and known.sentence else words.CHECKING
    answer = draw(request, "adding.html", course=course, sentence=sentence)
    trouble = known is not None and known.state in ("needs_you", "offline")
    # By a header: the page works without a script, and nothing is loaded anew once it says what is wrong for good.
    answer.headers["Refresh"] = str(_TROUBLE_AGAIN_S if trouble else _AGAIN_S)
    return answer
