"""What an instructor's page of one course says, and the links it offers.  Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from hub_plugin import words
from hub_plugin.courses import Course
from hub_plugin.links import target_of
from hub_plugin.live import Layout, layout
from hub_plugin.mine import folder_of, rows_of
from hub_plugin.reports import Names
from hub_plugin.shown import Overview, key

_MISSING_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Link:
    """One way to lead students to a file."""

    kind: str
    text: str


def class_layout(shown: Overview, course: Course) -> Layout:
    """The class's part of the whole overview."""
    wanted = key("course", course.name)
    published = folder_of(shown, course)
    from_here = Overview(
        headline="",
        notices=shown.notices,
        folders=(published,) if published else (),
        no_folders=words.PUBLISHED_ELSEWHERE,
        courses=tuple((card, rows) for card, rows in shown.courses if card.key == wanted),
        no_courses=words.UNFOLLOWED_YET,
    )
    said = ""
    for card, rows in from_here.courses:
        newest = [count.words for count in card.counts if count.newest]
        said = words.class_line([*newest, *card.tallies]) if newest else words.headline_course(course.title, 0, 0)
        said = said if rows else words.headline_course(course.title, 0, 0)
    cut = layout(from_here)
    headline = cut.pieces["headline"]
    return Layout({**cut.pieces, "headline": type(headline)(headline.template, said)}, cut.lists)


def without_folder(shown: Overview, course: Course, accounts: Sequence[str]) -> Names:
    """Who of the roster has no folder here yet."""
    seen = {row.user for row in rows_of(shown, course)}
    missing = [account for account in accounts if account not in seen]
    return Names(tuple(missing[:_MISSING_SHOWN]), len(missing))


def links_to(course: Course, path: str, hub: str, service: str, *, git_pull: bool = True) -> tuple[Link, ...]:
    """All forms of link to a file or folder; `hub` is the hub's address with its path, ending in a slash."""
    ours = f"{hub}services/{service}/open/{quote(course.name)}/{quote(path)}"
    owner, _, repo = course.repository.partition("/")[2].rpartition("/")
    about = {"account": owner, "repo": repo} if owner else {"repo": repo}
    if course.branch:
        about["branch"] = course.branch
    interact = f"{hub}hub/interact?{urlencode({**about, 'path': path})}"
    pulled = {"repo": course.remote, "urlpath": f"lab/tree/{repo}/{path}"}
    if course.branch:
        pulled["branch"] = course.branch
    inside = f"{urlsplit(hub).path}hub/user-redirect/{target_of(course, path)}"
    found = [
        Link(words.LINK_OURS, ours),
        Link(words.LINK_INTERACT, interact),
        Link(words.LINK_GIT_PULL, f"{hub}hub/user-redirect/git-pull?{urlencode(pulled)}"),
        Link(words.LINK_HUB, f"{hub}hub/user-redirect/{target_of(course, path)}"),
        Link(words.LINK_HTML, f'<a href="{ours}">{words.LINK_TEXT}</a>'),
        Link(words.LINK_MARKDOWN, f"[{words.LINK_TEXT}]({ours})"),
        Link(words.LINK_BADGE, f"[![{words.LINK_TEXT}]({hub}services/{service}/badge.svg)]({ours})"),
        # As nbgitpuller's links for learning platforms: the launch logs in, and goes on to `custom_next`.
        Link(words.LINK_LTI, f"{hub}hub/lti/launch?{urlencode({'custom_next': inside})}"),
        Link(words.LINK_LTI13, ours),
    ]
    return tuple(link for link in found if git_pull or link.kind != words.LINK_GIT_PULL)
