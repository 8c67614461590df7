"""A student's own page."""

from hub_plugin.words.catalogue import _

MY_COURSES = _("My courses")
CLASS = _("Class")
SKIP_TO_COURSES = _("Skip to the courses")
NO_COURSE_OF_MINE = _("You are in no course of this hub; if you should be, ask your instructor to add you.")
STUDENTS_NODE_AWAY = _(
    "New versions can't be brought just now; your folders stay as they are. If this lasts, tell your instructor."
)
NOT_RUNNING = _("Your folder is kept up to date while your server runs")
NOT_RUNNING_MORE = _("Start your server to have the newest version.")
NOT_KEPT = _("Your server runs, but without this folder's updates")
IS_STARTED = _("They are started again now.")
MINE_ALL_GOOD = _("All your folders are up to date.")
OPEN_FOLDER = _("Open the folder")
UPDATE_NOW = _("Update now")
WHATS_NEW = _("New since your last visit")
RESTORE = _("Get the instructor's version back")
RESTORE_PATH = _("File or folder in this course")
RESTORE_BUTTON = _("Restore")
RESTORE_WHAT = _("Say which file or folder you want the instructor's version of.")
RESTORE_HINT = _("What you have there now is kept as an earlier version.")
TO_CLASS = _("See the class")
TO_MINE = _("My courses")
LOG_OUT = _("Log out of this page")
LOGGED_OUT = _("You are logged out of this page. The hub itself may still know you.")
LOGGED_IN_AS = _("You are")
DONE = _("Done")


def not_kept_because(why: str) -> str:
    """Why a server runs without updates."""
    return _("If this lasts, tell whoever runs the hub: {why}").format(why=why)
