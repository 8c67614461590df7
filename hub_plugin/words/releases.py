"""Publishing to students, undoing and planning it, from the hub."""

from hub_plugin.words.catalogue import _

RELEASES = _("What students get, and when")
RELEASES_LINK = _("Publish, undo or plan")
PUBLISH_NOW = _("Publish now")
PUBLISH_PATHS = _("Files or folders, one per line (empty: everything)")
PUBLISH_MESSAGE = _("What to tell students")
PUBLISH_AT = _("When, for example “friday 14:00” (empty: now)")
PUBLISH_BUTTON = _("Publish")
PLANNED = _("Planned")
PLANNED_NONE = _("Nothing is planned.")
CANCEL_PLAN = _("Cancel")
RELEASED = _("Published so far")
RELEASED_NONE = _("Nothing has been published yet.")
UNDO = _("Undo")
UNDONE = _("undone")
UNDO_LAST = _("Undo the last save")
UNDO_LAST_HINT = _("The files of the last save get their former state; what others changed since stays.")
NOT_WITH_STUDENTS = _("What students don't have yet")
ALL_WITH_STUDENTS = _("Students have all of it.")
EVERY_SAVE = _(
    "Every save of this folder goes to students at once. To choose what they get and when, its instructor says on "
    "their computer: syncd students FOLDER --way release"
)
NO_FOLDER_HERE = _(
    "No publisher on this machine publishes this course, so this is done where it runs: there, open its page by "
    "“syncd page”, or say “syncd publish”, “syncd undo”."
)
TOO_MANY_PATHS = _("These are too many paths; name their folders instead.")
TO_THE_CLASS = _("Back to the class")
