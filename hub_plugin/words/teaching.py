"""An instructor's page of a class."""

from hub_plugin.words.catalogue import _, plural

ON_THIS_PAGE = _("On this page")
LINKS = _("Links for your course's pages")
LINK_PATH = _("File or folder")
LINK_SHOW = _("Show links")
LINK_OURS = _("Link")
LINK_INTERACT = _("Interact")
LINK_GIT_PULL = _("nbgitpuller")
LINK_HUB = _("Plain hub link")
LINK_HTML = _("HTML")
LINK_MARKDOWN = _("Markdown")
LINK_BADGE = _("Badge (Markdown)")
LINK_LTI = _("LTI 1.1 launch")
LINK_LTI13 = _("LTI 1.3 target link")
LINK_TEXT = _("Open in JupyterHub")
NOT_OPENED = _("Not yet opened")
ROSTER_UNKNOWN = _("The hub can't say just now who is in this course.")
PUBLISHED_ELSEWHERE = _(
    "This course is published from another machine; what is published there arrives here by itself."
)
UNFOLLOWED_YET = _("This hub's node does not follow the course yet; ask whoever runs the hub to add it to the node.")


def roster(total: int, missing: int | None) -> str:
    """Who is in the course by the hub's groups, and how many of them have no folder yet; None: that is not known."""
    said = plural("{count} student on the roster", "{count} students on the roster", total)
    if missing is None or not total:
        return _("{roster}.").format(roster=said)
    opened = plural("{count} has not opened the course yet", "{count} have not opened the course yet", missing)
    if not missing:
        opened = _("everybody has opened the course")
    return _("{roster}; {opened}.").format(roster=said, opened=opened)


def class_line(parts: list[str]) -> str:
    """The class in one line: `v37: 212 of 240, 6 with conflicts, 2 offline`."""
    return ", ".join(parts) + "."
