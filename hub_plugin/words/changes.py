"""What differs between a student's folder and the instructor's, and pausing."""

from hub_plugin.words.catalogue import _, plural

CHANGES = _("What is merged, put beside or changed")
CHANGES_LINK = _("See what differs")
EDITED = _("Different from the instructor's")
EDITED_NONE = _("Nothing here differs from what the instructor published.")
KEPT = _("What updates replaced")
KEPT_NONE = _("No update has replaced anything of yours.")
COMPARE = _("Compare")
COMPARE_WITH = _("Compared with")
INSTRUCTORS = _("The instructor's version")
YOURS_BEFORE = _("What you had before")
YOURS_NOW = _("What you have now")
NO_FILE = _("There is no such file on this side.")
NOT_READABLE = _("This is not a text, or too long to be shown; open it in your server.")
NO_DIFFERENCE = _("Both are the same.")
DIFFERENCE_TOO_LONG = _("There is too much of it to be shown side by side; open both in your server.")
DIFFERENCE_UNSEEN = _("They differ only in what can't be seen, like outputs or the ends of lines.")
GIVE_BACK = _("Give me the instructor's version back")
BACK_TO_CHANGES = _("All differences")
PAUSE = _("Pause")
PAUSE_HINT = _("No new versions come into the folder until you let them.")
GO_ON = _("Let new versions come again")
PAUSED_STATE = _("Paused")
_WHAT = {"edited": _("changed"), "added": _("yours alone"), "deleted": _("deleted by you")}
_REASONS = {
    "merged with an update": _("merged with an update"),
    "replaced by the instructor's version": _("replaced by the instructor's version"),
    "replaced by an earlier version": _("replaced by an earlier version"),
}


def what_differs(what: str) -> str:
    """In which way a file differs."""
    return _WHAT.get(what, what)


def kept_because(reason: str) -> str:
    """Why an earlier version was kept."""
    return _REASONS.get(reason, reason)


def put_beside(path: str) -> str:
    """A copy beside another file."""
    return _("put beside {path}").format(path=path)


def cell_new(number: int) -> str:
    """A cell that was not there before."""
    return _("Cell {number}, new").format(number=number)


def cell_gone(number: int) -> str:
    """A cell that is no longer there."""
    return _("Cell {number} of before, gone").format(number=number)


def cell_changed(number: int) -> str:
    """A cell that is another now."""
    return _("Cell {number}").format(number=number)


def skipped(count: int) -> str:
    """Lines that are the same on both sides and are not shown."""
    return plural("{count} line the same", "{count} lines the same", count)
