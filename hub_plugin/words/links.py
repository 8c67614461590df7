"""Links that can't be followed."""

from hub_plugin.words.catalogue import _

LINK_BAD_PATH = _("This link's path does not lead to a file of the course; ask whoever made it for a new one.")
LINK_BAD_URLPATH = _("This link leads to another place than your server; ask whoever made it for a new one.")
LINK_FILE_FORM = _(
    "This link names a file that is not of the form https://github.com/OWNER/NAME/blob/BRANCH/PATH; "
    "ask whoever made it for a new one."
)

ADDING = _("Fetching the course")
ADDING_MORE = _("This page opens the file by itself as soon as it is there.")


def bad_pattern(pattern: str) -> str:
    """A pattern of allowed repositories that is none."""
    return _(
        "{pattern!r} in c.SyncedFolders.allowed_repositories must be like https://github.com/OWNER/*, its host in full."
    ).format(pattern=pattern)


def link_unknown_course(name: str) -> str:
    """A link to a course that there is not."""
    return _("This hub has no course named “{name}”; ask whoever made the link.").format(name=name)


def link_unknown_repository(repo: str) -> str:
    """A link to a repository that is not allowed."""
    return _(
        "This hub does not follow the repository “{repo}”; ask whoever runs the hub to add it as a course."
    ).format(repo=repo)


def link_other_branch(course: str, branch: str) -> str:
    """A link to another branch than the one followed."""
    return _(
        "The course {course} does not follow the branch “{branch}” on this hub; ask whoever made the link."
    ).format(course=course, branch=branch)


def link_unknown_app(app: str) -> str:
    """A link for a program that is not known."""
    return _("This link asks for the program “{app}”, which is none of lab, notebook and rstudio.").format(app=app)
