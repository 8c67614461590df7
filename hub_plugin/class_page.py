"""What an instructor's page of one course says, and the links it offers.  Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit

from hub_plugin import words
from hub_plugin.class_cards import row_order
from hub_plugin.cleaned import Names
from hub_plugin.courses import Course
from hub_plugin.live import Layout, Piece, layout
from hub_plugin.mine import folder_of
from hub_plugin.shown import CourseCard, Overview, Status, VersionCount, ViewRow, key
from hub_plugin.urlpaths import target_of
from syncd.look.tone import Tone

Account = Callable[[str], str]
"""A hub user's account on this machine."""


@dataclass(frozen=True, slots=True)
class Link:
    """One way to lead students to a file."""

    kind: str
    text: str


def roster_of(shown: Overview, course: Course, account: Account) -> frozenset[str] | None:
    """The accounts of a course's students by the hub's groups, or by who followed a link; None if nobody has said."""
    if course.added:
        return frozenset(account(name) for name in course.followers)
    if shown.groups is None:
        return None
    return frozenset(account(name) for group in course.groups for name in shown.groups.get(group, ()))


def class_of(shown: Overview, course: Course, account: Account) -> tuple[CourseCard, tuple[ViewRow, ...]] | None:
    """The class as the node has it, and with it who is on the roster and never opened the course."""
    wanted = key("course", course.name)
    found = next((one for one in shown.courses if one[0].key == wanted), None)
    if found is None:
        return None
    card, rows = found
    missing = sorted((roster_of(shown, course, account) or frozenset()) - {row.user for row in rows})
    if not missing:
        return found
    total = len(rows) + len(missing)
    counts = [replace(count, total=total) for count in card.counts]
    counts.append(VersionCount(words.NOT_OPENED, len(missing), total, newest=False))
    rows = tuple(sorted((*rows, *(_unopened(course, user) for user in missing)), key=row_order))
    return replace(card, counts=tuple(counts), students=total), rows


def class_layout(shown: Overview, course: Course, account: Account) -> Layout:
    """The class's part of the whole overview."""
    published, found = folder_of(shown, course), class_of(shown, course, account)
    from_here = Overview(
        headline="",
        notices=shown.notices,
        folders=(published,) if published else (),
        no_folders="",
        courses=(found,) if found else (),
        no_courses=words.UNFOLLOWED_YET,
    )
    said = ""
    for card, rows in from_here.courses:
        newest = [count.words for count in card.counts if count.newest]
        said = words.class_line([*newest, *card.tallies]) if newest else words.headline_course(course.title, 0, 0)
        said = said if rows else words.headline_course(course.title, 0, 0)
    cut = layout(from_here)
    headline = cut.pieces["headline"]
    pieces = {**cut.pieces, "headline": replace(headline, value=said)}
    if not published:
        recent = found[0].recent if found else ()
        pieces["no-folders"] = Piece("elsewhere.html", recent)
    pieces["roster-line"] = Piece("line.html", _roster_line(shown, course, account, found is not None))
    return Layout(pieces, {**cut.lists, "roster": ("roster-line",)})


def _roster_line(shown: Overview, course: Course, account: Account, followed: bool) -> str:
    roster = roster_of(shown, course, account)
    if roster is None:
        return words.ROSTER_UNKNOWN
    opened = {row.user for card, rows in shown.courses if card.key == key("course", course.name) for row in rows}
    return words.roster(len(roster), len(roster - opened) if followed else None)


def _unopened(course: Course, user: str) -> ViewRow:
    return ViewRow(
        key=key("unopened", course.name, user),
        user=user,
        kind="",
        root="",
        version="–",
        status=Status(words.NOT_OPENED, Tone.QUIET),
        waiting=Names(),
        notes=Names(),
        updated_at=None,
    )


def links_to(course: Course, path: str, hub: str, pages: str) -> tuple[Link, ...]:
    """All forms of link to a file or folder; `hub` and `pages` are addresses with their paths, ending in a slash."""
    owner, _, repo = course.repository.partition("/")[2].rpartition("/")
    about = {"account": owner, "repo": repo} if owner else {"repo": repo}
    if course.added:
        about = {"repo": course.remote}
    if course.branch:
        about["branch"] = course.branch
    interact = f"{hub}hub/interact?{urlencode({**about, 'path': path})}"
    # Who does not have an added course yet gets it by a link that names the repository.
    ours = interact if course.added else f"{pages}open/{quote(course.name)}/{quote(path)}"
    pulled = {"repo": course.remote, "urlpath": f"lab/tree/{repo}/{path}"}
    if course.branch:
        pulled["branch"] = course.branch
    plain = f"{hub}hub/user-redirect/{target_of(course, path)}"
    inside = (interact if course.added else plain).removeprefix(hub)
    launched = {"custom_next": f"{urlsplit(hub).path}{inside}"}
    return (
        Link(words.LINK_OURS, ours),
        Link(words.LINK_INTERACT, interact),
        Link(words.LINK_GIT_PULL, f"{hub}hub/user-redirect/git-pull?{urlencode(pulled)}"),
        Link(words.LINK_HUB, plain),
        Link(words.LINK_HTML, f'<a href="{ours}">{words.LINK_TEXT}</a>'),
        Link(words.LINK_MARKDOWN, f"[{words.LINK_TEXT}]({ours})"),
        Link(words.LINK_BADGE, f"[![{words.LINK_TEXT}]({pages}badge.svg)]({ours})"),
        # As nbgitpuller's links for learning platforms: the launch logs in, and goes on to `custom_next`.
        Link(words.LINK_LTI, f"{hub}hub/lti/launch?{urlencode(launched)}"),
        Link(words.LINK_LTI13, ours),
    )
